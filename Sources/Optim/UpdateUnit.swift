import FalconTensor

/// A part of the parameters that one rank updates, as a whole.
///
/// Units follow from the model and the rules alone. A matrix that Muon updates is one, with those that it is
/// stacked with; a matrix with multipliers is one, with these; everything else, which AdamW updates element by
/// element, is cut in pieces.
public struct UpdateUnit: Equatable, Sendable {
    /// The most elements of a piece: 1 MiB, so that messages and dealing are even; of tables beyond 4 billion, more,
    /// so that there are at most 16,384 pieces and one a parameter.
    ///
    /// - Parameter table: the parameters; they need no memory.
    /// - Returns: a power of two that depends on the table's size alone.
    static func pieceLength(of table: ParameterTable) -> Int {
        var length = 1 << 18
        while table.flatCount / length > 1 << 14 { length *= 2 }
        return length
    }

    /// Elements of the flat buffers, ascending, whose gradients backward leaves.
    public let ranges: [Range<Int>]
    /// Elements of multipliers whose gradients follow from those of `ranges`.
    public let multipliers: [Range<Int>]
    /// The stage of the backward pass after which the gradients are complete.
    public let stage: BackwardStage
    /// Floating-point operations of Muon in an update; 0 for AdamW.
    public let work: Double

    /// All elements.
    public var elements: [Range<Int>] { ranges + multipliers }
    /// The number of elements.
    public var count: Int { elements.reduce(0) { $0 + $1.count } }

    /// The units of a table, in the order of their first elements.
    ///
    /// - Parameters:
    ///   - table: the parameters; they need no memory.
    ///   - section: the rules.
    /// - Returns: units that together cover the flat buffers once.
    /// - Throws: `OptimizerError` as `Optimizer.groupPlaces`.
    public static func all(
        of table: ParameterTable, _ section: OptimizerSection
    ) throws(OptimizerError) -> [UpdateUnit] {
        let groups = try Optimizer.groupPlaces(of: table, section).map { section.groups[$0] }
        let places = Dictionary(
            uniqueKeysWithValues: table.parameters.enumerated().map { ($1.name, $0) })
        // Multipliers of a matrix go with it.
        var multipliers: [Int: [Int]] = [:]
        for matrix in table.multipliedMatrices {
            multipliers[places[matrix.matrix.name] ?? 0] = matrix.multipliers.compactMap {
                places[$0.name]
            }
        }
        let attached = Set(multipliers.values.flatMap { $0 })
        let muon = Optimizer.muonUpdates(of: table, section, groups)
        var units: [UpdateUnit] = []
        let pieceLength = pieceLength(of: table)
        var piece: (elements: Range<Int>, stage: BackwardStage)?
        func closePiece() {
            guard let whole = piece else { return }
            piece = nil
            for start in stride(
                from: whole.elements.lowerBound, to: whole.elements.upperBound, by: pieceLength)
            {
                let end = min(start + pieceLength, whole.elements.upperBound)
                units.append(
                    UpdateUnit(
                        ranges: [start..<end], multipliers: [], stage: whole.stage, work: 0))
            }
        }
        var index = 0
        while index < table.parameters.count {
            defer { index += 1 }
            if attached.contains(index) {
                closePiece()
                continue
            }
            let (room, stage) = (table.room(of: index), table.parameters[index].stage)
            let updates = muon.filter { $0.places.contains(index) }
            guard !updates.isEmpty || multipliers[index] != nil else {
                if let open = piece, open.stage == stage,
                    open.elements.upperBound == room.lowerBound
                {
                    piece = (open.elements.lowerBound..<room.upperBound, stage)
                } else {
                    closePiece()
                    piece = (room, stage)
                }
                continue
            }
            closePiece()
            // A stack goes on behind its first matrix.
            let last = updates.map { $0.places.upperBound }.max() ?? index
            let members = index...max(index, last)
            let own = members.flatMap { multipliers[$0] ?? [] }
            units.append(
                UpdateUnit(
                    ranges: ParameterShare(members.map(table.room)).ranges,
                    multipliers: ParameterShare(own.map(table.room)).ranges, stage: stage,
                    work: updates.reduce(0) { $0 + $1.work(section.muon) }))
            index = members.upperBound
        }
        closePiece()
        return units
    }

    /// Deals units out to ranks: Muon's to the rank with the least work, others to the one that holds the fewest
    /// elements, in the order of the stages of backward, so that every block is spread.
    ///
    /// - Parameters:
    ///   - units: of a table.
    ///   - rankCount: the number of ranks, at least 1.
    /// - Returns: the rank of each unit.
    public static func owners(of units: [UpdateUnit], rankCount: Int) -> [Int] {
        var (work, elements) = (
            [Double](repeating: 0, count: rankCount), [Int](repeating: 0, count: rankCount)
        )
        var owners = [Int](repeating: 0, count: units.count)
        let order = units.indices.sorted { a, b in
            let (a, b) = (units[a], units[b])
            if a.stage != b.stage { return a.stage < b.stage }
            if a.work != b.work { return a.work > b.work }
            if a.count != b.count { return a.count > b.count }
            return a.ranges[0].lowerBound < b.ranges[0].lowerBound
        }
        for place in order {
            let unit = units[place]
            let rank = (0..<rankCount).min {
                unit.work > 0
                    ? (work[$0], elements[$0], $0) < (work[$1], elements[$1], $1)
                    : (elements[$0], $0) < (elements[$1], $1)
            }
            owners[place] = rank ?? 0
            work[owners[place]] += unit.work
            elements[owners[place]] += unit.count
        }
        return owners
    }

    /// The stretches of parameters that make up some units.
    ///
    /// - Parameters:
    ///   - units: of the table.
    ///   - table: the parameters; they need no memory.
    /// - Returns: pieces in the order of their elements; gaps between parameters are in none.
    public static func pieces(of units: [UpdateUnit], _ table: ParameterTable) -> [UpdatePiece] {
        let stretches = units.enumerated().flatMap { unit, value in
            value.elements.map { (unit: unit, elements: $0) }
        }.sorted { $0.elements.lowerBound < $1.elements.lowerBound }
        var pieces: [UpdatePiece] = []
        var index = 0
        for stretch in stretches {
            while table.room(of: index).upperBound <= stretch.elements.lowerBound { index += 1 }
            while index < table.parameters.count {
                let part = table.elements(of: index).clamped(to: stretch.elements)
                if !part.isEmpty {
                    pieces.append(
                        UpdatePiece(parameter: index, elements: part, unit: stretch.unit))
                }
                guard table.room(of: index).upperBound <= stretch.elements.upperBound else { break }
                index += 1
            }
        }
        return pieces
    }
}

/// A stretch of one parameter in one unit: what norms are summed over, so that their bits do not depend on who
/// holds which unit.
public struct UpdatePiece: Equatable, Sendable {
    /// The parameter's place in the table.
    public let parameter: Int
    /// Elements of the flat buffers.
    public let elements: Range<Int>
    /// The unit's place among the units.
    public let unit: Int
}
