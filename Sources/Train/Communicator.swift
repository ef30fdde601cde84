import FalconTensor

/// The sums over the micro-batches of a step, gradients apart.
public struct StepSums: Equatable, Sendable {
    /// The losses of the scored tokens, in nats, z-loss included.
    public var loss = 0.0
    /// Tokens that were predicted.
    public var scoredTokens = 0
    /// Whether the step is to be discarded.
    public var isStopRequested = false

    /// Sums over nothing.
    public init() {}
}

/// Adds up the parts of a step that the processes of a run, its ranks, have done.
///
/// Every rank calls it once a step, between its last micro-batch and the update, even if it
/// discards the step or had no micro-batch. All that follows (norms, whether all is finite,
/// stopping, skipping, the update) depends on the results alone, so ranks with equal results stay
/// equal. A conformance for several ranks must therefore guarantee
///
/// - the same bits of everything on every rank, whatever the network and the order of arrival;
/// - the order of leaves (`train.leaves`): with leaf k on rank k, each gradient is ((g0 + g1) + g2) + ...
///   in float32 and the loss likewise in double, which is what one process computes; a rank whose leaf has
///   no micro-batch in this step adds nothing;
/// - that a stop asked for by one rank stops all of them; the sums then do not matter;
/// - that a rank which fails, and so never calls, ends the others instead of making them wait.
public protocol Communicator {
    /// Replaces the sums of this rank by those over all ranks.
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

    /// Returns its argument.
    ///
    /// - Parameters:
    ///   - sums: of the run.
    ///   - gradients: left as they are.
    /// - Returns: `sums`.
    public func reduce(_ sums: StepSums, gradients: Tensor) -> StepSums { sums }
}
