/// The sums over the micro-batches of a step, gradients apart.
struct StepSums: Equatable {
    /// The losses of the scored tokens, in nats, z-loss included.
    let loss: Double
    /// Tokens that were predicted.
    let scoredTokens: Int
    /// The result of each micro-batch, in their order.
    let microBatches: [MicroBatchLoss]

    /// Adds up what the ranks have done, in the order of the leaves: each from zero, then all of them.
    ///
    /// - Parameters:
    ///   - ends: of every rank.
    ///   - leaves: the micro-batches of each leaf; those that have some are dealt out to the ranks in turn.
    init(_ ends: [RankStepEnd], leaves: [Range<Int>]) {
        var (loss, microBatches) = (0.0, [MicroBatchLoss]())
        var taken = [Int](repeating: 0, count: ends.count)
        for (number, leaf) in leaves.filter({ !$0.isEmpty }).enumerated() {
            let rank = number % ends.count
            let own = ends[rank].microBatches[taken[rank]..<taken[rank] + leaf.count]
            taken[rank] += leaf.count
            loss += own.reduce(0) { $0 + $1.sum }
            microBatches += own
        }
        self.loss = loss
        self.microBatches = microBatches
        scoredTokens = microBatches.reduce(0) { $0 + $1.targets }
    }
}
