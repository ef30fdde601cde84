/// The size of a matrix, of its last update and of its multipliers.
///
/// Noise and weight decay bring the norm of a matrix to about sqrt(η / 2λ); these numbers show
/// whether it has reached that, and the effect of the multipliers.
public struct MatrixMetrics: Codable, Equatable, Sendable {
    /// sqrt(mean W²) of the trained matrix W.
    public let rms: Double
    /// The same for the matrix that the model uses, diag(r) W diag(c); absent without multipliers.
    public let effectiveRMS: Double?
    /// The RMS of the last update, without weight decay, over `rms`; absent before the first step.
    public let updateRatio: Double?
    /// η of its group in this step; absent before the first.
    public let learningRate: Double?
    /// λ of its group in this step; absent before the first.
    public let weightDecay: Double?
    /// By kind: `multiplier`, `row_multiplier`, `column_multiplier`, with `.PART` for parts of
    /// rows.
    public let multipliers: [String: MultiplierMetrics]?

    /// The measurements; see the properties.
    package init(
        rms: Double, effectiveRMS: Double?, updateRatio: Double?, learningRate: Double?,
        weightDecay: Double?, multipliers: [String: MultiplierMetrics]?
    ) {
        self.rms = rms
        self.effectiveRMS = effectiveRMS
        self.updateRatio = updateRatio
        self.learningRate = learningRate
        self.weightDecay = weightDecay
        self.multipliers = multipliers
    }

    /// The key of each field.
    public enum CodingKeys: String, CodingKey {
        case rms
        case effectiveRMS = "effective_rms"
        case updateRatio = "update_ratio"
        case learningRate = "learning_rate"
        case weightDecay = "weight_decay"
        case multipliers
    }
}

/// The learned numbers of one kind for one matrix.
public struct MultiplierMetrics: Codable, Equatable, Sendable {
    /// Their mean.
    public let mean: Double
    /// Their standard deviation; 0 for a single number.
    public let deviation: Double

    /// The statistics of some numbers; see the properties.
    package init(mean: Double, deviation: Double) {
        (self.mean, self.deviation) = (mean, deviation)
    }
}
