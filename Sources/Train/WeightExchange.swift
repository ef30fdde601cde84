import FalconOptim
import FalconRanks
import FalconTensor

/// Brings the weights that each rank has updated to all others.
struct WeightExchange {
    /// By rank, the elements that it sends, in their order, each as one message.
    private let pieces: [[Range<Int>]]
    private let ranks: RankGroup

    /// An exchange between the ranks of a run.
    ///
    /// - Parameters:
    ///   - ranks: at least two.
    ///   - units: of a table.
    ///   - owners: the rank of each unit.
    init(_ ranks: RankGroup, units: [UpdateUnit], owners: [Int]) {
        self.ranks = ranks
        var pieces = [[Range<Int>]](repeating: [], count: ranks.count)
        for (unit, owner) in zip(units, owners) {
            pieces[owner] += unit.elements.flatMap { $0.pieces(ofAtMost: ranks.messageFloatLimit) }
        }
        self.pieces = pieces
    }

    /// Sends this rank's weights and takes in those of the others.
    ///
    /// - Parameter table: the weights.
    /// - Throws: `RankFailure` if a rank has failed.
    func run(_ table: ParameterTable) throws {
        guard let link = ranks.link else { return }
        try ranks.measured { try run(table, link) }
    }

    private func run(_ table: ParameterTable, _ link: any RankLink) throws {
        var taken = [Int](repeating: 0, count: ranks.count)
        func drain() throws {
            for rank in ranks.others {
                while taken[rank] < pieces[rank].count, let message = try link.receive(from: rank) {
                    let weights = table.values.columns(pieces[rank][taken[rank]])
                    message.readFloats { weights.upload($0) }
                    taken[rank] += 1
                }
            }
        }
        for piece in pieces[ranks.rank] {
            for rank in ranks.others {
                try ranks.waitForRoom(drain)
                let message = link.makeMessage()
                table.values.columns(piece).download { message.append($0) }
                try ranks.send(message, to: rank)
            }
        }
        try ranks.wait {
            try drain()
            return ranks.others.allSatisfy { taken[$0] == pieces[$0].count }
        }
    }
}

extension Range<Int> {
    /// Parts of the range, next to each other.
    ///
    /// - Parameter length: of a part, at least 1; the last one may be shorter.
    /// - Returns: none of them empty.
    func pieces(ofAtMost length: Int) -> [Range<Int>] {
        stride(from: lowerBound, to: upperBound, by: Swift.min(length, Swift.max(1, count))).map {
            $0..<Swift.min($0 + length, upperBound)
        }
    }
}
