import CKernels

/// Learnable multipliers: from trained masters to the weights that the model uses, and back.
extension CPUBackend {
    /// Rows of a matrix in a piece: about 64 K floats, so that partial sums of columns stay few.
    private func multiplierGrain(columns: Int) -> Int { max(16, Self.flatGrain / columns) }

    package func scaleRowsColumns(
        _ values: Tensor, of masters: Tensor, rows: Tensor?, columns: Tensor?
    ) {
        let step = (rows?.count ?? 1) == 1 ? 0 : 1
        let (rowCount, width) = (values.rowCount, values.columnCount)
        let (values, masters) = (values.pointer, masters.pointer)
        let (rows, columns) = (rows?.pointer, columns?.pointer)
        pool.ranges(rowCount, grain: multiplierGrain(columns: width)) { _, range in
            let (row, first) = (range.lowerBound, range.lowerBound * width)
            fk_scale_rows_columns(
                values + first,
                fk_scaled_matrix(
                    w: masters + first, r: rows.map { $0 + row * step }, stepR: step, c: columns,
                    rows: range.count, columns: width))
        }
    }

    package func splitScaledGradient(
        _ gradient: Tensor, dRows: Tensor?, dColumns: Tensor?, masters: Tensor, rows: Tensor?,
        columns: Tensor?
    ) {
        let step = (rows?.count ?? 1) == 1 ? 0 : 1
        let (rowCount, width) = (gradient.rowCount, gradient.columnCount)
        let grain = multiplierGrain(columns: width)
        let pieces = (rowCount + grain - 1) / grain
        let (gradient, masters) = (gradient.pointer, masters.pointer)
        let (rows, columns) = (rows?.pointer, columns?.pointer)
        let (dRows, dColumns) = (dRows?.pointer, dColumns?.pointer)
        withScratch(floatCounts: [2 * rowCount, dColumns == nil ? 1 : pieces * width]) { blocks in
            let partials = blocks[1]
            blocks[0].withMemoryRebound(to: Double.self, capacity: rowCount) { sums in
                pool.ranges(rowCount, grain: grain) { piece, range in
                    let (row, first) = (range.lowerBound, range.lowerBound * width)
                    let partial = dColumns == nil ? nil : partials + piece * width
                    if let partial { fk_fill(partial, width, 0) }
                    fk_split_scaled_gradient(
                        gradient + first, sums + row, partial,
                        fk_scaled_matrix(
                            w: masters + first, r: rows.map { $0 + row * step }, stepR: step,
                            c: columns, rows: range.count, columns: width))
                }
                if let dColumns { fk_reduce_partials(dColumns, partials, pieces, width) }
                guard let dRows else { return }
                if step == 1 {
                    for row in 0..<rowCount { dRows[row] += Float(sums[row]) }
                } else {
                    var sum = 0.0
                    for row in 0..<rowCount { sum += sums[row] }
                    dRows[0] += Float(sum)
                }
            }
        }
    }
}
