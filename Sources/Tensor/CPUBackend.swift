import CKernels

/// The CPU: splits each kernel over the pool in pieces whose size never depends on the thread count.
///
/// All kernels are called from pieces of the pool or with scratch, so that a `RehearsalBackend`,
/// which runs neither, follows the same code without computing.
package class CPUBackend: Backend {
    package final let pool: ThreadPool
    private final weak var arena: Arena?

    /// Rows per piece for kernels that work row by row.
    static let rowGrain = 64
    /// Floats per piece for kernels on flat buffers.
    static let flatGrain = 1 << 16

    /// The precision of the factors in products; their sums are float32.
    final let precision: Precision

    init(pool: ThreadPool, precision: Precision) {
        self.pool = pool
        self.precision = precision
    }

    package final var parallelWork: ParallelWork { pool.work }

    // Memory: address space first, pages when they are touched.

    /// Address space for all memory of the computer; it costs nothing until it is written to.
    package var slabByteCount: Int { HostMemory.physicalByteCount }

    package func allocate(byteCount: Int) -> UnsafeMutableRawPointer? {
        HostMemory.allocate(byteCount)
    }

    package func deallocate(_ pointer: UnsafeMutableRawPointer, byteCount: Int) {
        HostMemory.deallocate(pointer, byteCount)
    }

    package func discard(_ pointer: UnsafeMutableRawPointer, byteCount: Int) {
        HostMemory.discard(pointer, byteCount)
    }

    package func write(_ source: UnsafeRawBufferPointer, to destination: UnsafeMutableRawPointer) {
        guard let base = source.baseAddress else { return }
        destination.copyMemory(from: base, byteCount: source.count)
    }

    package func read(
        _ source: UnsafeRawPointer, into destination: UnsafeMutableRawBufferPointer
    ) {
        guard let base = destination.baseAddress else { return }
        base.copyMemory(from: source, byteCount: destination.count)
    }

    package final func useScratch(of arena: Arena) { self.arena = arena }

    /// Runs `body` with scratch that was taken.
    func compute(
        _ scratch: [UnsafeMutableRawPointer], _ body: ([UnsafeMutablePointer<Float>]) -> Void
    ) {
        body(scratch.map { $0.assumingMemoryBound(to: Float.self) })
    }
}

/// Arithmetic on whole tensors.
extension CPUBackend {
    package func fill(_ y: Tensor, with value: Float) {
        guard y.isContiguous else {
            pool.ranges(y.rowCount, grain: Self.rowGrain) { _, range in
                fk_fill_rows(
                    y.rowPointer.from(range.lowerBound), range.count, y.columnCount, value)
            }
            return
        }
        let pointer = y.pointer
        pool.ranges(y.count, grain: Self.flatGrain) { _, range in
            fk_fill(pointer + range.lowerBound, range.count, value)
        }
    }

    package func copy(from x: Tensor, to y: Tensor, scale: Float) {
        forBlocks(of: y, x) { y, x, rows, columns in
            fk_copy_rows(y.rowPointer.from(0), x.rowPointer.from(0), rows, columns, scale)
        }
    }

    package func add(_ x: Tensor, to y: Tensor, scale: Float) {
        forBlocks(of: y, x) { y, x, rows, columns in
            fk_add_rows(y.rowPointer.from(0), x.rowPointer.from(0), rows, columns, scale)
        }
    }

    package func sum(_ y: Tensor, _ a: Tensor, _ b: Tensor, _ c: Tensor?) {
        let (y, a, b, c, count) = (y.pointer, a.pointer, b.pointer, c?.pointer, y.count)
        pool.ranges(count, grain: Self.flatGrain) { _, range in
            let i = range.lowerBound
            fk_sum(y + i, a + i, b + i, c.map { $0 + i }, range.count)
        }
    }

    package func total(_ x: Tensor) -> DeviceNumber {
        precondition(x.isContiguous, "total: \(x.shape) has gaps")
        var values = [Float](repeating: 0, count: x.count)
        values.withUnsafeMutableBytes { read(UnsafeRawPointer(x.pointer), into: $0) }
        return DeviceNumber(values.reduce(0) { $0 + Double($1) })
    }

