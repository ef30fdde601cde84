import FalconTestSupport
import Foundation
import Testing

/// Byte-level tokenizers from training to exported models, and reports about tokenizers.
@Suite struct ByteLevelTests {
    let place: Workplace
    private let train = "tokenizer train --model-type byte-level --vocab-size 300"

    init() throws { place = try Workplace() }

    @Test func aTrainedTokenizerServesTheWholePipeline() throws {
        try place.success("\(train) --input corpus.jsonl --output bytes")
        try place.success(
            "tokenize --tokenizer bytes --output sets --validation-fraction 0.1 corpus.jsonl")
        try place.success("pretrain --recipe tiny.yaml --set data.path=sets --run bytes-run")
        let result = try place.success("eval bytes-run --json").json()
        #expect(result["checkpoint"] != nil || result["model"] != nil || result["texts"] != nil)
        try place.success("export bytes-run --format hf --output hf")
        #expect(try place.read("hf/tokenizer.json") == place.read("bytes/tokenizer.json"))
        try place.success("export bytes-run --format gguf --output bytes.gguf")
        // The vocabulary comes back out of the GGUF file.
        for line in ["\"the state of the union\"\n", "\"<|endoftext|> \\u00e9\\n\\n  x\"\n"] {
            let text = Data(line.utf8)
            let wanted = try place.success("tokenizer encode --tokenizer bytes", input: text)
            let again = try place.success("tokenizer encode --tokenizer hf", input: text)
            #expect(wanted.output == again.output && wanted.output.hasPrefix("["))
        }
        let scored = try place.success("eval bytes.gguf --text corpus.jsonl --json")
        #expect(scored.status == 0)
    }

    @Test func theFilesAreTheSameForAnyThreadsAndInput() throws {
        try place.success("\(train) --input corpus.jsonl --output one --threads 1")
        try place.success("\(train) --input corpus.jsonl --output three --threads 3")
        let corpus = try place.read("corpus.jsonl")
        try place.success("\(train) --input - --output stdin", input: corpus)
        let packed = try Program.start(
            ["zstd", "-q", "-k", "corpus.jsonl"], of: "/usr/bin/env", in: place.folder
        ).outcome()
        try #require(packed.status == 0, "\(packed.errors)")
        // A folder's name may end with a slash.
        try place.success("\(train) --input corpus.jsonl.zst --output deep/packed/")
        for name in ["tokenizer.json", "tokenizer_config.json"] {
            let wanted = try place.read("one/" + name)
            for folder in ["three", "stdin", "deep/packed"] {
                #expect(try place.read("\(folder)/\(name)") == wanted)
            }
        }
    }

    @Test func wordsBeyondTheRoomAreForgottenAndCounted() throws {
        let words = (0..<40_000).map { "rare\($0 * 7919)" }.joined(separator: "\n")
        try place.write("words.txt", String(repeating: "common words ", count: 100) + words)
        let few = "tokenizer train --model-type byte-level --vocab-size 265 --words gpt-2"
        let outcome = try place.success(
            "\(few) --input words.txt --output few --word-memory-mib 1")
        #expect(outcome.errors.contains("rare words to bound memory"))
        let all = try place.success("\(few) --input words.txt --output all")
        #expect(!all.errors.contains("to bound memory"))
    }

    @Test func specialTokensAreReserved() throws {
        try place.success(
            "\(train) --input corpus.jsonl --special-token <|im_start|> <|im_end|> --output chat")
        let outcome = try place.success(
            "tokenizer encode --tokenizer chat", input: Data("\"<|im_end|><|im_start|>\"".utf8))
        #expect(outcome.output == "[2,1]\n")
    }

    @Test func whatCannotBeIsRefused() throws {
        try place.success("\(train) --input corpus.jsonl --output there")
        let before = try place.read("there/tokenizer.json")
        try place.failure(
            "\(train) --input corpus.jsonl --output there", status: 73, says: "--overwrite")
        try place.success(
            "\(train) --words gpt-2 --input corpus.jsonl --output there --overwrite")
        #expect(try place.read("there/tokenizer.json") != before)
        // A folder with other things in it is not replaced.
        try place.failure(
            "\(train) --input corpus.jsonl --output shards --overwrite", status: 73,
            says: "shards/", "choose another --output")
        for (options, words) in [
            ("--model-type byte-level --character-coverage 1", "--character-coverage does not go"),
            ("--model-type byte-level --sentence-limit 5", "--sentence-limit does not go"),
            ("--words gpt-2", "--words does not go with --model-type bpe"),
            ("--model-type unigram --min-frequency 2", "--min-frequency does not go"),
            ("--special-token <a>", "--special-token does not go"),
            ("--model-type byte-level --word-memory-mib 0", "--word-memory-mib is 0"),
            ("--model-type byte-level --min-frequency 0", "--min-frequency is 0"),
            ("--model-type byte-level --vocab-size 100", "--vocab-size is 100, want 258"),
        ] {
            let size = options.contains("--vocab-size") ? "" : " --vocab-size 300"
            try place.failure(
                "tokenizer train --input corpus.jsonl --output x\(size) \(options)", status: 64,
                says: words)
        }
        try place.failure(
            "tokenizer train --model-type byte-level --vocab-size 5000 --input corpus.jsonl --output x",
            status: 65, says: "the text gives", "wanted 5000", "--vocab-size")
    }

    @Test func aReportCountsWhatTheShardsHold() throws {
        let report = try place.success("tokenizer report tok.model corpus.jsonl --json").json()
        let info = try place.success("data info shards --json").json()
        let splits = ["train", "validation"].compactMap { info[$0] as? [String: Any] }
        func sum(_ key: String) -> Int { splits.compactMap { $0[key] as? Int }.reduce(0, +) }
        let total = try #require(report["total"] as? [String: Any])
        #expect(total["documents"] as? Int == sum("documents"))
        #expect(total["text_bytes"] as? Int == sum("text_bytes"))
        // Shards end every document with a token.
        #expect(total["tokens"] as? Int == sum("tokens") - sum("documents"))
        #expect(total["altered_documents"] as? Int == 0 && total["byte_tokens"] as? Int == 0)
        let text = try place.success("tokenizer report tok.model corpus.jsonl tiny.yaml").output
        #expect(text.contains("corpus.jsonl") && text.contains("tiny.yaml"))
        #expect(text.contains("vocabulary: ") && text.contains("never used"))
        try place.failure(
            "tokenizer report tok.model corpus.jsonl gone", status: 66, says: "gone")
        try place.failure("tokenizer report tok.model", status: 64, says: "input")
    }
}
