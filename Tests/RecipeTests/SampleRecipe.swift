import FalconRecipe
import FalconRecipeSection

/// A small recipe with one key of every kind that recipes have.
struct SampleRecipe: Decodable, Equatable {
    var name: String
    var seed: UInt64
    var data: Data
    var model: Model
    var optimizer: Optimizer
    var train: Train

    enum CodingKeys: String, CodingKey, CaseIterable {
        case name, seed, data, model, optimizer, train
    }

    struct Data: Decodable, Equatable {
        var path: String
        var sequenceLength: Int

        enum CodingKeys: String, CodingKey, CaseIterable {
            case path
            case sequenceLength = "sequence_length"
        }
    }

    struct Model: RecipeSection, Equatable {
        enum Mixers: String, Decodable, CaseIterable {
            case parallel, attention, ssm
        }

        var hiddenSize: Int
        var heads: Int
        var headSize: Int
        var ropeTheta: Double
        var isTied: Bool
        var multipliers: [Double]
        var mixers: Mixers

        enum CodingKeys: String, CodingKey, CaseIterable {
            case hiddenSize = "hidden_size"
            case heads = "num_heads"
            case headSize = "head_dim"
            case ropeTheta = "rope_theta"
            case isTied = "tie_word_embeddings"
            case multipliers
            case mixers
        }

        func problems() -> [RecipeProblem] {
            var problems: [RecipeProblem] = []
            if hiddenSize < 1 {
                problems.append(
                    RecipeProblem(key: "hidden_size", "got \(hiddenSize), wanted 1 or more"))
            }
            if heads * headSize != hiddenSize {
                problems.append(RecipeProblem("num_heads times head_dim is not hidden_size"))
            }
            return problems
        }
    }

    struct Optimizer: Decodable, Equatable {
        enum Role: String, Decodable, CaseIterable {
            case embedding, vector
            case stateSpace = "state_space"
        }

        struct Group: Decodable, Equatable {
            var roles: [Role]
            var names: String?
            var learningRateScale: Double
            var weightDecay: Double?

            enum CodingKeys: String, CodingKey, CaseIterable {
                case roles, names
                case learningRateScale = "learning_rate_scale"
                case weightDecay = "weight_decay"
            }
        }

        var learningRate: Double
        var betas: [Double]
        var groups: [Group]

        enum CodingKeys: String, CodingKey, CaseIterable {
            case betas, groups
            case learningRate = "learning_rate"
        }
    }

    struct Train: RecipeSection, Equatable {
        var tokens: Int?
        var steps: Int?
        var batchTokens: Int
        var clipNorm: Double?

        enum CodingKeys: String, CodingKey, CaseIterable {
            case tokens, steps
            case batchTokens = "batch_tokens"
            case clipNorm = "clip_norm"
        }

        func problems() -> [RecipeProblem] {
            (tokens == nil) == (steps == nil)
                ? [RecipeProblem("wanted exactly one of tokens and steps")] : []
        }
    }
}

/// A library of the shape of the shipped one.
let sampleLibrary = RecipeLibrary([
    "defaults.yaml": """
    name: null
    seed: 0
    data: {path: shards, sequence_length: 2048}
    model:
      hidden_size: null
      num_heads: null
      head_dim: null
      rope_theta: 1.0e11
      tie_word_embeddings: false
      multipliers: [1.0, 1.0]
      mixers: parallel
    optimizer:
      learning_rate: 1.0e-3
      betas: [0.9, 0.95]
      groups:
        - roles: [embedding]
          learning_rate_scale: 1.0
        - roles: [vector, state_space]
          learning_rate_scale: 1.0
          weight_decay: 0.0
    train: {tokens: null, steps: null, batch_tokens: null, clip_norm: 1.0}

    """,
    "demo.yaml": """
    # A comment.
    name: demo
    model: {hidden_size: 256, num_heads: 4, head_dim: 64}
    train: {tokens: 1.0e6, batch_tokens: 4096}

    """,
    "h1-0.5b.yaml": "extends: demo\nname: h1-0.5b\n",
])
