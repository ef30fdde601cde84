import FalconSystem
import FalconTestSupport
import Testing

@testable import FalconData

/// Long texts and words, whose tokens must be those of the whole.
@Suite struct LongTextTests {
    private static let letters = "abcdefghijklmnopqrstuvwxyz0123456789".map(String.init)

    /// Texts without a space, some longer than three parts.
    private static func unbroken() -> [String] {
        var random = LinearGenerator(seed: 7)
        let words = [
            "the", "people", "Größe", "日本", "語", "😀", "\n", "\t", "7", "-", "▁", "<s>", "e\u{301}",
        ]
        return [
            String(repeating: "a", count: 120_001), String(repeating: "ab", count: 50_000),
            String(repeating: "-", count: 70_000), String(repeating: "\n", count: 70_000),
            (0..<110_000).map { _ in letters[random.below(letters.count)] }.joined(),
            (0..<40_000).map { _ in words[random.below(words.count)] }.joined(),
            String(repeating: "é😀", count: 20_000), String(repeating: "\u{1F9FF}", count: 20_000),
            "x" + String(repeating: " ", count: 70_000) + "y",
        ]
    }

    @Test func wordsOfAnyLengthGiveTheLibrarysTokens() throws {
        let folder = try TemporaryFolder()
        let text = String(repeating: "the people of Größe, aaaa abab ---- 日本語\n\n", count: 40)
        let path = try folder.write("a.txt", text)
        let trained = try TokenizerTrainer(vocabularyCount: 330)
            .train(on: DocumentReader(paths: [path]))
        let tokenizers = [
            try SentencePieceTokenizer(modelBytes: trained.modelBytes),
            try SentencePieceTokenizer(path: fixture(mistralModel)),
        ]
        for tokenizer in tokenizers {
            let encoder = WordCachingEncoder(tokenizer)
            #expect(encoder.isCutBeforeSpaces)
            for text in Self.unbroken() + oddTexts {
                let wanted = try tokenizer.encode(text)
                #expect(try encoder.encode(text) == wanted)
            }
        }
    }

    @Test(arguments: ["gpt2", "llama3", "falcon", "fused"])
    func wordsOfAnyLengthGiveTheTokensOfTheirMerges(name: String) throws {
        let tokenizer = try #require(
            openTokenizer(path: fixture("byte-pair/\(name).tokenizer.json")) as? BytePairTokenizer)
        let mapped = PreTokenizer(steps: tokenizer.preTokenizer.mapsBytes ? [.bytes] : [])
        for text in Self.unbroken() {
            let scalars = mapped.words(of: text.unicodeScalars.map(\.value)).scalars
            var merger = BytePairMerger()
            var (wanted, got): ([Int32], [Int32]) = ([], [])
            tokenizer.model.encode(
                scalars, 0, scalars.count, &merger, isPart: true, into: &wanted)
            LongWord(scalars, tokenizer.pieces, tokenizer.model)
                .encode(0, scalars.count, &merger, into: &got)
            #expect(got == wanted, "\(name): \(text.prefix(20))")
        }
    }

    @Test(arguments: [
        ("gpt2", true), ("llama3", true), ("falcon", true), ("qwen2", true), ("prefixed", false),
        ("pieces", false),
    ]) func partsOfATextGiveTheTokensOfTheWhole(name: String, isCut: Bool) throws {
        let tokenizer = try #require(
            openTokenizer(path: fixture("byte-pair/\(name).tokenizer.json")) as? BytePairTokenizer)
        var text = ""
        for number in 0..<300 {
            text +=
                oddTexts[number % oddTexts.count]
                + ["x ", "don't  ", "<|end|> a", ".\n b"][number % 4]
        }
        let wanted = try tokenizer.encode(text)
        let encoder = tokenizer.makeEncoder()
        #expect(tokenizer.isCutBeforeSpaces == isCut)
        var tokens: [Int32] = []
        var isContinued = false
        var parts = 0
        for part in TextCut(text, isCutBeforeSpaces: isCut, partBytes: 40) {
            let scalars = String.UnicodeScalarView(part.compactMap(Unicode.Scalar.init))
            tokens += try encoder.encode(String(scalars), isContinued: isContinued)
            isContinued = true
            parts += 1
        }
        #expect(isCut ? parts > 50 : parts == 1)
        #expect(tokens == wanted)
    }

    @Test func usualTokenizersMayBeCut() throws {
        for name in ["gpt2", "llama3", "falcon", "qwen2", "smollm"] {
            let tokenizer = try openTokenizer(path: fixture("byte-pair/\(name).tokenizer.json"))
            #expect((tokenizer as? BytePairTokenizer)?.isCutBeforeSpaces == true, "\(name)")
        }
    }

    @Test func aTextFileGivesTheTokensOfItsShards() throws {
        let folder = try TemporaryFolder()
        let tokenizer = try SentencePieceTokenizer(path: fixture(mistralModel))
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
            InputFile.contents(of: fixture("byte-pair/gpt2.tokenizer.json")))
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
