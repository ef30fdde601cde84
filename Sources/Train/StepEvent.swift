import FalconRunRecord

/// A step that was not applied, for a person: the black box `RUN/events/step-N.json`.
public struct StepEvent: Codable, Equatable, Sendable {
    /// A sequence of a micro-batch and where its tokens come from.
    public struct Sequence: Codable, Equatable, Sendable {
        /// The data set; absent if the run has one.
        public let source: String?
        /// Its number among the samples of the split; unless documents are packed, it begins at token `sample` · sequence length.
        public let sample: Int
        /// The place of its first token in the split.
        public let firstToken: Int
        /// The file of that token.
        public let shard: String
        /// Its place in that file.
        public let firstTokenInShard: Int
        /// The documents of which the sequence holds a part.
        public let documents: [Document]

        /// The key of each field.
        public enum CodingKeys: String, CodingKey {
            case source, sample, shard, documents
            case firstToken = "first_token"
            case firstTokenInShard = "first_token_in_shard"
        }
    }

    /// A document.
    public struct Document: Codable, Equatable, Sendable {
        /// The place of its first token in the split, for `falcon documents`.
        public let firstToken: Int
        /// The beginning of its text.
        public let text: String

        /// The key of each field.
        public enum CodingKeys: String, CodingKey {
            case text
            case firstToken = "first_token"
        }
    }

    /// A micro-batch of the step.
    public struct MicroBatch: Codable, Equatable, Sendable {
        /// Its place in the step, from 1.
        public let number: Int
        /// The mean loss of its scored tokens, in nats.
        public let loss: Double
        /// Tokens that were predicted.
        public let targets: Int
        /// Its sequences.
        public let sequences: [Sequence]
    }

    /// The history that the step was compared with.
    public struct History: Codable, Equatable, Sendable {
        /// The most steps that a step is compared with.
        public let window: Int
        /// Standard deviations above the mean beyond which a step is a spike.
        public let limit: Double
        /// The loss compared with the window.
        public let loss: SpikeScore?
        /// The gradient norm compared with the window.
        public let gradientNorm: SpikeScore?
        /// The window's losses, oldest first.
        public let losses: [Double]
        /// The window's gradient norms, oldest first.
        public let gradientNorms: [Double]

        /// The key of each field.
        public enum CodingKeys: String, CodingKey {
            case window, limit, loss, losses
            case gradientNorm = "grad_norm"
            case gradientNorms = "grad_norms"
        }
    }

    /// The next step that was applied.
    public struct After: Codable, Equatable, Sendable {
        /// Its number.
        public let step: Int
        /// Its loss, in nats.
        public let loss: Double
        /// Its gradient norm.
        public let gradientNorm: Double
        /// Sizes by parameter, the weights' after the step.
        public let parameters: [ParameterNorms]

        /// The key of each field.
        public enum CodingKeys: String, CodingKey {
            case step, loss, parameters
            case gradientNorm = "grad_norm"
        }
    }

    /// The version of this format.
    public private(set) var version = 1
    /// The step's number, from 1.
    public let step: Int
    /// Tokens seen, this step included.
    public let tokens: Int
    /// Why it was not applied.
    public let reason: SkipReason
    /// The mean loss of the step's scored tokens, in nats.
    public let loss: Double
    /// The gradient norm before clipping.
    public let gradientNorm: Double
    /// The norm of the learnable multipliers' gradients; absent if there are none.
    public let multiplierGradientNorm: Double?
    /// η of the step, for groups without a scale or a rate of their own.
    public let learningRate: Double
    /// The first parameter whose gradient is not finite, or the one whose gradient changed most.
    public let parameter: String?
    /// The number of the micro-batch with the largest loss.
    public let microBatch: Int?
    /// The history; absent if no window is kept.
    public let history: History?
    /// All micro-batches of the step.
    public let microBatches: [MicroBatch]
    /// Sizes by parameter; the weights are those before the step.
    public let parameters: [ParameterNorms]
    /// The data set that the places refer to; of a mixture, all of them.
    public let data: String
    /// The commands that print the documents of the micro-batch with the largest loss.
    public let command: String?
    /// The next step that was applied; absent until there is one.
    public internal(set) var after: After?

    /// The key of each field.
    public enum CodingKeys: String, CodingKey {
        case version, step, tokens, reason, loss, parameter, history, parameters, data, command,
            after
        case gradientNorm = "grad_norm"
        case multiplierGradientNorm = "multiplier_grad_norm"
        case learningRate = "learning_rate"
        case microBatch = "micro_batch"
        case microBatches = "micro_batches"
    }
}
