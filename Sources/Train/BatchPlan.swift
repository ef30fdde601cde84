import FalconData

/// The tokens and batches of each optimizer step.
///
/// Without a ramp all steps have B = batch_tokens. With a ramp from S = start_tokens over R tokens, a step
/// that begins after t tokens has
///
///     b(t) = S + (B − S) · min(1, t/R),  rounded down to whole micro-batches
///
/// so the batch never shrinks and is B from the first step that begins at R or later. Steps are
/// numbered from 1. The plan keeps one entry for each size of a batch, not for each step.
///
/// - SeeAlso: Falcon Mamba 7B, model card (128 to 2048 sequences over 50 GT, linear in tokens).
public struct BatchPlan: Equatable, Sendable {
    /// Steps of one size.
    private struct Stage: Equatable {
        /// Steps before the first of this size.
        let stepsBefore: Int
        /// Tokens before it.
        let tokensBefore: Int
        let microBatches: Int
    }

    /// Tokens that the model takes at once.
    public let microBatchTokens: Int
    /// Steps of the run.
    public let steps: Int
    /// Sizes in the order of the run, each with at least one step, the last without end.
    private let stages: [Stage]

    /// Plans the steps of a run.
    ///
    /// - Parameters:
    ///   - train: without problems.
    ///   - sequenceLength: tokens of a sequence, at least 1.
    /// - Complexity: O(B / micro-batch) with a ramp, else O(1).
    public init(_ train: TrainSection, sequenceLength: Int) {
        microBatchTokens = train.microBatchSequences * sequenceLength
        let full = max(1, train.batchTokens / microBatchTokens)
        stages = Self.stages(train.batchRamp, full: full, microBatchTokens: microBatchTokens)
        if let steps = train.steps {
            self.steps = steps
        } else {
            steps = Self.step(
                reaching: train.tokens ?? 0, in: stages, microBatchTokens: microBatchTokens)
        }
    }

    private static func stages(
        _ ramp: BatchRampSection?, full: Int, microBatchTokens: Int
    ) -> [Stage] {
        var stages: [Stage] = []
        var (steps, tokens) = (0, 0)
        if let ramp, ramp.startTokens < full * microBatchTokens {
            let first = max(1, ramp.startTokens / microBatchTokens)
            let (quotient, rest) = ramp.tokens.quotientAndRemainder(dividingBy: full - first)
            for microBatches in first..<full {
                // The first t with (full − first) · t ≥ grown · R; without overflow of the product.
                let grown = microBatches + 1 - first
                let end = quotient * grown + (rest * grown + full - first - 1) / (full - first)
                guard tokens < end else { continue }
                stages.append(
                    Stage(stepsBefore: steps, tokensBefore: tokens, microBatches: microBatches))
                let size = microBatches * microBatchTokens
                let count = (end - tokens + size - 1) / size
                steps += count
                tokens += count * size
            }
        }
        stages.append(Stage(stepsBefore: steps, tokensBefore: tokens, microBatches: full))
        return stages
    }

    /// The first step after which at least this many tokens are seen.
    private static func step(reaching tokens: Int, in stages: [Stage], microBatchTokens: Int) -> Int
    {
        let stage = stages[last(of: stages) { $0.tokensBefore < tokens }]
        let size = stage.microBatches * microBatchTokens
        return stage.stepsBefore + (max(0, tokens - stage.tokensBefore) + size - 1) / size
    }

    /// The place of the last stage with a property that stages lose at most once; else of the first.
    private static func last(of stages: [Stage], where holds: (Stage) -> Bool) -> Int {
        var (low, high) = (0, stages.count)
        while high - low > 1 {
            let middle = (low + high) / 2
            if holds(stages[middle]) { low = middle } else { high = middle }
        }
        return low
    }

    /// Tokens of the whole run.
    public var totalTokens: Int { tokens(afterStep: steps) }

    /// B: tokens of a step when the ramp is over.
    public var fullBatchTokens: Int { stages[stages.count - 1].microBatches * microBatchTokens }

    /// Tokens seen when a step is done.
    ///
    /// - Parameter step: 0 for the beginning.
    /// - Returns: the sum of the batches of steps 1 to `step`.
    public func tokens(afterStep step: Int) -> Int {
        let stage = stages[Self.last(of: stages) { $0.stepsBefore < step }]
        return stage.tokensBefore
            + (step - stage.stepsBefore) * stage.microBatches * microBatchTokens
    }

    /// Micro-batches of a step.
    ///
    /// - Parameter step: at least 1.
    /// - Returns: at least 1; never less than in the step before.
    public func microBatches(atStep step: Int) -> Int {
        stages[Self.last(of: stages) { $0.stepsBefore < step }].microBatches
    }

    /// Tokens of a step.
    ///
    /// - Parameter step: at least 1.
    /// - Returns: a multiple of `microBatchTokens`.
    public func batchTokens(atStep step: Int) -> Int {
        microBatches(atStep: step) * microBatchTokens
    }

    /// The micro-batch that begins after a number of tokens.
    ///
    /// - Parameter tokens: seen before it: whole micro-batches.
    /// - Returns: its place in its step, and the number of micro-batches of that step.
    func microBatch(at tokens: Int) -> (place: Int, count: Int) {
        let stage = stages[Self.last(of: stages) { $0.tokensBefore <= tokens }]
        let done = (tokens - stage.tokensBefore) / microBatchTokens
        return (done % stage.microBatches, stage.microBatches)
    }

    /// The tokens before each stage of the data, which change between two steps.
    ///
    /// - Parameter stages: each but the last with its tokens.
    /// - Returns: 0 first; the ends of the steps in which the stages before have got their tokens.
    func starts(of stages: [DataSection.ResolvedStage]) -> [Int] {
        var (starts, wanted) = ([0], 0)
        for stage in stages.dropLast() {
            wanted += stage.tokens ?? 0
            starts.append(wholeSteps(reaching: wanted))
        }
        return starts
    }

    /// The end of the step in which a number of tokens is reached, whether or not the run goes on so long.
    ///
    /// - Parameter tokens: 1 or more.
    /// - Returns: tokens seen when that step is done.
    public func wholeSteps(reaching tokens: Int) -> Int {
        self.tokens(
            afterStep: Self.step(
                reaching: tokens, in: stages, microBatchTokens: microBatchTokens))
    }

    /// The step in which a number of tokens is reached.
    ///
    /// - Parameter tokens: 0 or more.
    /// - Returns: the first step after which at least this many tokens are seen, from 1 to `steps`.
    public func step(reaching tokens: Int) -> Int {
        let step = Self.step(reaching: tokens, in: stages, microBatchTokens: microBatchTokens)
        return min(max(1, step), max(1, steps))
    }
}
