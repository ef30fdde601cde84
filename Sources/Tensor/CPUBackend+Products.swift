import CKernels

/// A factor as the packing kernel sees it: lanes are rows of the left factor or columns of the right one.
private typealias ProductFactor = fk_factor

extension ProductFactor {
    /// The left factor of a product: `tensor` or its transpose.
    fileprivate static func left(_ tensor: Tensor, transposed: Bool) -> ProductFactor {
        ProductFactor(
            values: tensor.pointer, laneStride: transposed ? 1 : tensor.rowStride,
            depthStride: transposed ? tensor.rowStride : 1,
            lanes: transposed ? tensor.columnCount : tensor.rowCount,
            depth: transposed ? tensor.rowCount : tensor.columnCount, width: FK_LEFT_PANEL)
    }

    /// The right factor of a product: `tensor` or its transpose.
    fileprivate static func right(_ tensor: Tensor, transposed: Bool) -> ProductFactor {
        ProductFactor(
            values: tensor.pointer, laneStride: transposed ? tensor.rowStride : 1,
            depthStride: transposed ? 1 : tensor.rowStride,
            lanes: transposed ? tensor.rowCount : tensor.columnCount,
            depth: transposed ? tensor.columnCount : tensor.rowCount, width: FK_RIGHT_PANEL)
    }

    /// The part of some lanes and some of the depth.
    fileprivate func part(lanes: Range<Int>, depth: Range<Int>) -> ProductFactor {
        var part = self
        part.values += lanes.lowerBound * laneStride + depth.lowerBound * depthStride
        part.lanes = lanes.count
        part.depth = depth.count
        return part
    }

    fileprivate var panelCount: Int { (lanes + width - 1) / width }
    fileprivate var elementCount: Int { panelCount * width * depth }
}

/// A factor and where it is packed to.
private struct Packing {
    let factor: ProductFactor
    let packed: UnsafeMutableRawPointer
    /// The approximate number of elements that one piece of work packs.
    private static let grain = 1 << 15
    /// Whether lanes lie next to each other: pieces are then stretches of the depth, which read whole
    /// rows of memory; otherwise they are panels.
    private var isCutAlongDepth: Bool { factor.laneStride == 1 }
    private var panelGrain: Int { max(1, Self.grain / (factor.width * factor.depth)) }
    private var depthGrain: Int {
        max(16, Self.grain / (factor.panelCount * factor.width) / 16 * 16)
    }
    var pieceCount: Int {
        isCutAlongDepth
            ? (factor.depth + depthGrain - 1) / depthGrain
            : (factor.panelCount + panelGrain - 1) / panelGrain
    }

    func run(_ piece: Int, bf16: Int32) {
        let (panels, depth) = (
            isCutAlongDepth
                ? 0..<factor.panelCount
                : piece * panelGrain..<min(factor.panelCount, (piece + 1) * panelGrain),
            isCutAlongDepth
                ? piece * depthGrain..<min(factor.depth, (piece + 1) * depthGrain)
                : 0..<factor.depth
        )
        fk_pack(packed, factor, fk_range(panels), fk_range(depth), bf16)
    }
}

/// c = Σ alpha · left right + beta · c over one or more terms, cut in pieces of whole panels.
///
/// No cut changes a bit of the result.
private struct ProductJob {
    /// One product of packed factors.
    struct Term {
        let left: Packing
        let right: Packing
        let alpha: Float
    }

    let c: fk_rows
    let beta: Float
    let terms: [Term]

    private var left: ProductFactor { terms[0].left.factor }
    private var right: ProductFactor { terms[0].right.factor }
    /// Panels of the left factor per piece: at most 252 rows, which stay in the second-level cache.
    private var rowGrain: Int {
        let pieces = (left.panelCount + 20) / 21
        return (left.panelCount + pieces - 1) / pieces
    }
    /// Panels of the right factor per piece: 256 columns, fewer where there is one panel of rows.
    private var columnGrain: Int { min(left.panelCount == 1 ? 2 : 8, right.panelCount) }
    private var columnPieces: Int { (right.panelCount + columnGrain - 1) / columnGrain }
    var pieceCount: Int { (left.panelCount + rowGrain - 1) / rowGrain * columnPieces }

