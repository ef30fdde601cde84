import FalconRunRecord

extension StepMetrics {
    /// The line of a finished step, from its plan and its result.
    init(
        _ planned: StepPlan, loss: Double?, gradientNorm: Double?, tokensPerSecond: Double,
        elapsedSeconds: Double, dataWaitSeconds: Double, peakMemoryBytes: Int,
        skipReason: SkipReason?
    ) {
        self.init(
            step: planned.step, tokens: planned.tokens, batchTokens: planned.batchTokens,
            learningRate: planned.learningRate, weightDecay: planned.weightDecay,
            effectiveLearningRate: planned.effectiveLearningRate,
            effectiveWeightDecay: planned.effectiveWeightDecay)
        self.loss = loss
        self.gradientNorm = gradientNorm
        self.tokensPerSecond = tokensPerSecond
        self.elapsedSeconds = elapsedSeconds
        self.dataWaitSeconds = dataWaitSeconds
        self.peakMemoryBytes = peakMemoryBytes
        applied = skipReason == nil ? nil : false
        self.skipReason = skipReason
    }
}
