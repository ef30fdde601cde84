import FalconTestSupport
import Foundation
import Testing

/// Text, tokenizers and shards that are not what they should be: exit status 65.
@Suite struct BadDataTests {
    let place: Workplace

    init() throws { place = try Workplace() }

    @Test func emptyInputIsNoText() throws {
        try place.failure(
            "tokenizer train --input empty.txt --vocab-size 300 --output x", status: 65,
            says: "empty.txt is empty")
        try place.failure(
            "tokenize --tokenizer tok.model --output x empty.txt", status: 65,
            says: "empty.txt is empty")
        try place.failure(
            "tokenize --tokenizer tok.model --output x -", status: 65,
            says: "standard input is empty")
        try place.failure("eval run --text empty.txt", status: 65, says: "empty.txt")
    }

    @Test func aLineThatIsNotUTF8IsNamed() throws {
        let bytes =
            Data("{\"text\": \"good\"}\n\n{\"text\": \"b".utf8) + [0xFF] + Data("\"}\n".utf8)
        try bytes.write(to: place.url("bad.jsonl"))
        for command in [
            "tokenize --tokenizer tok.model --output x",
            "tokenizer train --vocab-size 300 --output x.model --input",
        ] {
            try place.failure(
                command + " bad.jsonl", status: 65, says: "bad.jsonl, line 3", "not UTF-8",
                "0xff at offset 11", "--skip-bad-documents")
        }
        // Asked to, the program leaves the line out and counts it.
        let outcome = try place.success(
            "tokenize --tokenizer tok.model --output x bad.jsonl --skip-bad-documents --json")
        #expect(try outcome.json()["skipped_documents"] as? Int == 1)
        #expect(outcome.errors.contains("bad.jsonl, line 3"))
    }

    @Test(arguments: [
        ("{\"text\": \"a\"}\n{\"text\": 5}\n", "line 2", "field \"text\" is not a string"),
        ("{\"text\": \"a\"}\n{\"txt\": \"b\"}\n", "line 2", "(there is: txt)"),
        ("{\"text\": \"a\"}\n{\"text\": \"b\"\n", "line 2", "not a JSON object"),
        ("[1, 2]\n", "line 1", "not a JSON object"),
    ]) func aRecordThatIsNoDocumentIsNamed(_ text: String, _ line: String, _ reason: String) throws
    {
        try place.write("bad.jsonl", text)
        try place.failure(
            "tokenize --tokenizer tok.model --output x bad.jsonl", status: 65,
            says: "bad.jsonl, \(line)", reason)
    }

    @Test func damagedCompressionIsTold() throws {
        for (program, ending) in [("gzip", "gz"), ("zstd", "zst")] {
            _ = try Program.start(
                [program, "-q", "-k", "corpus.jsonl"], of: "/usr/bin/env", in: place.folder
            ).outcome()
            try place.truncate("corpus.jsonl.\(ending)", by: 40)
            try place.failure(
                "tokenize --tokenizer tok.model --output x corpus.jsonl.\(ending)", status: 65,
                says: "corpus.jsonl.\(ending): cannot decompress: cut short")
            try place.copy("corpus.jsonl", to: "plain.\(ending)")
            try place.failure(
                "tokenize --tokenizer tok.model --output x plain.\(ending)", status: 65,
                says: "plain.\(ending): cannot decompress", "not \(program) data")
        }
    }

    @Test func aTokenizerMustBeOne() throws {
        try place.failure(
            "tokenize --tokenizer corpus.jsonl --output x corpus.jsonl", status: 65,
            says: "corpus.jsonl is not a SentencePiece model", "falcon tokenizer train")
        try place.failure(
            "tokenizer train --input corpus.jsonl --vocab-size 5000 --output x", status: 65,
            says: "Vocabulary size too high (5000)")
    }

    @Test func holdingOutEverythingLeavesNothingToTrainOn() throws {
        try place.failure(
            "tokenize --tokenizer tok.model --output x --validation-fraction 1 corpus.jsonl",
            status: 65, says: "all 40 documents were held out", "--validation-fraction")
    }

    @Test func aShardThatIsCutShortIsRefused() throws {
        try place.truncate("shards/train-00000.tok.zst", by: 3)
        let words = ["shards/train-00000.tok.zst", "bytes long, want", "cut short"]
        for command in ["pretrain --recipe tiny.yaml", "verify data shards", "eval run"] {
            try place.failure(
                command.split(separator: " ").map(String.init), status: 65, says: words)
        }
    }

