/// A matrix and its learnable multipliers: V = diag(r) W diag(c).
public struct MultipliedMatrix {
    /// Multipliers of a block of rows.
    public struct Rows {
        /// The rows.
        public let range: Range<Int>
        /// One number per row, or one for all of them.
        public let multiplier: Parameter
        /// The multiplier's name behind the matrix', such as `row_multiplier.dt`.
        public let label: String

        var isScalar: Bool { multiplier.count == 1 && range.count > 1 }
    }

    /// Holds W as its master and V as its value.
    public let matrix: Parameter
    /// r, in the order of the rows; rows that are not among them are not scaled.
    public let rows: [Rows]
    /// c, one number per column; nil for none.
    public let columns: Parameter?
    private static let columnsLabel = "column_multiplier"

    /// All of its multipliers.
    public var multipliers: [Parameter] { labelledMultipliers.map(\.multiplier) }

    /// All of its multipliers, each with its name behind the matrix'.
    public var labelledMultipliers: [(label: String, multiplier: Parameter)] {
        rows.map { ($0.label, $0.multiplier) }
            + (columns.map { [(Self.columnsLabel, $0)] } ?? [])
    }

    /// The multipliers of a matrix in a placement; nil if it has none.
    init?(_ matrix: Parameter, placement: MultiplierPlacement?) {
        guard let placement else { return nil }
        self.matrix = matrix
        let isScalar = placement == .scalar && matrix.multiplierRoom.scalar
        let sides = matrix.multiplierRoom.sides(placement)
        guard isScalar || !sides.isEmpty else { return nil }
        func multiplier(_ label: String, _ count: Int) -> Parameter {
            Parameter(
                name: matrix.name + "." + label, shape: [count], role: .multiplier,
                initialization: .ones)
        }
        var rows: [Rows] = []
        func add(_ range: Range<Int>, _ label: String, _ count: Int) {
            rows.append(
                Rows(range: range, multiplier: multiplier(label, count), label: label))
        }
        var start = 0
        for part in matrix.rowParts.isEmpty
            ? [RowPart("", rowCount: matrix.shape[0])] : matrix.rowParts
        {
            let range = start..<start + part.rowCount
            start = range.upperBound
            let suffix = part.name.isEmpty ? "" : "." + part.name
            if isScalar {
                add(range, "multiplier" + suffix, 1)
            } else if sides.contains(.rows) && (placement == .redundant || part.hasFreeRows) {
                add(range, "row_multiplier" + suffix, part.rowCount)
            }
        }
        self.rows = rows
        columns =
            sides.contains(.columns) ? multiplier(Self.columnsLabel, matrix.shape[1]) : nil
    }

    /// Stretches of rows with one kind of scale each, those without a scale included.
    private var bands: [(range: Range<Int>, multiplier: Parameter?)] {
        var bands: [(range: Range<Int>, multiplier: Parameter?)] = []
        var start = 0
        for rows in rows {
            if rows.range.lowerBound > start { bands.append((start..<rows.range.lowerBound, nil)) }
            bands.append((rows.range, rows.multiplier))
            start = rows.range.upperBound
        }
        if start < matrix.shape[0] { bands.append((start..<matrix.shape[0], nil)) }
        return bands
    }

    /// V = diag(r) W diag(c).
    func materialise(_ backend: any Backend) {
        for band in bands {
            backend.scaleRowsColumns(
                matrix.value.rows(band.range), of: matrix.master.rows(band.range),
                rows: band.multiplier?.value, columns: columns?.value)
        }
    }

    /// Turns dL/dV into dL/dW in place and adds dL/dr and dL/dc to their gradients.
    ///
    ///     dW_ij = r_i c_j dV_ij    dr_i = sum_j W_ij c_j dV_ij    dc_j = sum_i r_i W_ij dV_ij
    func splitGradient(_ backend: any Backend) {
        for band in bands {
            backend.splitScaledGradient(
                matrix.summedGradient.rows(band.range),
                dRows: band.multiplier?.summedGradient, dColumns: columns?.summedGradient,
                masters: matrix.master.rows(band.range),
                rows: band.multiplier?.value, columns: columns?.value)
        }
    }
}
