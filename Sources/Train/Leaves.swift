/// The order of the sums of a step: its micro-batches in groups of neighbours, the leaves.
///
/// Each leaf is summed on its own, from zero, in the order of its micro-batches; then the leaves are added in
/// their order. The order, and with it the rounding, follows from the recipe alone, whoever computes a leaf.
/// With L leaves, leaf k of n micro-batches has those from floor(k n / L) to floor((k + 1) n / L): sizes differ
/// by one at most. A step of fewer micro-batches than leaves, at the beginning of a batch ramp, has leaves of
/// one and leaves without any, which add nothing.
enum Leaves {
    /// The micro-batches of each leaf.
    ///
    /// - Parameters:
    ///   - count: of the step.
    ///   - leaves: at least 1.
    /// - Returns: one range per leaf, next to each other; together `0..<count`.
    static func ranges(microBatches count: Int, leaves: Int) -> [Range<Int>] {
        (0..<leaves).map { $0 * count / leaves..<($0 + 1) * count / leaves }
    }

    /// The leaves of a rank that have micro-batches: of all such, every W-th.
    ///
    /// - Parameters:
    ///   - rank: from 0 to `rankCount - 1`.
    ///   - rankCount: W.
    ///   - count: micro-batches of the step.
    ///   - leaves: of the recipe.
    /// - Returns: each with its number among the leaves that have micro-batches.
    static func own(
        ofRank rank: Int, of rankCount: Int, microBatches count: Int, leaves: Int
    ) -> [(number: Int, range: Range<Int>)] {
        ranges(microBatches: count, leaves: leaves).filter { !$0.isEmpty }.enumerated()
            .filter { $0.offset % rankCount == rank }
            .map { (number: $0.offset, range: $0.element) }
    }
}