    @Test func aFlippedBitOfAShardIsFound() throws {
        try place.flipBit(in: "shards/train-00000.tok.zst")
        try place.failure(
            "verify data shards", status: 65, says: "shards/train-00000.tok.zst: bytes 0 to",
            "damaged")
        // Training finds it when it reads the frame; what it leaves is no model.
        try place.failure(
            "pretrain --recipe tiny.yaml --run r", status: 65,
            says: "shards/train-00000.tok.zst: bytes 0 to", "damaged",
            leaves: ["r/recipe.resolved.yaml", "r/metrics.jsonl"])
        try place.failure("eval r", status: 66, says: "r is not a model")
        try place.failure(
            "pretrain --recipe tiny.yaml --run r --resume", status: 65,
            says: "nothing was saved yet", "shards/train-00000.tok.zst: bytes 0 to")
    }

    @Test func aChangedIndexIsRefused() throws {
        let index = try String(decoding: place.read("shards/index.json"), as: UTF8.self)
        try place.write(
            "shards/index.json",
            index.replacingOccurrences(
                of: "\"tokens_per_frame\" : 8192", with: "\"tokens_per_frame\" : 4096"))
        try place.failure(
            "pretrain --recipe tiny.yaml", status: 65, says: "shards/index.json",
            "changed by hand")
        try place.write("shards/index.json", "{}")
        try place.failure(
            "pretrain --recipe tiny.yaml", status: 65, says: "not an index of token shards")
    }

    @Test func shardsOfAnotherTokenizerAreRefused() throws {
        try place.success(
            "tokenize --tokenizer other.model --output others --validation-fraction 0.1 corpus.jsonl"
        )
        try place.failure(
            "eval run --shards others", status: 65, says: "others",
            "written with tokenizer", "tokenize again")
        // The copy beside the shards was replaced.
        try FileManager.default.removeItem(atPath: place.path("shards/tokenizer.model"))
        try place.copy("other.model", to: "shards/tokenizer.model")
        try place.failure(
            "pretrain --recipe tiny.yaml", status: 65, says: "shards", "written with tokenizer")
    }

    @Test func tooFewTokensForASequenceAreTold() throws {
        try place.write("short.txt", "a state")
        try place.success(
            "tokenize --tokenizer tok.model --output few --validation-fraction 0 short.txt")
        try place.failure(
            "pretrain --recipe tiny.yaml --set data.path=few --run r", status: 65,
            says: "few: the train split has", "want at least 25")
    }

    @Test func badTaskFilesAreTold() throws {
        try FileManager.default.createDirectory(
            atPath: place.path("hellaswag"), withIntermediateDirectories: false)
        try place.write("hellaswag/validation.jsonl", "")
        let command = "eval run --tasks hellaswag --data ."
        try place.failure(command, status: 65, says: "validation.jsonl: holds no records")
        try place.write("hellaswag/validation.jsonl", "{\"ctx\": 1}\n")
        try place.failure(command, status: 65, says: "validation.jsonl:1: not a record")
        try place.write(
            "hellaswag/validation.jsonl",
            "{\"activity_label\":\"a\",\"ctx_a\":\"b\",\"ctx_b\":\"c\",\"endings\":[\"d\",\"e\"],"
                + "\"label\":\"2\"}\n")
        try place.failure(command, status: 65, says: "validation.jsonl:1", "label is \"2\"")
    }

    @Test func samplesAreNotWrittenOverWhatIsRead() throws {
        try FileManager.default.createDirectory(
            atPath: place.path("hellaswag"), withIntermediateDirectories: false)
        try place.write("hellaswag/validation.jsonl", "{}\n")
        for path in ["hellaswag/validation.jsonl", "./run/recipe.resolved.yaml"] {
            let before = try place.read(path)
            try place.failure(
                "eval run --tasks hellaswag --data . --samples \(path)", status: 73,
                says: "--samples wants a folder")
            #expect(try place.read(path) == before)
        }
    }

    @Test func anEarlierResultMustBeOne() throws {
        try place.failure(
            "eval run --tolerance 0.1", status: 64, says: "--tolerance needs --against")
        for option in ["--shots 3", "--limit 1", "--data .", "--samples out"] {
            try place.failure("eval run " + option, status: 64, says: "needs --tasks")
        }
        try place.failure(
            "eval run --tasks piqa --data . --limit -1", status: 64, says: "--limit is -1")
        try place.failure(
            "eval run --tasks piqa --data . --require piqa.accc>0", status: 64,
            says: "did you mean acc?")
        try place.failure(
            "eval run --against corpus.jsonl --tolerance validation.loss=1", status: 64,
            says: "did you mean loss?")
        try place.failure(
            "eval run --against corpus.jsonl", status: 65,
            says: "corpus.jsonl: not a result of falcon eval --json")
    }
}
