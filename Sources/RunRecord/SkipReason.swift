/// Why a step did not move the weights.
public enum SkipReason: String, Codable, Sendable {
    /// The loss or the gradient is not finite.
    case notFinite = "not_finite"
    /// The loss is far above those before it.
    case lossSpike = "loss_spike"
    /// The gradient's norm is.
    case gradientSpike = "gradient_spike"
    /// There was no token to predict: documents that are nothing but their end.
    case noTargets = "no_targets"
}
