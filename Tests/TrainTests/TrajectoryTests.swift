import FalconCheckpoint
import FalconData
import FalconInterchange
import FalconModel
import FalconOptim
import FalconRecipe
import FalconTensor
import FalconTestSupport
import FalconTrain
import Testing

/// Twenty AdamW steps against transformers and torch.optim.AdamW (Fixtures/adamw/README.md).
@Suite struct TrajectoryTests {
    static let folder = testsFolder + "/TrainTests/Fixtures/adamw"

    @Test func twentyStepsFollowPyTorch() throws {
        let trainer = try Trainer(try Self.recipe(), on: Device(threadCount: 2))
        let initial = try SafetensorsReader(path: Self.folder + "/initial.safetensors")
        let table = trainer.model.table
        for parameter in table.parameters {
            try parameter.value.upload { elements, values in
                try initial.readFloats(parameter.name, elements: elements, into: &values)
            }
        }
        let reference = try SafetensorsReader(path: Self.folder + "/reference.safetensors")
        let ids = try reference.integers("batches").map(Int32.init)
        let losses = try reference.doubles("losses")
        let norms = try reference.doubles("gradient_norms")
        let rates = try reference.doubles("learning_rates")
        var worstLoss = 0.0
        for step in 0..<20 {
            let sequences = (0..<2).map { row in
                Array(ids[(2 * step + row) * 19..<(2 * step + row + 1) * 19])
            }
            let result = try trainer.step([
                Batch(sequences: sequences, endOfDocumentID: -1)
            ])
            worstLoss = max(worstLoss, abs(result.loss - losses[step]) / losses[step])
            #expect(abs(result.loss - losses[step]) <= 1e-5 * losses[step])
            #expect(abs(result.gradientNorm - norms[step]) <= 1e-5 * norms[step])
            #expect(abs(result.learningRate - rates[step]) <= 1e-12)
            #expect(result.isApplied && result.scoredTokens == 36)
        }
        var worstWeights = 0.0
        for parameter in table.parameters {
            let wanted = try reference.floats("final.\(parameter.name)")
            let error = relativeNorm(parameter.value.toArray(), wanted)
            worstWeights = max(worstWeights, error)
            #expect(error <= 1e-5, "\(parameter.name)")
        }
        print("largest relative loss difference \(worstLoss), of final weights \(worstWeights)")
    }

    /// The fixture's settings as a recipe: tokens of a step are 2 · 18.
    static func recipe() throws -> TrainingRecipe {
        let model = try HuggingFaceConfiguration(folder: folder).model
        let yaml = """
            name: adamw-trajectory
            data: {sequence_length: 18}
            optimizer: {learning_rate: 1.0e-3, weight_decay: 0.1, betas: [0.9, 0.95], epsilon: 1.0e-8}
            schedule: {warmup_tokens: 180, decay_tokens: 0}
            train: {steps: 20, batch_tokens: 36, micro_batch_sequences: 2, clip_norm: 1.0}
            model:
              vocab_size: 61
              hidden_size: 24
              num_hidden_layers: 2
              intermediate_size: 40
              num_attention_heads: 4
              num_key_value_heads: 2
              head_dim: 8
              mamba_d_ssm: 32
              mamba_n_heads: 8
              mamba_d_head: 4
              mamba_d_state: 6
              max_position_embeddings: 64
            """
        var recipe = try RecipeDocument(yaml: yaml, name: "trajectory.yaml").decode(
            TrainingRecipe.self)
        recipe.model = model
        return recipe
    }
}
