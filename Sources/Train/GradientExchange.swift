import FalconOptim
import FalconRanks
import FalconTensor

/// Adds the gradients of a step's leaves up, each element at the rank that updates it.
///
/// Leaf k of a step is computed by rank k mod W. As soon as a stage of its backward pass is over, the gradients
/// of that stage go to their owners, who add them to their sums in the order of the leaves, whenever they come:
/// float32 sums, ((0 + g0) + g1) + …, of the same bits for any W. A message that is too early waits on its
/// stream. Every rank ends its part of a step with a message to each other one, by which all learn the losses
/// and whether anyone wants to discard the step.
///
/// Memory: at most `RankGroup.unsentByteLimit` of gradients wait to be sent or added, and what streams hold; while
/// that is reached, the backward pass waits too.
final class GradientExchange {
    /// Elements that go in one message.
    private struct Piece {
        let elements: Range<Int>
        let owner: Int
    }

    private let ranks: RankGroup
    private let table: ParameterTable
    private let device: Device
    /// The stages in their order, each with its pieces.
    private let stages: [(stage: BackwardStage, pieces: [Piece])]
    /// This rank's pieces, in the order in which every leaf gives them.
    private let own: [Range<Int>]
    /// Holds what was received while it is added.
    private let staging: Tensor

    // One step.
    private var leafCount = 0
    /// The number of stages of the present leaf that have been sent.
    private var stagesDone = 0
    /// By piece of this rank, the leaves added so far.
    private var leavesAdded: [Int] = []
    /// By rank, the messages taken from its stream that carried gradients.
    private var taken: [Int] = []
    /// By rank, the message that came too early.
    private var early: [RankMessage?] = []
    /// Gradients of this rank for itself that are too early, by piece and leaf in their order.
    private var ownEarly: [RankMessage] = []
    /// By rank, how its part of the step ended; nil while it has not.
    private var ends: [RankStepEnd?] = []
    private var failure: (any Error)?

    /// An exchange between the ranks of a run.
    ///
    /// - Parameters:
    ///   - ranks: at least two.
    ///   - units: of the table.
    ///   - owners: the rank of each unit.
    ///   - table: with sums.
    ///   - device: holds the table.
    init(
        _ ranks: RankGroup, units: [UpdateUnit], owners: [Int], table: ParameterTable,
        on device: Device
    ) {
        (self.ranks, self.table, self.device) = (ranks, table, device)
        let byStage = Dictionary(grouping: units.indices) { units[$0].stage }
        stages = byStage.keys.sorted().map { stage in
            let pieces = (byStage[stage] ?? []).flatMap { unit in
                units[unit].ranges.flatMap { $0.pieces(ofAtMost: ranks.messageFloatLimit) }
                    .map { Piece(elements: $0, owner: owners[unit]) }
            }
            return (stage, pieces)
        }
        own = stages.flatMap { $0.pieces.filter { $0.owner == ranks.rank }.map(\.elements) }
        staging = device.empty([own.map(\.count).max() ?? 1])
    }

    /// Begins a step.
    ///
    /// - Parameter leafCount: leaves with micro-batches.
    func begin(leafCount: Int) {
        self.leafCount = leafCount
        stagesDone = 0
        leavesAdded = Array(repeating: 0, count: own.count)
        taken = Array(repeating: 0, count: ranks.count)
        early = Array(repeating: nil, count: ranks.count)
        ownEarly = []
        ends = Array(repeating: nil, count: ranks.count)
        failure = nil
    }

    /// Whether a rank has discarded the step, as far as this one knows.
    ///
    /// - Returns: true if going on is useless.
    /// - Throws: `RankFailure` if a rank has failed.
    func isDiscarded() throws -> Bool {
        try ranks.measured { try drain() }
        return ends.contains { $0?.isDiscarded == true }
    }

    /// Sends the gradients of the stages up to one that is over, and adds what has come.
    ///
    /// - Parameters:
    ///   - stage: a stage of the backward pass of a micro-batch.
    ///   - leaf: one of this rank's leaves.
    ///   - isLast: whether the micro-batch is the last of the leaf; before it no gradients are complete.
    func stageIsOver(_ stage: BackwardStage, ofLeaf leaf: Int, isLast: Bool) {
        guard failure == nil else { return }
        do {
            try ranks.measured {
                while isLast, stagesDone < stages.count, stages[stagesDone].stage <= stage {
                    for piece in stages[stagesDone].pieces { try give(piece, leaf) }
                    stagesDone += 1
                }
                try drain()
            }
        } catch {
            failure = error
        }
    }

