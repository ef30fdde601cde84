import FalconTestSupport
import Foundation
import Testing

/// Models of other shapes and in other files, with nothing but the program.
@Suite struct ModelFileTests {
    let place: Workplace

    init() throws { place = try Workplace() }

    private static let mamba = TinyRecipe.falconMamba.yaml(data: "shards")

    @Test(arguments: [TinyRecipe.falconMamba, .mamba2])
    func otherArchitecturesGoAllTheWay(recipe: TinyRecipe) throws {
        try place.write("mamba.yaml", recipe.yaml(data: "shards"))
        try place.success("pretrain --recipe mamba.yaml --run mamba --quiet")
        let text = "--text corpus.jsonl --sequence-length 24 --quiet"
        let score = try place.success("eval mamba \(text) --json").json()
        let greedy = "--prompt state --temperature 0 --max-tokens 12 --ignore-end --output-ids"
        let wanted = try place.success("generate mamba \(greedy)").output
        for (format, output) in [("hf", "mamba-hf"), ("gguf", "mamba.gguf")] {
            let export = try place.success(
                "export mamba --format \(format) --output \(output) --quiet --json"
            ).json()
            let check = try #require(export["check"] as? [String: Any])
            #expect(try #require(check["relative_difference"] as? Double) <= 1e-5)
            #expect(try place.success("generate \(output) \(greedy)").output == wanted)
            try place.success("ckpt verify \(output)")
            let again = try place.success("eval \(output) \(text) --json").json()
            let (a, b) = (try perplexity(score), try perplexity(again))
            #expect(abs(a - b) <= 1e-4 * a)
        }
        // Resuming ends where the run ended.
        let stopped = try place.falcon(
            "pretrain --recipe mamba.yaml --run short --until-tokens 300 --quiet")
        #expect(stopped.status == 75)
        try place.success("pretrain --recipe mamba.yaml --run short --resume --quiet")
        let manifest = "checkpoints/step-00000008/manifest.json"
        #expect(try place.read("short/\(manifest)") == place.read("mamba/\(manifest)"))
    }

    private func perplexity(_ json: [String: Any]) throws -> Double {
        let texts = try #require(json["texts"] as? [String: [String: Any]])
        return try #require(texts["corpus.jsonl"]?["perplexity"] as? Double)
    }

    @Test func keysOfAnotherArchitectureAreRefused() throws {
        try place.write(
            "mixed.yaml",
            Self.mamba.replacingOccurrences(of: "state_size: 5", with: "mamba_d_state: 5"))
        let outcome = try place.falcon("plan --recipe mixed.yaml")
        #expect(outcome.status == 78)
        #expect(outcome.errors.contains("mixed.yaml:") && outcome.errors.contains("mamba_d_state"))
        let scaled = try place.falcon("plan --recipe tiny.yaml --set parametrization.kind=mup")
        #expect(scaled.status == 0)
        try place.write("mamba.yaml", Self.mamba)
        let refused = try place.falcon("plan --recipe mamba.yaml --set parametrization.kind=mup")
        #expect(refused.status == 78 && refused.errors.contains("falcon-h1 only"))
    }

    @Test func everyTypeOfGGUFOpensAgain() throws {
        for type in ["f32", "f16", "bf16", "q8_0", "q4_0", "q4_k_m", "q6_k"] {
            let export = try place.success(
                "export run --format gguf --quantize \(type) --output \(type).gguf "
                    + "--text corpus.jsonl --quiet --json"
            ).json()
            #expect(try #require(export["perplexity"] as? Double) > 1)
            #expect((export["tensors"] as? [[String: Any]])?.isEmpty == false)
            try place.success("ckpt verify \(type).gguf --quiet")
        }
        let taken = try place.falcon("export run --format gguf --output f32.gguf")
        #expect(taken.status == 73 && taken.errors.contains("f32.gguf"))
        let wrong = try place.falcon("export run --format hf --quantize q8_0 --output x")
        #expect(wrong.status == 64 && wrong.errors.contains("--format gguf"))
        // A file that ends early is no model.
        let bytes = try place.read("f32.gguf")
        try bytes.dropLast(100).write(to: URL(fileURLWithPath: place.folder + "/cut.gguf"))
        let cut = try place.falcon("ckpt verify cut.gguf")
        #expect(cut.status == 65 && cut.errors.contains("cut.gguf"))
    }

