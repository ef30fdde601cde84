import FalconTensor

/// What the micro-batches of a step add up to, beside their gradients.
public struct StepSums: Equatable, Sendable {
    /// The losses of the scored tokens, in nats, z-loss included.
    public var loss = 0.0
    /// Tokens that were predicted.
    public var scoredTokens = 0
    /// Whether the step is to be given up.
    public var isStopRequested = false

    /// Nothing yet.
    public init() {}
}

/// Adds up what the processes of a run, its ranks, did of a step.
///
/// Every rank calls it once a step, between its last micro-batch and the update, also when it gives the
/// step up or had no micro-batch. What follows (norms, whether all is finite, stopping, skipping, the update)
/// depends on the results alone, so ranks whose results are the same stay the same. A conformance for several
/// ranks must therefore guarantee
///
/// - the same bits of everything on every rank, whatever the network and the order of arrival;
/// - the order of leaves (`train.leaves`): with leaf k on rank k, each gradient is ((g0 + g1) + g2) + ...
///   in float32 and the loss likewise in double, which is what one process computes; a rank whose leaf has
///   no micro-batch in this step adds nothing;
/// - that a stop which one rank asks for is one for all; sums then do not matter;
/// - that a rank which fails, and so does not come, ends the others instead of making them wait.
public protocol Communicator {
    /// Replaces what this rank has by the sums over all ranks.
    ///
    /// - Parameters:
    ///   - sums: of this rank.
    ///   - gradients: of the sum of its losses, by the weights that the model uses, `[flatCount]`; summed in
    ///     place.
    /// - Returns: the sums over all ranks; a stop if any rank asks for one.
    func reduce(_ sums: StepSums, gradients: Tensor) -> StepSums
}

/// A run in one process: its sums are those of the run.
public struct SingleProcess: Communicator {
    /// The only rank.
    public init() {}

    /// Returns what it is given.
    ///
    /// - Parameters:
    ///   - sums: of the run.
    ///   - gradients: left as they are.
    /// - Returns: `sums`.
    public func reduce(_ sums: StepSums, gradients: Tensor) -> StepSums { sums }
}