    /// Sends what is left of a leaf, whose gradients may then be used for another.
    ///
    /// - Parameter leaf: one of this rank's leaves.
    /// - Throws: `RankFailure` if a rank has failed.
    func close(leaf: Int) throws {
        stageIsOver(.end, ofLeaf: leaf, isLast: true)
        stagesDone = 0
        if let failure { throw failure }
    }

    /// Tells the end of this rank's part to all, and waits for theirs.
    ///
    /// - Parameter end: of this rank.
    /// - Returns: those of all ranks; the sums are then complete, unless one of them discards the step.
    /// - Throws: `RankFailure` if a rank has failed.
    func finish(_ end: RankStepEnd) throws -> [RankStepEnd] {
        guard let link = ranks.link else { return Array(repeating: end, count: ranks.count) }
        ends[ranks.rank] = end
        for rank in ranks.others {
            let message = link.makeMessage()
            message.append(end.bytes[...])
            try ranks.send(message, to: rank)
        }
        try ranks.wait {
            try drain()
            return ends.allSatisfy { $0 != nil }
        }
        let all = ends.compactMap { $0 }
        precondition(
            all.contains(where: \.isDiscarded) || leavesAdded.allSatisfy { $0 == leafCount },
            "GradientExchange: a rank has ended its step without all of its gradients")
        return all
    }

    /// Hands the gradients of a piece to their owner.
    private func give(_ piece: Piece, _ leaf: Int) throws {
        let gradients = table.gradients.columns(piece.elements)
        if piece.owner == ranks.rank, ownEarly.isEmpty, isTurn(of: ranks.rank) {
            device.backend.add(gradients, to: table.summedGradients(piece.elements), scale: 1)
            countAdded(from: ranks.rank)
            return
        }
        guard let link = ranks.link else { return }
        try ranks.waitForRoom(beside: ownEarly.reduce(0) { $0 + $1.byteCount }, drain)
        let message = link.makeMessage()
        gradients.download { message.append($0) }
        if piece.owner == ranks.rank {
            ownEarly.append(message)
        } else {
            try ranks.send(message, to: piece.owner)
        }
    }

    /// The leaf and the piece, of this rank's, of the next gradients of a rank.
    private func next(of rank: Int) -> (leaf: Int, piece: Int) {
        (rank + taken[rank] / own.count * ranks.count, taken[rank] % own.count)
    }

    /// Whether the next gradients of a rank are the next to be added.
    private func isTurn(of rank: Int) -> Bool {
        let (leaf, piece) = next(of: rank)
        return leavesAdded[piece] == leaf
    }

    private func countAdded(from rank: Int) {
        leavesAdded[next(of: rank).piece] += 1
        taken[rank] += 1
    }

    /// Adds everything that has come and whose turn it is.
    private func drain() throws {
        guard let link = ranks.link else { return }
        var hasAdded = true
        while hasAdded {
            hasAdded = false
            while let message = ownEarly.first, isTurn(of: ranks.rank) {
                ownEarly.removeFirst()
                add(message, from: ranks.rank)
                hasAdded = true
            }
            for rank in ranks.others where ends[rank] == nil {
                while let message = try early[rank] ?? link.receive(from: rank) {
                    early[rank] = nil
                    if let end = RankStepEnd(message) {
                        ends[rank] = end
                        break
                    }
                    // Of a step that is discarded, the streams are only emptied.
                    if ends.contains(where: { $0?.isDiscarded == true }) { continue }
                    guard isTurn(of: rank) else {
                        early[rank] = message
                        break
                    }
                    add(message, from: rank)
                    hasAdded = true
                }
            }
        }
    }

    private func add(_ message: RankMessage, from rank: Int) {
        let elements = own[next(of: rank).piece]
        let gradients = staging.columns(0..<elements.count)
        message.readFloats { gradients.upload($0) }
        device.backend.add(gradients, to: table.summedGradients(elements), scale: 1)
        countAdded(from: rank)
    }
}