    @Test func checkpointsAreLookedAtComparedAndAveraged() throws {
        let info = try place.success("ckpt info run --json").json()
        #expect(info["step"] as? Int == 8 && info["architecture"] as? String == "falcon-h1")
        let older = "run/checkpoints/step-00000006"
        let same = try place.success("ckpt diff run run/checkpoints/step-00000008")
        #expect(same.output == "the same configuration and the same weights\n")
        let different = try place.falcon("ckpt diff run \(older)")
        #expect(different.status == 1 && different.output.contains("model.embed_tokens.weight"))
        try place.success("ckpt average run \(older) --output mean --quiet")
        try place.success("ckpt average run \(older) --weights 3,1 --output three --quiet")
        let values = try ["run", older, "mean", "three"].map { model -> [Double] in
            let json = try place.success("logits \(model) --ids 5").json()
            return try #require((json["logits"] as? [[Double]])?.first)
        }
        #expect(values[2] != values[0] && values[2] != values[1] && values[3] != values[2])
        try place.success("ckpt verify mean")
        let norm = try ["run", older, "mean", "three"].map { model -> Double in
            let json = try place.success("ckpt info \(model) --tensors --json").json()
            let tensors = try #require(json["tensors"] as? [[String: Any]])
            let gain = tensors.first { $0["name"] as? String == "model.final_layernorm.weight" }
            return try #require(gain?["root_mean_square"] as? Double)
        }
        #expect(abs(norm[2] - (norm[0] + norm[1]) / 2) < 1e-4)
        #expect(abs(norm[3] - (3 * norm[0] + norm[1]) / 4) < 1e-4)
        let shape = try place.falcon("ckpt average run shards --output x")
        #expect(shape.status == 66)
        try place.success("ckpt convert run --to gguf --quantize bf16 --output run.gguf --quiet")
        try place.success("ckpt convert run.gguf --to hf --output run-hf --quiet")
        try place.success("ckpt convert run-hf --to checkpoint --output back --quiet")
        try place.success("ckpt diff run.gguf back")
    }

    @Test func aRunGoesOnFromAnImportedModel() throws {
        try place.success("export run --format hf --output hf --quiet")
        let card = String(decoding: try place.read("hf/README.md"), as: UTF8.self)
        for text in [
            "FalconH1ForCausalLM", "| optimizer steps | 8 |", "recipe, SHA-256", "data, SHA-256",
            "| validation loss, nats per token |",
            "(step 8, on at most 200 tokens of the validation split) |", "```yaml\nname: tiny",
        ] { #expect(card.contains(text), "\(text)") }
        try place.success("import hf --output imported --quiet")
        let model = try place.success("ckpt info imported --recipe").output
        #expect(model.hasPrefix("model:\n") && model.contains("\n  vocab_size: 300\n"))
        let head = Workplace.recipe.components(separatedBy: "model:")[0]
        try place.write("more.yaml", head + model)
        let start =
            "--set train.initial_model=imported --set optimizer.learning_rate=1e-30 --json --quiet"
        try place.success("pretrain --recipe more.yaml --run same \(start)")
        // With a rate of nothing the weights stay those of the model.
        try place.success("ckpt diff run same")
        try place.success(
            "pretrain --recipe more.yaml --set train.initial_model=hf --run on --quiet")
        #expect(try place.falcon("ckpt diff run on").status == 1)
        let other = try place.falcon(
            "pretrain --recipe more.yaml --set train.initial_model=hf --set model.key_multiplier=2 "
                + "--run bad")
        #expect(other.status == 78 && other.errors.contains("key_multiplier"))
        try place.success(
            "tokenize --tokenizer other.model --output others --validation-fraction 0.1 corpus.jsonl"
        )
        let tokenizer = try place.falcon(
            "pretrain --recipe more.yaml --set train.initial_model=hf --set data.path=others --run bad"
        )
        #expect(tokenizer.status == 65 && tokenizer.errors.contains("a different tokenizer"))
    }
}
