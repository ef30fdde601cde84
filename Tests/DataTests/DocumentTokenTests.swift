import FalconSystem
import FalconTestSupport
import FalconTokenizer
import Testing

@testable import FalconData

/// Tokenizers that are made of documents, and documents as their tokens.
@Suite struct DocumentTokenTests {
    @Test func badDocumentsStopTheTrainingOrAreCounted() throws {
        let folder = try TemporaryFolder()
        let good = "{\"text\":\"the quick brown fox jumps over the lazy dog again and again\"}\n"
        let path = try folder.write("a.jsonl", good + "{bad\n" + good)
        let trainer = TokenizerTrainer(vocabularyCount: 300)
        #expect(throws: DataError.self) {
            try trainer.train(on: DocumentTexts(DocumentReader(paths: [path])).next)
        }
        let texts = try DocumentTexts(DocumentReader(paths: [path]), skipsBadDocuments: true)
        let result = try trainer.train(on: texts.next)
        #expect(result.documentCount == 2 && texts.skippedCount == 1)
    }

    @Test func shardsKeepTheTokenizer() throws {
        let folder = try TemporaryFolder()
        let json = try InputFile.contents(of: tokenizerFixture("byte-pair/llama3.tokenizer.json"))
        let configuration = Array(#"{"eos_token": {"content": "<|end|>"}, "pad_token": null}"#.utf8)
        try folder.write("model/tokenizer.json", json)
        try folder.write("model/tokenizer_config.json", configuration)
        let tokenizer = try openTokenizer(path: folder.file("model"))
        try folder.write("in.txt", "Hello, world! 12345")
        var corpus = CorpusTokenizer(tokenizer: tokenizer)
        corpus.validationFraction = 0
        // A model that an earlier data set left behind is not taken for the tokenizer.
        try folder.write("out/tokenizer.model", "old")
        _ = try corpus.write(
            DocumentReader(paths: [folder.file("in.txt")]), to: folder.file("out"))
        let dataset = try TokenDataset(path: folder.file("out"))
        let copy = try dataset.tokenizer()
        #expect(copy.digest == tokenizer.digest && copy.eosID == tokenizer.eosID)
        #expect(copy.files.bytes(of: "tokenizer_config.json") == configuration)
        #expect(copy.files.main == .init(name: "tokenizer.json", bytes: json))
        try folder.write("out/tokenizer.json", "{}")
        #expect(throws: DataError.self) { try dataset.tokenizer() }
    }

    @Test func aTextFileGivesTheTokensOfItsShards() throws {
        let folder = try TemporaryFolder()
        let tokenizer = try SentencePieceTokenizer(path: tokenizerFixture(mistralModel))
        let text = (0..<30_000).map { "\($0) sentence,\(oddTexts[$0 % 9]) of it." }.joined()
        let wanted = try tokenizer.encode(text) + [2]
        for mark in ["", "\u{FEFF}"] {
            let path = try folder.write("a.txt", mark + text)
            let document = try TextFileTokens(path: path, tokenizer: tokenizer, partBytes: 1000)
            var (tokens, calls): ([Int32], Int) = ([], 0)
            while let more = try document.next() {
                tokens += more
                calls += 1
            }
            #expect(calls > 2)
            #expect(tokens == wanted)
        }
        for text in ["", "\u{FEFF}"] {
            let path = try folder.write("empty.txt", text)
            #expect(try TextFileTokens(path: path, tokenizer: tokenizer).next() == nil)
        }
        let bad = try folder.write("bad.txt", Array("é\n".utf8) + [0xFF])
        let error = #expect(throws: DataError.self) {
            try TextFileTokens(path: bad, tokenizer: tokenizer).next()
        }
        #expect(error?.description.contains("byte 0xff at offset 3") == true)
        let wide = try folder.write("wide.txt", [0xFF, 0xFE, 0x61, 0x00])
        let kind = #expect(throws: DataError.self) {
            try TextFileTokens(path: wide, tokenizer: tokenizer)
        }
        #expect(kind?.description.contains("UTF-16") == true)
    }

    @Test func theTextOfTheEndTokenEndsNoDocument() throws {
        let folder = try TemporaryFolder()
        try folder.write(
            "tokenizer.json",
            InputFile.contents(of: tokenizerFixture("byte-pair/gpt2.tokenizer.json")))
        try folder.write("tokenizer_config.json", "{\"eos_token\":\"<|end|>\"}")
        let tokenizer = try openTokenizer(path: folder.path)
        let end = try tokenizer.requireEndOfDocumentID()
        let text = "a<|end|>b <|end|>"
        // As Hugging Face's tokenizers encode a prompt.
        #expect(try tokenizer.encode(text).count { $0 == end } == 2)
        let tokens = try tokenizer.makeDocumentEncoder().encode(text)
        #expect(!tokens.contains(end))
        #expect(try tokenizer.decode(tokens) == text)
        #expect(tokenizer.endOfDocumentText == "<|end|>")
        let path = try folder.write("a.jsonl", "{\"text\":\"\(text)\"}\n{\"text\":\"c\"}\n")
        var corpus = CorpusTokenizer(tokenizer: tokenizer)
        corpus.validationFraction = 0
        let (index, counts) = try corpus.write(
            DocumentReader(paths: [path]), to: folder.file("out"))
        let stored = try TokenDataset(path: folder.file("out")).reader(of: .train)
            .tokens(in: 0..<index.train.tokens)
        #expect(stored.count { $0 == end } == 2 && index.train.documents == 2)
        #expect(counts.endTokenTexts == 2)
    }
}
