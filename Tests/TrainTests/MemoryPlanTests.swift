import FalconModel
import FalconOptim
import FalconRecipe
import FalconSystem
import FalconTensor
import Testing

@testable import FalconTrain

/// A plan against the arena of a device that really takes the memory and computes.
@Suite struct MemoryPlanTests {
    private func recipe(_ settings: [String] = []) throws -> TrainingRecipe {
        let yaml = """
            name: plan
            data: {path: none, sequence_length: 100}
            schedule: {warmup_tokens: 192, decay_tokens: 192}
            train: {steps: 8, batch_tokens: 3000, micro_batch_sequences: 3}
            evaluation: {every_steps: 4, tokens: 200}
            model:
              vocab_size: 300
              hidden_size: 32
              num_hidden_layers: 5
              intermediate_size: 48
              num_attention_heads: 4
              num_key_value_heads: 2
              head_dim: 10
              mamba_d_ssm: 48
              mamba_n_heads: 6
              mamba_d_head: 8
              mamba_d_state: 5
              mamba_chunk_size: 32
              max_position_embeddings: 256
              tie_word_embeddings: true
            """
        return try RecipeDocument(yaml: yaml, name: "plan.yaml", settings: settings)
            .decode(TrainingRecipe.self)
    }

    @Test(
        arguments: [
            [], ["train.recompute=cheap"], ["train.recompute=block"],
            [
                "train.recompute=cheap", "model.mamba_rms_norm=true",
                "train.micro_batch_sequences=1",
            ],
            ["data.sequence_length=250", "train.micro_batch_sequences=2", "train.precision=bf16"],
            ["model.mixers=attention", "evaluation.every_steps=null"],
            ["model.mixers=ssm", "train.recompute=cheap"], ["model.tie_word_embeddings=false"],
            ["parametrization.kind=learnable"], ["train.leaves=4"],
            ["train.leaves=10", "parametrization.kind=learnable"],
        ], [1, 2]) func planAndRealityAgreeToTheByte(
            _ settings: [String], threadCount: Int
        ) throws
    {
        let recipe = try recipe(settings)
        let precision = recipe.train.precision
        let dry = Device.rehearsal(threadCount: threadCount, precision: precision)
        try MemoryPlan.rehearse(recipe, on: dry)
        let real = Device(threadCount: threadCount, precision: precision)
        let table = try MemoryPlan.rehearse(recipe, on: real).model.table
        #expect(dry.peakByteCount == real.peakByteCount)
        #expect(dry.peakScratchByteCount == real.peakScratchByteCount)
        #expect(dry.reservedByteCount == real.reservedByteCount)
        let plan = try MemoryPlan(recipe, threadCount: threadCount)
        // Weights, gradients and two moments, another buffer of gradients; a copy of matrices with multipliers.
        let buffers = 4 + (recipe.train.leaves > 1 ? 1 : 0)
        let copies = table.parameters.indices.filter(table.isMultiplied)
            .reduce(0) { $0 + table.room(of: $1).count }
        #expect(plan.stateBytes == 4 * (buffers * table.flatCount + copies))
        #expect((copies > 0) == !table.multipliedMatrices.isEmpty)
        #expect(plan.activationBytes > 0)
        #expect(plan.totalBytes > real.reservedByteCount)
    }

    /// What is reserved is what is alive at the peak, but for small gaps.
    @Test(arguments: Recompute.allCases) func littleIsReservedInVain(_ value: Recompute) throws {
        let device = Device.rehearsal(threadCount: 2, precision: .f32)
        try MemoryPlan.rehearse(try recipe(["train.recompute=\(value.rawValue)"]), on: device)
        #expect(Double(device.reservedByteCount) <= 1.15 * Double(device.peakByteCount))
    }

    @Test func moreRecomputationNeedsLess() throws {
        let totals = try Recompute.allCases.map { value in
            try MemoryPlan(recipe(["train.recompute=\(value.rawValue)"]), threadCount: 2).totalBytes
        }
        #expect(totals[0] > totals[1] && totals[1] > totals[2])
    }

    @Test func whatDoesNotFitIsRefusedWithWhatWouldHelp() throws {
        let recipe = try recipe()
        let needed = try MemoryPlan(recipe, threadCount: 2).totalBytes
        try MemoryPlan.requireFit(recipe, threadCount: 2, available: needed)
        try MemoryPlan.requireFit(recipe, threadCount: 2, available: 0)
        let error = try #require(throws: TrainError.self) {
            try MemoryPlan.requireFit(recipe, threadCount: 2, available: needed - 1)
        }
        #expect(error.exitStatus == .badRecipe)
        for text in [
            "--set train.recompute=cheap: ", "--set train.recompute=block: ",
            "--set train.micro_batch_sequences=1: ", "--set data.sequence_length=50: ",
            "--set train.micro_batch_sequences=1 --set train.recompute=block: ", ", fits",
        ] { #expect(error.description.contains(text)) }
        for remedy in try MemoryRemedy.all(for: recipe, threadCount: 2) {
            #expect(remedy.bytes < needed)
            let settings = try self.recipe(remedy.settings)
            #expect(try MemoryPlan(settings, threadCount: 2).totalBytes == remedy.bytes)
        }
    }

    @Test func nothingIsOfferedThatTheRecipeHas() throws {
        let recipe = try recipe([
            "train.recompute=block", "train.micro_batch_sequences=1", "data.sequence_length=75",
        ])
        #expect(try MemoryRemedy.all(for: recipe, threadCount: 1).isEmpty)
        let error = try #require(throws: TrainError.self) {
            try MemoryPlan.requireFit(recipe, threadCount: 1, available: 1)
        }
        #expect(error.description.contains("choose a smaller model"))
    }
}