    func run(_ piece: Int, bf16: Int32) {
        let row = piece / columnPieces * rowGrain
        let column = piece % columnPieces * columnGrain
        let rows = row..<min(left.panelCount, row + rowGrain)
        let columns = column..<min(right.panelCount, column + columnGrain)
        for (place, term) in terms.enumerated() {
            fk_multiply_packed(
                c,
                fk_packed_product(
                    left: term.left.packed, right: term.right.packed, rows: left.lanes,
                    columns: right.lanes, depth: term.left.factor.depth, bf16: bf16),
                fk_range(rows), fk_range(columns), term.alpha, place == 0 ? beta : 1)
        }
    }
}

/// Products of whole matrices.
extension CPUBackend {
    /// Rows up to which weights are read as they are: packing them would cost more than the product.
    fileprivate static let fewRows = 8
    /// Elements of a packed factor at a time: 8 MB in float32.
    private static let packedElements = 1 << 21
    /// Depth of a packed factor at a time, unless products share factors.
    private static let longestDepth = 4096
    /// Elements of all packed factors together, up to which products share them.
    private static let sharedElements = 1 << 23

    private var bf16: Int32 { precision == .bf16 ? 1 : 0 }
    /// The options for kernels that contain products.
    var tileOptions: UInt32 { precision == .bf16 ? UInt32(FK_TILE_BF16) : 0 }

    package func matmul(
        _ c: Tensor, _ a: Tensor, _ b: Tensor, transposeA: Bool, transposeB: Bool, alpha: Float,
        beta: Float
    ) {
        let left = ProductFactor.left(a, transposed: transposeA)
        let right = ProductFactor.right(b, transposed: transposeB)
        precondition(
            left.lanes == c.rowCount && right.lanes == c.columnCount && left.depth == right.depth,
            "matmul: \(c.shape) from \(a.shape)\(transposeA ? "ᵀ" : "") and \(b.shape)\(transposeB ? "ᵀ" : "")"
        )
        if left.lanes <= Self.fewRows && !transposeA && transposeB && precision == .f32 {
            return multiplyFewRows([c], a, [b], scales: [alpha], beta: beta)
        }
        multiplyInBlocks(c, left, right, alpha: alpha, beta: beta)
    }

    package func linearForward(
        _ outputs: [Tensor], input: Tensor, weights: [WeightMatrix], scales: [Float]
    ) {
        let packed = weights.compactMap(\.packed)
        let weights = weights.map(\.value)
        if packed.count == weights.count {
            return multiplyKept(outputs, input, weights, packed: packed, scales: scales)
        }
        if input.rowCount <= Self.fewRows && precision == .f32 {
            return multiplyFewRows(outputs, input, weights, scales: scales, beta: 0)
        }
        let left = ProductFactor.left(input, transposed: false)
        let rights = weights.map { ProductFactor.right($0, transposed: true) }
        let isShared =
            outputs.count > 1
            && ([left] + rights).reduce(0) { $0 + $1.elementCount } <= Self.sharedElements
        guard isShared else {
            for (place, output) in outputs.enumerated() {
                matmul(
                    output, input, weights[place], transposeA: false, transposeB: true,
                    alpha: scales[place], beta: 0)
            }
            return
        }
        withPacked([left] + rights) { packed in
            run(
                outputs.enumerated().map { place, output in
                    ProductJob(
                        c: output.rowPointer.from(0), beta: 0,
                        terms: [
                            .init(left: packed[0], right: packed[1 + place], alpha: scales[place])
                        ])
                })
        }
    }

