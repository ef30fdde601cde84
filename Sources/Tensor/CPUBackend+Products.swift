import CKernels

/// How one product is cut: in blocks whose packed factors fit the shared cache, those in pieces.
///
/// No cut but that of the depth changes a bit of the result.
private struct ProductBlocks {
    /// Elements of a packed factor at a time: 8 MB in float32.
    private static let packedElements = 1 << 21
    /// Depth at a time: a multiple of the depths at which packed panels end.
    private static let longestDepth = 4096
    /// Panels of the left factor a piece: 252 rows, which stay in the second-level cache.
    static let rowPanels = 21

    let depth: Int
    let rows: Int
    let columns: Int

    init(rows: Int, columns: Int, depth: Int) {
        self.depth = min(depth, Self.longestDepth)
        let lanes = max(512, Self.packedElements / self.depth)
        self.rows = min(rows, lanes / FK_LEFT_PANEL * FK_LEFT_PANEL)
        self.columns = min(
            columns, lanes / FK_RIGHT_PANEL * FK_RIGHT_PANEL)
    }
}

/// A factor as the packing kernel sees it: lanes are rows of the left factor or columns of the right one.
private struct ProductFactor {
    let pointer: UnsafePointer<Float>
    let laneStride: Int
    let depthStride: Int
    let width: Int

    /// Packs panels of `lanes` lanes from `lane` on, of the depth from `start` on.
    func pack(
        into packed: UnsafeMutableRawPointer, lanes: Range<Int>, depth: Range<Int>,
        panels: Range<Int>, bf16: Int32
    ) {
        fk_pack(
            packed, pointer + lanes.lowerBound * laneStride + depth.lowerBound * depthStride,
            laneStride, depthStride, lanes.count, depth.count, width, panels.lowerBound,
            panels.upperBound, bf16)
    }

    func panelCount(_ lanes: Int) -> Int { (lanes + width - 1) / width }
}

/// Products of whole matrices.
extension CPUBackend {
    /// Rows up to which weights are read as they are: packing them would cost more than the product.
    private static let fewRows = 8
    /// Elements that one piece of the packing packs, at least.
    private static let packGrain = 1 << 15

    package func matmul(
        _ c: Tensor, _ a: Tensor, _ b: Tensor, transposeA: Bool, transposeB: Bool, alpha: Float,
        beta: Float
    ) {
        let (m, n) = (c.rowCount, c.columnCount)
        let k = transposeA ? a.rowCount : a.columnCount
        precondition(
            (transposeA ? a.columnCount : a.rowCount) == m
                && (transposeB ? b.rowCount : b.columnCount) == n
                && (transposeB ? b.columnCount : b.rowCount) == k,
            "matmul: \(c.shape) from \(a.shape)\(transposeA ? "ᵀ" : "") and \(b.shape)\(transposeB ? "ᵀ" : "")"
        )
        if m <= Self.fewRows && !transposeA && transposeB && precision == .f32 {
            pool.ranges(n, grain: 64) { _, range in
                fk_multiply_few_rows(
                    c.pointer, c.rowStride, a.pointer, a.rowStride, b.pointer, b.rowStride, m, k,
                    range.lowerBound, range.upperBound, alpha, beta)
            }
            return
        }
        let left = ProductFactor(
            pointer: a.pointer, laneStride: transposeA ? 1 : a.rowStride,
            depthStride: transposeA ? a.rowStride : 1, width: FK_LEFT_PANEL)
        let right = ProductFactor(
            pointer: b.pointer, laneStride: transposeB ? b.rowStride : 1,
            depthStride: transposeB ? 1 : b.rowStride, width: FK_RIGHT_PANEL)
        multiply(c, left, right, depth: k, alpha: alpha, beta: beta)
    }

