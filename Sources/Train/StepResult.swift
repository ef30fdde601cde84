import FalconRunRecord

/// The result of one micro-batch.
public struct MicroBatchLoss: Equatable, Sendable {
    /// The sum of the losses of its scored tokens, in nats.
    let sum: Double
    /// Tokens that were predicted.
    public let targets: Int

    /// The mean loss of its scored tokens, in nats; 0 if there are none.
    public var loss: Double { targets > 0 ? sum / Double(targets) : 0 }
}

/// The sizes of one parameter in a step.
public struct ParameterNorms: Codable, Equatable, Sendable {
    /// The parameter.
    public let name: String
    /// The L2 norm of the trained values.
    public let weightNorm: Double
    /// The L2 norm of the gradient before clipping.
    public let gradientNorm: Double
    /// The recent geometric mean of the gradient norm; nil without a history.
    public let usualGradientNorm: Double?
    /// Standard deviations between the logarithms of the two; nil without a history.
    public let change: Double?

    /// The key of each field.
    public enum CodingKeys: String, CodingKey {
        case name, change
        case weightNorm = "weight_norm"
        case gradientNorm = "gradient_norm"
        case usualGradientNorm = "usual_gradient_norm"
    }
}

/// The result of one optimizer step.
public struct StepResult: Equatable, Sendable {
    /// The mean loss of the scored tokens, in nats, z-loss included; NaN without any.
    public let loss: Double
    /// The norm of all gradients together before clipping; those of multipliers count if the recipe
    /// includes them.
    public let gradientNorm: Double
    /// The norm of the learnable multipliers' gradients; nil if there are none.
    public let multiplierGradientNorm: Double?
    /// The learning rate, before the groups' scales.
    public let learningRate: Double
    /// Tokens that were predicted.
    public let scoredTokens: Int
    /// Why the weights did not move; nil if they did.
    public let skipReason: SkipReason?
    /// In a skipped step, the first parameter whose gradient is not finite, else the one whose
    /// gradient changed most compared with its recent ones; nil if that is not known.
    public let parameter: String?
    /// The result of each micro-batch, in their order.
    public let microBatches: [MicroBatchLoss]
    /// Sizes by parameter, in skipped steps and on request; else empty.
    public let norms: [ParameterNorms]
    /// What each rank said about its part.
    let ranks: [RankStepEnd]

    /// Whether the weights moved.
    public var isApplied: Bool { skipReason == nil }
}