    package func linearBackward(
        dInput: GradientTarget, dWeights: [Tensor], dOutputs: [Tensor], input: Tensor,
        weights: [Tensor], scales: [Float]
    ) {
        let (dInput, accumulates) = (dInput.tensor, dInput.accumulates)
        let count = dOutputs.count
        let factors =
            dOutputs.map { ProductFactor.left($0, transposed: false) }
            + weights.map { ProductFactor.right($0, transposed: false) }
            + dOutputs.map { ProductFactor.left($0, transposed: true) }
            + [ProductFactor.right(input, transposed: false)]
        guard factors.reduce(0, { $0 + $1.elementCount }) <= Self.sharedElements else {
            for place in 0..<count {
                matmul(
                    dWeights[place], dOutputs[place], input, transposeA: true, transposeB: false,
                    alpha: scales[place], beta: 1)
                matmul(
                    dInput, dOutputs[place], weights[place], transposeA: false, transposeB: false,
                    alpha: scales[place], beta: accumulates || place > 0 ? 1 : 0)
            }
            return
        }
        withPacked(factors) { packed in
            let input = ProductJob(
                c: dInput.rowPointer.from(0), beta: accumulates ? 1 : 0,
                terms: (0..<count).map {
                    .init(left: packed[$0], right: packed[count + $0], alpha: scales[$0])
                })
            run(
                [input]
                    + dWeights.enumerated().map { place, dWeight in
                        ProductJob(
                            c: dWeight.rowPointer.from(0), beta: 1,
                            terms: [
                                .init(
                                    left: packed[2 * count + place], right: packed[3 * count],
                                    alpha: scales[place])
                            ])
                    })
        }
    }

    package func packedElements(rows: Int, columns: Int) -> (kind: ElementKind, count: Int)? {
        // In float32 a copy would be as large as the weights: one row is no faster, and packing is a
        // small part of many.
        guard precision == .bf16 else { return nil }
        let byteCount = fk_packed_bytes(rows, columns, FK_RIGHT_PANEL, bf16)
        return (.bfloat16, byteCount / ElementKind.bfloat16.byteCount)
    }

    package func packWeights(_ packed: Tensor, _ weight: Tensor) {
        pack([
            Packing(
                factor: .right(weight, transposed: true),
                packed: packed.address)
        ])
    }

    /// outputs[i] = scales[i] · input weights[i]ᵀ with weights that were packed before.
    private func multiplyKept(
        _ outputs: [Tensor], _ input: Tensor, _ weights: [Tensor], packed: [Tensor],
        scales: [Float]
    ) {
        let rights = zip(weights, packed).map {
            Packing(
                factor: .right($0, transposed: true), packed: $1.address)
        }
        let (rowCount, depth) = (input.rowCount, input.columnCount)
        let block = max(FK_LEFT_PANEL, Self.packedElements / depth / FK_LEFT_PANEL * FK_LEFT_PANEL)
        for start in stride(from: 0, to: rowCount, by: block) {
            let rows = start..<min(rowCount, start + block)
            withPacked([.left(input.rows(rows), transposed: false)]) { left in
                run(
                    outputs.enumerated().map { place, output in
                        ProductJob(
                            c: output.rowPointer.from(start), beta: 0,
                            terms: [
                                .init(left: left[0], right: rights[place], alpha: scales[place])
                            ])
                    })
            }
        }
    }

    /// outputs[i] = scales[i] · input weights[i]ᵀ + beta · outputs[i], reading weights as they are.
    private func multiplyFewRows(
        _ outputs: [Tensor], _ input: Tensor, _ weights: [Tensor], scales: [Float], beta: Float
    ) {
        let grain = 64
        let parts = zip(outputs, weights).map { (c: $0.rowPointer, weight: $1.rowPointer) }
        let (rows, x) = (input.rowCount, input.rowPointer)
        pool.run(pieceCounts: outputs.map { ($0.columnCount + grain - 1) / grain }) {
            place, piece in
            let (c, weight) = parts[place]
            let columns = piece * grain..<min(c.columns, (piece + 1) * grain)
            fk_multiply_few_rows(
                c.from(0), x.from(0), weight.from(0), rows, x.columns, fk_range(columns),
                scales[place], beta)
        }
    }

