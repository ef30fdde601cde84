import FalconRunRecord

/// What one micro-batch gave.
public struct MicroBatchLoss: Equatable, Sendable {
    /// The sum of the losses of its scored tokens, in nats.
    let sum: Double
    /// Tokens that were predicted.
    public let targets: Int

    /// The mean loss of its scored tokens, in nats; 0 without such.
    public var loss: Double { targets > 0 ? sum / Double(targets) : 0 }
}

/// The sizes of one parameter in a step.
public struct ParameterNorms: Codable, Equatable, Sendable {
    /// The parameter.
    public let name: String
    /// L2, of what is trained.
    public let weightNorm: Double
    /// L2, before clipping.
    public let gradientNorm: Double
    /// The recent geometric mean of the latter; nil without a history.
    public let usualGradientNorm: Double?
    /// Standard deviations of the logarithm between the two; nil without a history.
    public let change: Double?

    /// The key of each field.
    public enum CodingKeys: String, CodingKey {
        case name, change
        case weightNorm = "weight_norm"
        case gradientNorm = "gradient_norm"
        case usualGradientNorm = "usual_gradient_norm"
    }
}

/// What one optimizer step did.
public struct StepResult: Equatable, Sendable {
    /// The mean loss of the scored tokens, in nats, z-loss included; NaN without any.
    public let loss: Double
    /// The norm of all gradients together before clipping; those of multipliers count if the recipe
    /// says so.
    public let gradientNorm: Double
    /// The norm of the learnable multipliers' gradients; nil without these.
    public let multiplierGradientNorm: Double?
    /// The learning rate, before the groups' scales.
    public let learningRate: Double
    /// Tokens that were predicted.
    public let scoredTokens: Int
    /// Why the weights did not move; nil if they did.
    public let skipReason: SkipReason?
    /// In a skipped step the first parameter whose gradient is not finite, else the one whose gradient has
    /// changed most against its recent ones; nil if that is not known.
    public let parameter: String?
    /// What each micro-batch gave, in their order.
    public let microBatches: [MicroBatchLoss]
    /// Sizes by parameter, in skipped steps and where they were asked for; else empty.
    public let norms: [ParameterNorms]

    /// Whether the weights moved.
    public var isApplied: Bool { skipReason == nil }
}
