/// The reasons why a step did not move the weights.
public enum SkipReason: String, Codable, Sendable {
    /// The loss or the gradient is not finite.
    case notFinite = "not_finite"
    /// The loss is far above those before it.
    case lossSpike = "loss_spike"
    /// The gradient's norm is far above those before it.
    case gradientSpike = "gradient_spike"
    /// There was no token to predict: the documents hold nothing but their end tokens.
    case noTargets = "no_targets"
}