    /// A product whose factors are packed block by block, so that they fit the shared cache.
    private func multiplyInBlocks(
        _ c: Tensor, _ left: ProductFactor, _ right: ProductFactor, alpha: Float, beta: Float
    ) {
        let depth = min(left.depth, Self.longestDepth)
        let lanes = max(512, Self.packedElements / depth)
        let rowCount = min(left.lanes, lanes / left.width * left.width)
        let columnCount = min(right.lanes, lanes / right.width * right.width)
        let leftFloats = packedFloats(left.part(lanes: 0..<rowCount, depth: 0..<depth))
        let rightFloats = packedFloats(right.part(lanes: 0..<columnCount, depth: 0..<depth))
        withScratch(floatCounts: [leftFloats, rightFloats]) { scratch in
            for start in stride(from: 0, to: left.depth, by: depth) {
                let depths = start..<min(left.depth, start + depth)
                for column in stride(from: 0, to: right.lanes, by: columnCount) {
                    let columns = column..<min(right.lanes, column + columnCount)
                    let rightPart = Packing(
                        factor: right.part(lanes: columns, depth: depths),
                        packed: UnsafeMutableRawPointer(scratch[1]))
                    for row in stride(from: 0, to: left.lanes, by: rowCount) {
                        let rows = row..<min(left.lanes, row + rowCount)
                        let leftPart = Packing(
                            factor: left.part(lanes: rows, depth: depths),
                            packed: UnsafeMutableRawPointer(scratch[0]))
                        // A factor that fits as a whole is packed once.
                        let keepsLeft = rowCount >= left.lanes && column > 0
                        pack((keepsLeft ? [] : [leftPart]) + (row > 0 ? [] : [rightPart]))
                        run([
                            ProductJob(
                                c: c.rowPointer.from(row, column: column),
                                beta: start == 0 ? beta : 1,
                                terms: [.init(left: leftPart, right: rightPart, alpha: alpha)])
                        ])
                    }
                }
            }
        }
    }

    /// Packs factors in scratch memory, all at once.
    private func withPacked(_ factors: [ProductFactor], _ body: ([Packing]) -> Void) {
        withScratch(floatCounts: factors.map(packedFloats)) { scratch in
            let packings = zip(factors, scratch).map { factor, block in
                Packing(factor: factor, packed: UnsafeMutableRawPointer(block))
            }
            pack(packings)
            body(packings)
        }
    }

    /// Floats that a packed factor takes.
    private func packedFloats(_ factor: ProductFactor) -> Int {
        fk_packed_bytes(factor.lanes, factor.depth, factor.width, bf16) / MemoryLayout<Float>.stride
    }

    private func pack(_ packings: [Packing]) {
        let bf16 = bf16
        pool.run(pieceCounts: packings.map(\.pieceCount)) { place, piece in
            packings[place].run(piece, bf16: bf16)
        }
    }

    private func run(_ jobs: [ProductJob]) {
        let bf16 = bf16
        pool.run(pieceCounts: jobs.map(\.pieceCount)) { place, piece in
            jobs[place].run(piece, bf16: bf16)
        }
    }
}

extension ThreadPool {
    /// Runs the pieces of several jobs as one.
    fileprivate func run(pieceCounts: [Int], _ body: (_ job: Int, _ piece: Int) -> Void) {
        run(pieceCounts.reduce(0, +)) { piece, _ in
            var (job, rest) = (0, piece)
            while rest >= pieceCounts[job] {
                rest -= pieceCounts[job]
                job += 1
            }
            body(job, rest)
        }
    }
}

extension Device {
    /// From this number of rows on, the bits of a row do not depend on how many there are: fewer take another
    /// way through products, which is faster and rounds otherwise.
    public static let steadyRowCount = CPUBackend.fewRows + 1
}
