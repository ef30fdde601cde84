import FalconTestSupport
import Foundation
import Testing

/// Models that are damaged, lack something or come from elsewhere, with nothing but the program.
@Suite struct ForeignModelTests {
    let place: Workplace

    init() throws { place = try Workplace() }

    private func makeDamaged(_ name: String) throws {
        try place.success("export run --format hf --output \(name) --quiet")
        var bytes = try place.read("\(name)/model.safetensors")
        bytes.replaceSubrange(bytes.count - 4..<bytes.count, with: [0, 0, 0xC0, 0x7F])
        try bytes.write(to: place.url("\(name)/model.safetensors"))
    }

    @Test func aModelWithNaNIsRefusedByNameEverywhere() throws {
        try makeDamaged("bad")
        for command in [
            "eval bad --text corpus.jsonl", "eval bad --text corpus.jsonl --json",
            "generate bad --prompt state --top-p 0.5", "logits bad --ids 5",
            "export bad --format gguf --output out.gguf", "export bad --format hf --output out",
            "import bad --output out", "ckpt convert bad --to gguf --output out",
            "ckpt average bad run --output out", "ckpt verify bad",
        ] {
            try place.failure(
                command, status: 65, says: "bad/model.safetensors: element", "is nan")
        }
        let info = try place.success("ckpt info bad --tensors")
        #expect(info.errors.contains("1 weights are not finite"))
        let difference = try place.falcon("ckpt diff bad run")
        #expect(difference.status == 1 && difference.errors.contains("bad: "))
    }

    @Test func largeNumbersAreResults() throws {
        // The head times 1e20: finite weights, an infinite perplexity.
        try place.success("export run --format hf --output big --quiet")
        let path = "big/config.json"
        let config = String(decoding: try place.read(path), as: UTF8.self)
        #expect(config.contains("\"lm_head_multiplier\": 1"))
        try place.write(
            path,
            config.replacingOccurrences(
                of: "\"lm_head_multiplier\": 1", with: "\"lm_head_multiplier\": 1e10, \"x\": 1"))
        let printed = try place.success("eval big --text corpus.jsonl --quiet")
        #expect(printed.output.contains("perplexity inf"))
        let json = try place.success("eval big --text corpus.jsonl --quiet --json").json()
        let texts = try #require(json["texts"] as? [String: [String: Any]])
        let score = try #require(texts["corpus.jsonl"])
        #expect(score["perplexity"] as? String == "Infinity")
        #expect(try #require(score["loss"] as? Double) > 1e3)
        // Such a result is one to compare with.
        try place.write(
            "golden.json",
            try place.success("eval big --text corpus.jsonl --quiet --json").output)
        try place.success("eval big --text corpus.jsonl --against golden.json")
        let export = try place.falcon(
            "export big --format gguf --output big.gguf --text corpus.jsonl")
        #expect(export.status == 0 || export.status == 1 && !place.exists("big.gguf"))
        #expect(!export.endedBySignal)
    }

    @Test func sharesMustBeNumbersWithASum() throws {
        let older = "run/checkpoints/step-00000006"
        try place.success(
            "ckpt average run \(older) --weights 1e308,1e308 --output large --quiet")
        try place.success("ckpt average run \(older) --weights 1,1 --output equal --quiet")
        try place.success("ckpt diff large equal")
        for weights in ["1,x,2", "1,,2", "nan,1", "inf,1", "0,0", "-1,2", "1"] {
            try place.failure(
                "ckpt average run \(older) --weights=\(weights) --output out", status: 64,
                says: "want 2 positive finite numbers")
        }
    }

    @Test func aModelWithoutTokenizerTakesIDs() throws {
        try place.success("export run --format hf --output bare --quiet")
        for name in ["tokenizer.model", "tokenizer.json", "tokenizer_config.json"] {
            try FileManager.default.removeItem(atPath: place.path("bare/" + name))
        }
        let flags = ["--ids", "5 6 7", "--temperature", "0", "--max-tokens", "6", "--ignore-end"]
        let wanted = try place.falcon(["generate", "run"] + flags + ["--output-ids", "--quiet"])
        let got = try place.falcon(["generate", "bare"] + flags + ["--quiet"])
        #expect(got.status == 0 && got.output == wanted.output)
        let json = try place.falcon(["generate", "bare"] + flags + ["--json", "--quiet"]).json()
        #expect((json["ids"] as? [Int])?.count == 6 && json["text"] == nil)
        try place.success("logits bare --ids 5")
        for command in [
            "generate bare --prompt state", "eval bare --text corpus.jsonl",
            "eval bare --shards shards",
        ] {
            try place.failure(command, status: 66, says: "bare has no tokenizer", "tokenizer.model")
        }
    }

