/// A float32 array on a device: a view of rows on shared storage.
///
/// A tensor is seen as `[rowCount, columnCount]`, where `columnCount` is the last dimension and rows
/// are `rowStride` floats apart. A column range of a tensor is a tensor on the same storage, so that
/// the parts of a fused projection are used without copies.
public struct Tensor {
    let storage: Storage
    /// The first element, in floats from the start of the storage.
    let offset: Int
    /// The size of each dimension, outermost first; empty for a scalar.
    public let shape: [Int]
    /// Floats from one row to the next.
    public let rowStride: Int

    init(storage: Storage, offset: Int, shape: [Int], rowStride: Int) {
        self.storage = storage
        self.offset = offset
        self.shape = shape
        self.rowStride = rowStride
    }

    /// The size of the last dimension, 1 for a scalar.
    public var columnCount: Int { shape.last ?? 1 }
    /// The product of all dimensions but the last.
    public var rowCount: Int { shape.dropLast().reduce(1, *) }
    /// The number of elements.
    public var count: Int { shape.reduce(1, *) }
    /// Whether the rows follow each other without gaps.
    public var isContiguous: Bool { rowStride == columnCount || rowCount == 1 }

    /// The first element.
    package var pointer: UnsafeMutablePointer<Float> {
        storage.pointer.assumingMemoryBound(to: Float.self) + offset
    }

    /// The columns in a range, on the same storage.
    ///
    /// - Parameter range: within `0..<columnCount`.
    /// - Returns: a view `[…, range.count]`.
    public func columns(_ range: Range<Int>) -> Tensor {
        precondition(
            range.lowerBound >= 0 && range.upperBound <= columnCount,
            "columns: \(range) is outside 0..<\(columnCount)")
        return Tensor(
            storage: storage, offset: offset + range.lowerBound,
            shape: shape.dropLast() + [range.count], rowStride: rowStride)
    }

    /// The rows in a range, on the same storage.
    ///
    /// - Parameter range: within `0..<rowCount`.
    /// - Returns: a view `[range.count, columnCount]`.
    public func rows(_ range: Range<Int>) -> Tensor {
        precondition(
            range.lowerBound >= 0 && range.upperBound <= rowCount,
            "rows: \(range) is outside 0..<\(rowCount)")
        return Tensor(
            storage: storage, offset: offset + range.lowerBound * rowStride,
            shape: [range.count, columnCount], rowStride: rowStride)
    }

    /// The same elements under another shape.
    ///
    /// - Parameter shape: with the same number of elements; the tensor must be contiguous.
    /// - Returns: a view on the same storage.
    public func reshaped(_ shape: [Int]) -> Tensor {
        precondition(
            isContiguous && shape.reduce(1, *) == count,
            "reshaped: cannot see \(self.shape) with row stride \(rowStride) as \(shape)")
        return Tensor(storage: storage, offset: offset, shape: shape, rowStride: shape.last ?? 1)
    }

    /// The elements, row by row, read back from the device.
    ///
    /// - Returns: `count` numbers.
    public func toArray() -> [Float] {
        var values = [Float](repeating: 0, count: count)
        let float = MemoryLayout<Float>.stride
        values.withUnsafeMutableBytes { destination in
            let rowBytes = (isContiguous ? count : columnCount) * float
            for row in 0..<(isContiguous ? 1 : rowCount) {
                storage.read(
                    from: (offset + row * rowStride) * float,
                    into: UnsafeMutableRawBufferPointer(
                        rebasing: destination[row * rowBytes..<(row + 1) * rowBytes]))
            }
        }
        return values
    }

    /// Gives the elements of a contiguous tensor to `body`.
    ///
    /// - Parameter body: reads the elements; they must not outlive the call.
    /// - Returns: what `body` returns.
    /// - Throws: what `body` throws.
    public func withSpan<Result, Failure: Error>(
        _ body: (Span<Float>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        precondition(isContiguous, "withSpan: \(shape) with row stride \(rowStride) has gaps")
        return try body(
            Span(_unsafeElements: UnsafeBufferPointer(start: pointer, count: count)))
    }

    /// Lets `body` write the elements of a contiguous tensor.
    ///
    /// - Parameter body: writes the elements; the span must not outlive the call.
    /// - Returns: what `body` returns.
    /// - Throws: what `body` throws.
    public func withMutableSpan<Result, Failure: Error>(
        _ body: (inout MutableSpan<Float>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        precondition(
            isContiguous, "withMutableSpan: \(shape) with row stride \(rowStride) has gaps")
        storage.noteChange()
        var span = MutableSpan(
            _unsafeElements: UnsafeMutableBufferPointer(start: pointer, count: count))
        return try body(&span)
    }
}

/// Token ids or positions on a device: one Int32 a row.
public struct IndexTensor {
    let storage: Storage
    /// The number of rows.
    public let count: Int

    /// The first element.
    package var pointer: UnsafeMutablePointer<Int32> {
        storage.pointer.assumingMemoryBound(to: Int32.self)
    }
}
