/// An array of float32 or bfloat16 on a device: a view of rows on shared storage.
///
/// A tensor is seen as `[rowCount, columnCount]`, where `columnCount` is the last dimension and rows
/// are `rowStride` elements apart. A column range of a tensor is a tensor on the same storage, so that
/// the parts of a fused projection are used without copies.
public struct Tensor {
    let storage: Storage
    /// The kind of the elements.
    public let elements: ElementKind
    /// The first element, in elements from the start of the storage.
    let offset: Int
    /// The size of each dimension, outermost first; empty for a scalar.
    public let shape: [Int]
    /// Elements from one row to the next.
    public let rowStride: Int

    init(
        storage: Storage, elements: ElementKind = .float32, offset: Int, shape: [Int],
        rowStride: Int
    ) {
        self.storage = storage
        self.elements = elements
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

    /// The first element of a float32 tensor.
    package var pointer: UnsafeMutablePointer<Float> {
        precondition(elements == .float32, "pointer: the elements are \(elements), want float32")
        return storage.pointer.assumingMemoryBound(to: Float.self) + offset
    }

    /// The first element, of any kind.
    package var address: UnsafeMutableRawPointer {
        storage.pointer + offset * elements.byteCount
    }

    /// The bytes of the elements, gaps between rows left out.
    package var byteCount: Int { count * elements.byteCount }

    /// The columns in a range, on the same storage.
    ///
    /// - Parameter range: within `0..<columnCount`.
    /// - Returns: a view `[…, range.count]`.
    public func columns(_ range: Range<Int>) -> Tensor {
        precondition(
            range.lowerBound >= 0 && range.upperBound <= columnCount,
            "columns: \(range) is outside 0..<\(columnCount)")
        return Tensor(
            storage: storage, elements: elements, offset: offset + range.lowerBound,
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
            storage: storage, elements: elements, offset: offset + range.lowerBound * rowStride,
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
        return Tensor(
            storage: storage, elements: elements, offset: offset, shape: shape,
            rowStride: shape.last ?? 1)
    }
}

/// Token ids or positions on a device: one Int32 per row.
public struct IndexTensor {
    let storage: Storage
    /// The number of rows.
    public let count: Int

    /// The first element.
    package var pointer: UnsafeMutablePointer<Int32> {
        storage.pointer.assumingMemoryBound(to: Int32.self)
    }
}
