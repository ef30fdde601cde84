import FalconRecipe
import FalconSystem

/// A recipe of the shape of the program's own, so that the decoder is tested without it.
struct SampleRecipe: Decodable, Equatable {
    var name: String
    var seed: UInt64
    var data: Data
    var model: Model
    var optimizer: Optimizer
    var schedule: Schedule
    var train: Train
    var checkpoint: Checkpoint
    var evaluation: Evaluation

    enum CodingKeys: String, CodingKey, CaseIterable {
        case name, seed, data, model, optimizer, schedule, train, checkpoint, evaluation
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
        enum Architecture: String, Decodable, CaseIterable {
            case falconH1 = "falcon-h1"
        }

        enum Initialization: String, Decodable, CaseIterable {
            case mamba2, transformers
        }

        enum Mixers: String, Decodable, CaseIterable {
            case parallel, attention, ssm
        }

        var architecture: Architecture
        var vocabularySize: Int
        var hiddenSize: Int
        var layers: Int
        var intermediateSize: Int
        var attentionHeads: Int
        var keyValueHeads: Int
        var headSize: Int
        var innerSize: Int
        var mambaHeads: Int
        var mambaHeadSize: Int
        var groups: Int
        var stateSize: Int
        var convolutionWidth: Int
        var chunkTokens: Int
        var hasGatedNorm: Bool
        var normEpsilon: Double
        var ropeTheta: Double
        var maxPositions: Int
        var isTied: Bool
        var embeddingMultiplier: Double
        var headMultiplier: Double
        var attentionInMultiplier: Double
        var attentionOutMultiplier: Double
        var keyMultiplier: Double
        var ssmInMultiplier: Double
        var ssmOutMultiplier: Double
        var ssmMultipliers: [Double]
        var mlpMultipliers: [Double]
        var initialization: Initialization
        var initializerRange: Double
        var mixers: Mixers

        enum CodingKeys: String, CodingKey, CaseIterable {
            case architecture
            case vocabularySize = "vocab_size"
            case hiddenSize = "hidden_size"
            case layers = "num_hidden_layers"
            case intermediateSize = "intermediate_size"
            case attentionHeads = "num_attention_heads"
            case keyValueHeads = "num_key_value_heads"
            case headSize = "head_dim"
            case innerSize = "mamba_d_ssm"
            case mambaHeads = "mamba_n_heads"
            case mambaHeadSize = "mamba_d_head"
            case groups = "mamba_n_groups"
            case stateSize = "mamba_d_state"
            case convolutionWidth = "mamba_d_conv"
            case chunkTokens = "mamba_chunk_size"
            case hasGatedNorm = "mamba_rms_norm"
            case normEpsilon = "rms_norm_eps"
            case ropeTheta = "rope_theta"
            case maxPositions = "max_position_embeddings"
            case isTied = "tie_word_embeddings"
            case embeddingMultiplier = "embedding_multiplier"
            case headMultiplier = "lm_head_multiplier"
            case attentionInMultiplier = "attention_in_multiplier"
            case attentionOutMultiplier = "attention_out_multiplier"
            case keyMultiplier = "key_multiplier"
            case ssmInMultiplier = "ssm_in_multiplier"
            case ssmOutMultiplier = "ssm_out_multiplier"
            case ssmMultipliers = "ssm_multipliers"
            case mlpMultipliers = "mlp_multipliers"
            case initialization
            case initializerRange = "initializer_range"
            case mixers
        }

        func problems() -> [RecipeProblem] {
            var problems: [RecipeProblem] = []
            if hiddenSize < 1 {
                problems.append(
                    RecipeProblem(key: "hidden_size", "got \(hiddenSize), wanted 1 or more"))
            }
            if mambaHeads * mambaHeadSize != innerSize {
                problems.append(
                    RecipeProblem("mamba_n_heads times mamba_d_head is not mamba_d_ssm"))
            }
            return problems
        }

        /// The number of weights of the model, by the sizes of its tensors.
        var parameterCount: Int {
            let channels = innerSize + 2 * groups * stateSize
            let mamba =
                hiddenSize * (innerSize + channels + mambaHeads)
                + channels * (convolutionWidth + 1) + 3 * mambaHeads
                + innerSize * hiddenSize + (hasGatedNorm ? innerSize : 0)
            let attention = 2 * hiddenSize * headSize * (attentionHeads + keyValueHeads)
            let layer = mamba + attention + 3 * hiddenSize * intermediateSize + 2 * hiddenSize
            return layers * layer + hiddenSize + vocabularySize * hiddenSize * (isTied ? 1 : 2)
        }
    }

    struct Optimizer: Decodable, Equatable {
        enum Kind: String, Decodable, CaseIterable {
            case adamw
        }

        enum Role: String, Decodable, CaseIterable {
            case embedding, vector, multiplier
            case hiddenMatrix = "hidden_matrix"
            case outputMatrix = "output_matrix"
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

        var kind: Kind
        var learningRate: Double
        var weightDecay: Double
        var betas: [Double]
        var epsilon: Double
        var groups: [Group]

        enum CodingKeys: String, CodingKey, CaseIterable {
            case kind, betas, epsilon, groups
            case learningRate = "learning_rate"
            case weightDecay = "weight_decay"
        }
    }

    struct Schedule: Decodable, Equatable {
        enum Kind: String, Decodable, CaseIterable {
            case wsd, cosine, constant, exponential
        }

        var kind: Kind
        var warmupTokens: Int
        var decayTokens: Int
        var finalRatio: Double

        enum CodingKeys: String, CodingKey, CaseIterable {
            case kind
            case warmupTokens = "warmup_tokens"
            case decayTokens = "decay_tokens"
            case finalRatio = "final_ratio"
        }
    }

    struct Train: RecipeSection, Equatable {
        enum Recompute: String, Decodable, CaseIterable {
            case none, block
        }

        var tokens: Int?
        var steps: Int?
        var batchTokens: Int
        var microBatchSequences: Int
        var clipNorm: Double?
        var zLoss: Double
        var recompute: Recompute

        enum CodingKeys: String, CodingKey, CaseIterable {
            case tokens, steps, recompute
            case batchTokens = "batch_tokens"
            case microBatchSequences = "micro_batch_sequences"
            case clipNorm = "clip_norm"
            case zLoss = "z_loss"
        }

        func problems() -> [RecipeProblem] {
            (tokens == nil) == (steps == nil)
                ? [RecipeProblem("wanted exactly one of tokens and steps")] : []
        }
    }

    struct Checkpoint: Decodable, Equatable {
        var everySteps: Int
        var keepLast: Int
        var keepEverySteps: Int?

        enum CodingKeys: String, CodingKey, CaseIterable {
            case everySteps = "every_steps"
            case keepLast = "keep_last"
            case keepEverySteps = "keep_every_steps"
        }
    }

    struct Evaluation: Decodable, Equatable {
        var everySteps: Int
        var tokens: Int

        enum CodingKeys: String, CodingKey, CaseIterable {
            case tokens
            case everySteps = "every_steps"
        }
    }
}
