import FalconTensor

#if canImport(Glibc)
    import Glibc
#endif

/// A tensor of a foreign file, made from one parameter, row by row.
struct ForeignTensor {
    /// The change of the values on the way out; the way in reverses it.
    enum Change {
        /// Every row of the parameter times a number.
        case scaled([RowScale])
        /// −e^x: `A_log` becomes A.
        case negativeExponential
        /// Scaled rows of rotary heads of `headRows` rows, the two halves of each head interleaved:
        /// row i + s·half becomes row 2·i + s.
        case interleaved(headRows: Int, scale: Float)

        /// The values as they are.
        static let none = Change.scaled([])
    }

    /// A scale for a number of consecutive rows.
    struct RowScale {
        let rowCount: Int
        let scale: Float
    }

    /// The name in the foreign file.
    let name: String
    /// The shape in the foreign file, with the same number of elements as the parameter.
    let shape: [Int]
    /// The parameter.
    let parameter: String
    /// Elements of a row of the parameter.
    let rowLength: Int
    let change: Change

    init(
        _ name: String, shape: [Int]? = nil, from parameter: Parameter,
        _ change: Change = .none
    ) {
        self.name = name
        self.shape = shape ?? parameter.shape
        self.parameter = parameter.name
        rowLength = parameter.count / max(1, parameter.shape.first ?? 1)
        self.change = change
    }

    /// The place in the parameter of a row of the foreign tensor.
    func sourceRow(_ row: Int) -> Int {
        guard case .interleaved(let headRows, _) = change else { return row }
        let (head, place) = (row / headRows, row % headRows)
        return head * headRows + place / 2 + place % 2 * (headRows / 2)
    }

    /// The place in the foreign tensor of a row of the parameter.
    func foreignRow(_ row: Int) -> Int {
        guard case .interleaved(let headRows, _) = change else { return row }
        let (head, place) = (row / headRows, row % headRows)
        return head * headRows + place % (headRows / 2) * 2 + place / (headRows / 2)
    }

    /// Elements of the tensor.
    var elementCount: Int { shape.reduce(1, *) }

    /// Reads the whole tensor in pieces.
    ///
    /// - Parameters:
    ///   - source: the parameters.
    ///   - take: takes piece after piece, in order.
    /// - Throws: errors of the source or of `take`.
    func readPieces(
        from source: any WeightSource, _ take: (Span<Float>) throws -> Void
    ) throws {
        let length = max(1, weightPieceLength / max(1, rowLength)) * rowLength
        for start in stride(from: 0, to: elementCount, by: length) {
            let end = min(elementCount, start + length)
            var piece = [Float](repeating: 0, count: end - start)
            var span = piece.mutableSpan
            try read(from: source, elements: start..<end, into: &span)
            try take(piece.span)
        }
    }

    /// Reads a part of the foreign tensor from the parameters.
    ///
    /// - Parameters:
    ///   - source: the parameters.
    ///   - elements: places in the foreign tensor; whole rows if rows change places.
    ///   - destination: the same number of elements; all are set.
    /// - Throws: errors of the source.
    func read(
        from source: any WeightSource, elements: Range<Int>,
        into destination: inout MutableSpan<Float>
    ) throws {
        if case .interleaved = change {
            var values = [Float](repeating: 0, count: rowLength)
            for (row, place) in rows(of: elements) {
                let start = sourceRow(row) * rowLength
                var span = values.mutableSpan
                try source.readFloats(
                    parameter, elements: start..<start + rowLength, into: &span)
                for column in 0..<rowLength { destination[place + column] = values[column] }
            }
        } else {
            try source.readFloats(parameter, elements: elements, into: &destination)
        }
        apply(to: &destination, from: elements.lowerBound)
    }

    /// The rows of a range of whole rows, each with its place in that range.
    func rows(of elements: Range<Int>) -> [(row: Int, place: Int)] {
        precondition(
            elements.lowerBound % rowLength == 0 && elements.count % rowLength == 0,
            "\(name): \(elements) are not whole rows of \(rowLength)")
        return (elements.lowerBound / rowLength..<elements.upperBound / rowLength).map {
            ($0, $0 * rowLength - elements.lowerBound)
        }
    }

    private func apply(to values: inout MutableSpan<Float>, from start: Int) {
        switch change {
        case .scaled(let scales):
            var begin = 0
            for part in scales {
                let end = begin + part.rowCount * rowLength
                let range =
                    max(
                        begin - start, 0)..<max(
                        max(begin - start, 0), min(end - start, values.count))
                if part.scale != 1 {
                    for index in range { values[index] *= part.scale }
                }
                begin = end
            }
        case .negativeExponential:
            for index in values.indices { values[index] = -exp(values[index]) }
        case .interleaved(_, let scale):
            if scale != 1 { for index in values.indices { values[index] *= scale } }
        }
    }
}