    @Test func idsWithoutATokenAreNeverWritten() throws {
        try place.write(
            "padded.yaml",
            Workplace.recipe.replacingOccurrences(of: "vocab_size: 300", with: "vocab_size: 3000"))
        try place.success("pretrain --recipe padded.yaml --run padded --set train.steps=1 --quiet")
        try place.success("export padded --format gguf --output padded.gguf --quiet")
        for model in ["padded", "padded.gguf"] {
            for seed in 0..<4 {
                let json = try place.success(
                    "generate \(model) --prompt state --temperature 5 --seed \(seed) --max-tokens 20 "
                        + "--ignore-end --json --quiet"
                ).json()
                let ids = try #require(json["ids"] as? [Int])
                #expect(ids.count == 20 && ids.allSatisfy { $0 < 300 })
            }
        }
    }

    @Test func anExportScoresTheShardsOfItsRun() throws {
        try place.success("export run --format gguf --output run.gguf --quiet")
        let flags = "--shards shards --sequence-length 24 --json --quiet"
        let mine = try place.success("eval run \(flags)").output
        try place.write("run.json", mine)
        try place.success("eval run.gguf \(flags) --against run.json")
        try place.success(
            "tokenize --tokenizer other.model --output others --validation-fraction 0.1 corpus.jsonl"
        )
        try place.failure(
            "eval run.gguf --shards others", status: 65, says: "written with tokenizer")
    }

    @Test func resultsOnOtherDataAreNotCompared() throws {
        try place.write("text.txt", "the state of the union and the people in war and peace")
        let flags = "--text text.txt --quiet"
        try place.write("one.json", try place.success("eval run \(flags) --json").output)
        try place.success("eval run \(flags) --against one.json")
        let shorter = try place.falcon("eval run \(flags) --sequence-length 4 --against one.json")
        #expect(shorter.status == 65 && shorter.errors.contains("pieces of a different length"))
        try place.write("text.txt", "the state of the union and the people in war and tax")
        let other = try place.falcon("eval run \(flags) --against one.json")
        #expect(other.status == 65 && other.errors.contains("text.txt: the text is different"))
        try place.success(
            "tokenize --tokenizer tok.model --output more --validation-fraction 0.3 corpus.jsonl")
        try place.write(
            "data.json", try place.success("eval run --shards shards --json --quiet").output)
        let data = try place.falcon("eval run --shards more --against data.json")
        #expect(data.status == 65 && data.errors.contains("validation: the text is different"))
    }

    @Test func dataIsFoundFromElsewhere() throws {
        try FileManager.default.createDirectory(
            atPath: place.path("else/where"), withIntermediateDirectories: true)
        func evaluate() throws -> Outcome {
            try Program.start(
                ["eval", place.path("run"), "--quiet"], in: place.path("else/where"), input: nil
            ).outcome()
        }
        let here = try place.success("eval run --quiet").output
        #expect(try evaluate().output == here)
        // Another set in the place of the data is not taken for it.
        try place.success(
            "tokenize --tokenizer tok.model --output else/where/shards --validation-fraction 0.3 "
                + "corpus.jsonl")
        #expect(try evaluate().output == here)
        try FileManager.default.removeItem(atPath: place.path("shards"))
        let other = try evaluate()
        #expect(other.status == 65 && other.errors.contains("not the data that the model was"))
        try FileManager.default.removeItem(atPath: place.path("else/where/shards"))
        let missing = try evaluate()
        #expect(missing.status == 66)
        for words in ["named in line", "recipe.resolved.yaml", "--shards", "falcon tokenize"] {
            #expect(missing.errors.contains(words), "\(missing.errors)")
        }
    }

    @Test func emptyTextsAreNamed() throws {
        try place.failure(
            "eval run --text /dev/null", status: 65, says: "/dev/null", "empty")
        try place.failure("eval run --text empty.txt", status: 65, says: "empty.txt", "empty")
    }

    @Test func everyCheckpointOfARunIsVerified() throws {
        let whole = try place.success("verify checkpoint run")
        #expect(whole.output.contains("step-00000008: whole; step 8"))
        try place.flipBit(in: "run/checkpoints/step-00000008/model.safetensors")
        let damaged = try place.falcon("verify checkpoint run")
        #expect(damaged.status == 65 && damaged.errors.contains("step-00000008"))
        #expect(damaged.output.contains("step-00000006: whole; step 6"))
        let model = try place.falcon("ckpt verify run --quiet")
        #expect(model.status == 65 && model.output.contains("damaged"))
        try FileManager.default.moveItem(
            atPath: place.path("run/checkpoints/step-00000006"), toPath: place.path("x.partial"))
        for command in ["verify checkpoint x.partial", "ckpt verify x.partial"] {
            try place.failure(command, status: 65, says: "x.partial is unfinished")
        }
    }

    @Test func helpIsOneTextWithoutGaps() throws {
        for command in ["eval", "generate", "logits", "export", "ckpt average"] {
            let help = try place.success("\(command) --help").output
            for line in help.split(separator: "\n") {
                let text = line.drop { $0 == " " }.split(separator: "  ").dropFirst()
                #expect(text.count <= 1, "\(line)")
            }
        }
    }
}