    private func multiply(
        _ c: Tensor, _ left: ProductFactor, _ right: ProductFactor, depth: Int, alpha: Float,
        beta: Float
    ) {
        let (m, n) = (c.rowCount, c.columnCount)
        let blocks = ProductBlocks(rows: m, columns: n, depth: depth)
        let bf16: Int32 = precision == .bf16 ? 1 : 0
        let leftFloats = fk_packed_bytes(blocks.rows, blocks.depth, left.width, bf16) / 4
        let rightFloats = fk_packed_bytes(blocks.columns, blocks.depth, right.width, bf16) / 4
        withScratch(floatCount: leftFloats + rightFloats) { scratch in
            let packedLeft = UnsafeMutableRawPointer(scratch)
            let packedRight = UnsafeMutableRawPointer(scratch + leftFloats)
            for start in stride(from: 0, to: depth, by: blocks.depth) {
                let depths = start..<min(depth, start + blocks.depth)
                for column in stride(from: 0, to: n, by: blocks.columns) {
                    let columns = column..<min(n, column + blocks.columns)
                    for row in stride(from: 0, to: m, by: blocks.rows) {
                        let rows = row..<min(m, row + blocks.rows)
                        // A factor that fits as a whole is packed once.
                        pack(
                            column == 0 || blocks.rows < m
                                ? (left, packedLeft, rows) : nil,
                            row == 0 ? (right, packedRight, columns) : nil, depths, bf16)
                        multiplyPacked(
                            c.pointer + row * c.rowStride + column, c.rowStride, packedLeft,
                            packedRight, rows.count, columns.count, depths.count, alpha,
                            start == 0 ? beta : 1, bf16)
                    }
                }
            }
        }
    }

    private func pack(
        _ left: (factor: ProductFactor, packed: UnsafeMutableRawPointer, lanes: Range<Int>)?,
        _ right: (factor: ProductFactor, packed: UnsafeMutableRawPointer, lanes: Range<Int>)?,
        _ depth: Range<Int>, _ bf16: Int32
    ) {
        let works = [left, right].compactMap { $0 }.map { work in
            let panels = work.factor.panelCount(work.lanes.count)
            let grain = max(1, Self.packGrain / (work.factor.width * depth.count))
            return (work: work, panels: panels, grain: grain, pieces: (panels + grain - 1) / grain)
        }
        pool.run(works.reduce(0) { $0 + $1.pieces }) { piece, _ in
            let first = works[0].pieces
            let (index, place) = piece < first ? (0, piece) : (1, piece - first)
            let (work, panels, grain, _) = works[index]
            work.factor.pack(
                into: work.packed, lanes: work.lanes, depth: depth,
                panels: place * grain..<min(panels, (place + 1) * grain), bf16: bf16)
        }
    }

    private func multiplyPacked(
        _ c: UnsafeMutablePointer<Float>, _ strideC: Int, _ left: UnsafeRawPointer,
        _ right: UnsafeRawPointer, _ rows: Int, _ columns: Int, _ depth: Int, _ alpha: Float,
        _ beta: Float, _ bf16: Int32
    ) {
        let rowPanels = (rows + FK_LEFT_PANEL - 1) / FK_LEFT_PANEL
        let columnPanels =
            (columns + FK_RIGHT_PANEL - 1) / FK_RIGHT_PANEL
        let rowPieces = (rowPanels + ProductBlocks.rowPanels - 1) / ProductBlocks.rowPanels
        let rowGrain = (rowPanels + rowPieces - 1) / rowPieces
        // Enough pieces that no thread waits long for the last one.
        let wanted = (8 * pool.threadCount + rowPieces - 1) / rowPieces
        let columnGrain = max(1, min(16, columnPanels / wanted))
        let columnPieces = (columnPanels + columnGrain - 1) / columnGrain
        pool.run(rowPieces * columnPieces) { piece, _ in
            let (row, column) = (
                piece / columnPieces * rowGrain, piece % columnPieces * columnGrain
            )
            fk_multiply_packed(
                c, strideC, left, right, rows, columns, depth, row, min(rowPanels, row + rowGrain),
                column, min(columnPanels, column + columnGrain), alpha, beta, bf16)
        }
    }
}
