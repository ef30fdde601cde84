/// One line of `metrics.jsonl`: the numbers of one step, with units in their names.
public struct StepMetrics: Codable, Equatable, Sendable {
    /// Steps done, this one included.
    public var step: Int
    /// Tokens seen, this step included.
    public var tokens: Int
    /// Mean loss of the scored tokens, in nats; absent if not finite.
    public var loss: Double?
    /// The gradient norm before clipping; absent if not finite.
    public var gradientNorm: Double?
    /// The norm of the learnable multipliers' gradients; absent without these, and if not finite.
    public var multiplierGradientNorm: Double?
    /// Tokens of this step.
    public var batchTokens: Int
    /// η, for groups without a scale or a rate of their own.
    public var learningRate: Double
    /// λ, for groups that do not override it.
    public var weightDecay: Double
    /// sqrt(η·λ).
    public var effectiveLearningRate: Double
    /// sqrt(λ/η).
    public var effectiveWeightDecay: Double
    /// Tokens of the step divided by its time, including the wait for data.
    public var tokensPerSecond: Double
    /// Seconds since this process began to train.
    public var elapsedSeconds: Double
    /// Seconds of this step spent waiting for data, by the rank that waited longest.
    public var dataWaitSeconds: Double
    /// The most memory that the process has held; of ranks, that of the largest.
    public var peakMemoryBytes: Int
    /// What the ranks did; absent for a run in one process.
    public var ranks: RankMetrics?
    /// Present, and false, if the step did not move the weights.
    public var applied: Bool?
    /// The reason why it did not.
    public var skipReason: SkipReason?
    /// What each data set of a mixture has given so far, by its path; absent for one data set.
    public var sources: [String: SourceMetrics]?
    /// The loss on the validation split, after steps that validate.
    public var validationLoss: Double?
    /// Bits per UTF-8 byte of the validation text.
    public var validationBitsPerByte: Double?
    /// Scores of tasks with their standard errors, by the name of the task and that of the metric (`acc`,
    /// `acc_stderr`), after steps that validate.
    public var taskScores: [String: [String: Double]]?
    /// Seconds of validation and tasks, after steps that have them.
    public var evaluationSeconds: Double?
    /// Sizes of matrices by name, at monitored steps.
    public var matrices: [String: MatrixMetrics]?
    /// Root mean squares of activations by place, at monitored steps.
    public var activations: [String: Double]?

    /// The key of each field.
    public enum CodingKeys: String, CodingKey {
        case step, tokens, loss
        case gradientNorm = "grad_norm"
        case multiplierGradientNorm = "multiplier_grad_norm"
        case batchTokens = "batch_tokens"
        case learningRate = "learning_rate"
        case weightDecay = "weight_decay"
        case effectiveLearningRate = "effective_learning_rate"
        case effectiveWeightDecay = "effective_weight_decay"
        case tokensPerSecond = "tokens_per_second"
        case elapsedSeconds = "elapsed_seconds"
        case dataWaitSeconds = "data_wait_seconds"
        case peakMemoryBytes = "peak_memory_bytes"
        case ranks, applied
        case skipReason = "skip_reason"
        case sources
        case validationLoss = "validation_loss"
        case validationBitsPerByte = "validation_bits_per_byte"
        case taskScores = "task_scores"
        case evaluationSeconds = "evaluation_seconds"
        case matrices, activations
    }

    /// The line of a step, before anything is measured; see the properties.
    package init(
        step: Int, tokens: Int, batchTokens: Int, learningRate: Double, weightDecay: Double,
        effectiveLearningRate: Double, effectiveWeightDecay: Double
    ) {
        self.step = step
        self.tokens = tokens
        self.batchTokens = batchTokens
        self.learningRate = learningRate
        self.weightDecay = weightDecay
        self.effectiveLearningRate = effectiveLearningRate
        self.effectiveWeightDecay = effectiveWeightDecay
        (tokensPerSecond, elapsedSeconds, dataWaitSeconds) = (0, 0, 0)
        peakMemoryBytes = 0
    }
}
