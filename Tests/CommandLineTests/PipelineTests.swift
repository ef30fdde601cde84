import FalconTestSupport
import Foundation
import Testing

/// From text to an exported model with nothing but the program.
@Suite struct PipelineTests {
    let place: Workplace

    init() throws { place = try Workplace() }

    @Test func textFilesStandardInputAndCompressedFilesGiveTheSameShards() throws {
        let flags = "--tokenizer tok.model --validation-fraction 0.1 --quiet"
        let corpus = try place.read("corpus.jsonl")
        for (program, ending) in [("gzip", "gz"), ("zstd", "zst")] {
            let packed = try Program.start(
                [program, "-q", "-k", "corpus.jsonl"], of: "/usr/bin/env", in: place.folder
            ).outcome()
            try #require(packed.status == 0, "\(packed.errors)")
            try place.success("tokenize \(flags) --output \(ending) corpus.jsonl.\(ending)")
        }
        try place.success("tokenize \(flags) --output stdin -", input: corpus)
        try place.success("tokenize \(flags) --output nothing-named", input: corpus)
        let wanted = try place.read("shards/index.json")
        for folder in ["gz", "zst", "stdin", "nothing-named"] {
            #expect(try place.read("\(folder)/index.json") == wanted)
            #expect(
                try place.read("\(folder)/train-00000.tok.zst")
                    == place.read("shards/train-00000.tok.zst"))
        }
    }

    @Test func threadsChangeNoByteOfShardsAndCheckpoints() throws {
        for threads in [1, 3] {
            try place.success(
                "tokenize --tokenizer tok.model --validation-fraction 0.1 --threads \(threads) "
                    + "--output shards\(threads) corpus.jsonl")
            #expect(
                try place.read("shards\(threads)/index.json") == place.read("shards/index.json"))
            try place.success(
                "pretrain --recipe tiny.yaml --run run\(threads) --threads \(threads)")
            let manifest = "checkpoints/step-00000008/manifest.json"
            #expect(try place.read("run\(threads)/\(manifest)") == place.read("run/\(manifest)"))
        }
    }

    @Test func resultsGoToStandardOutputAndTalkToStandardError() throws {
        let run = try place.success("pretrain --recipe tiny.yaml --run talk --json")
        #expect(try run.json()["checkpoint"] as? String == "talk/checkpoints/step-00000008")
        #expect(try run.json()["finished"] as? Bool == true)
        #expect(run.errors.contains("step 8/8") && run.errors.contains("saved "))
        for arguments in [
            "tokenizer train --input corpus.jsonl --vocab-size 285 --output q.model",
            "tokenize --tokenizer tok.model --output q corpus.jsonl",
            "pretrain --recipe tiny.yaml --run quiet", "plan --recipe tiny.yaml", "eval run",
            "generate run --prompt state --max-tokens 4",
            "export run --format hf --output quiet-hf",
        ] {
            let outcome = try place.success(arguments + " --quiet --json")
            #expect(outcome.errors == "", "\(arguments)")
            #expect(try outcome.json()["version"] as? Int == 1, "\(arguments)")
            #expect(outcome.output.split(separator: "\n").count == 1, "\(arguments)")
        }
    }

    @Test func greedyGenerationIsTheSameByTextIdsAndStandardInput() throws {
        let flags = "--temperature 0 --max-tokens 12 --ignore-end"
        let json = try place.success("generate run --prompt state \(flags) --json").json()
        let ids = try #require(json["ids"] as? [Int])
        let text = try #require(json["text"] as? String)
        #expect(ids.count == 12 && !text.isEmpty)
        #expect(try place.success("generate run --prompt state \(flags)").output == text + "\n")
        let piped = try place.success(
            "generate run --prompt - \(flags)", input: Data("state".utf8))
        #expect(piped.output == text + "\n")
        let listed = ids.map { "\($0)" }.joined(separator: " ")
        let printed = try place.success("generate run --prompt state \(flags) --output-ids")
        #expect(printed.output == listed + "\n")
        // The prompt as ids goes on as the text does.
        let encoded = try place.success(
            "tokenizer encode --tokenizer tok.model", input: Data("\"state\"\n".utf8))
        let prompt = encoded.output.trimmingCharacters(in: ["[", "]", "\n"])
        #expect(
            try place.success("generate run --ids \(prompt) \(flags) --output-ids").output
                == listed + "\n")
    }

    @Test func seedsDecideRandomChoices() throws {
        func ids(seed: Int) throws -> String {
            try place.success(
                "generate run --prompt state --temperature 2 --seed \(seed) --max-tokens 20 "
                    + "--ignore-end --output-ids"
            ).output
        }
        #expect(try ids(seed: 1) == ids(seed: 1))
        #expect(try ids(seed: 1) != ids(seed: 2))
    }

    @Test func anExportScoresAsTheRunDoes() throws {
        try place.success("export run --format hf --output hf")
        let flags = "--shards shards --sequence-length 24 --json"
        let mine = try place.success("eval run \(flags)").json()["texts"] as? NSDictionary
        let exported = try place.success("eval hf \(flags)").json()["texts"] as? NSDictionary
        #expect(mine != nil && mine == exported)
        // Without flags the data, and the length, are those of the training.
        let usual = try place.success("eval run --json").json()["texts"] as? NSDictionary
        #expect(usual == mine)
        try place.success("import hf --output imported")
        let imported = try place.success("eval imported \(flags)").json()["texts"] as? NSDictionary
        #expect(imported == mine)
    }

    @Test func aResultIsComparedWithAnEarlierOne() throws {
        let result = try place.success("eval run --json").output
        try place.write("golden.json", result)
        try place.success("eval run --against golden.json")
        try place.write(
            "golden.json", result.replacingOccurrences(of: "\"loss\":", with: "\"loss\":1"))
        let differing = try place.falcon("eval run --against golden.json")
        #expect(differing.status == 1 && differing.errors.contains("validation loss: got"))
    }

    @Test func pipesWork() throws {
        // A pipe has no size and no place to return to.
        let outcome = try Program.start(
            [
                "-c",
                "cat corpus.jsonl | \"$0\" tokenize --tokenizer tok.model --output piped "
                    + "--validation-fraction 0.1 --json - | cat", Program.path,
            ], of: "/bin/sh", in: place.folder
        ).outcome()
        #expect(try outcome.json()["documents"] as? Int == 40)
        #expect(try place.read("piped/index.json") == place.read("shards/index.json"))
    }
}