    package func sumOfSquares(_ x: Tensor) -> DeviceNumber { DeviceNumber(squares(of: x)) }

    package func normalize(_ x: Tensor, to y: Tensor, floor: Double) {
        copy(from: x, to: y, scale: Float(1 / max(squares(of: x).squareRoot(), floor)))
    }

    private func squares(of x: Tensor) -> Double {
        precondition(x.isContiguous, "sumOfSquares: \(x.shape) has gaps")
        let pointer = x.pointer
        return sumOverPieces(x.count) { fk_sum_of_squares(pointer + $0.lowerBound, $0.count) }
    }

    /// Adds up a number for each piece of a flat buffer, in the order of the pieces.
    func sumOverPieces(_ count: Int, _ body: (Range<Int>) -> Double) -> Double {
        var partial = [Double](repeating: 0, count: (count + Self.flatGrain - 1) / Self.flatGrain)
        partial.withUnsafeMutableBufferPointer { partial in
            guard let partial = partial.baseAddress else { return }
            pool.ranges(count, grain: Self.flatGrain) { piece, range in
                partial[piece] = body(range)
            }
        }
        return partial.reduce(0, +)
    }

    /// Blocks of rows of two tensors of equal shape; one long row is cut in columns instead.
    private func forBlocks(
        of y: Tensor, _ x: Tensor, _ body: (Tensor, Tensor, _ rows: Int, _ columns: Int) -> Void
    ) {
        precondition(
            y.rowCount == x.rowCount && y.columnCount == x.columnCount,
            "copy or add: \(x.shape) to \(y.shape)")
        if y.isContiguous && x.isContiguous {
            let (flatY, flatX) = (y.reshaped([y.count]), x.reshaped([x.count]))
            pool.ranges(y.count, grain: Self.flatGrain) { _, range in
                body(flatY.columns(range), flatX.columns(range), 1, range.count)
            }
        } else {
            pool.ranges(y.rowCount, grain: Self.rowGrain) { _, range in
                body(y.rows(range), x.rows(range), range.count, y.columnCount)
            }
        }
    }

    /// Runs a backward kernel over row blocks, each adding to its own partial `[columns]`, and then adds
    /// the partials to `total` in order.
    func withPartials(
        rows: Int, total: Tensor?,
        _ body: (_ range: Range<Int>, _ partial: UnsafeMutablePointer<Float>) -> Void
    ) {
        let width = total?.count ?? 1
        let pieces = (rows + Self.rowGrain - 1) / Self.rowGrain
        withScratch(floatCount: pieces * width) { partials in
            fk_fill(partials, pieces * width, 0)
            pool.ranges(rows, grain: Self.rowGrain) { piece, range in
                body(range, partials + piece * width)
            }
            if let total { fk_reduce_partials(total.pointer, partials, pieces, width) }
        }
    }

    /// Whether a kernel adds to all of its targets: if one of them does, the others are zeroed.
    func accumulates(_ targets: GradientTarget...) -> Bool {
        guard targets.contains(where: \.accumulates) else { return false }
        for target in targets where !target.accumulates { fill(target.tensor, with: 0) }
        return true
    }

    /// Memory for the length of a call, from the arena like all other memory, so it is counted.
    func withScratch(floatCount: Int, _ body: (UnsafeMutablePointer<Float>) -> Void) {
        withScratch(floatCounts: [floatCount]) { body($0[0]) }
    }

    /// Several blocks of memory for the length of a call.
    func withScratch(floatCounts: [Int], _ body: ([UnsafeMutablePointer<Float>]) -> Void) {
        guard let arena else { preconditionFailure("withScratch: the backend has no arena") }
        let byteCounts = floatCounts.map { $0 * MemoryLayout<Float>.stride }
        arena.withScratch(byteCounts: byteCounts) { compute($0, body) }
    }
}
