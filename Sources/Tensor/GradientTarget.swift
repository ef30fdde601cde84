/// The place where a kernel leaves a gradient.
package struct GradientTarget {
    /// Of the shape and layout of the tensor whose gradient it is.
    package let tensor: Tensor
    /// Whether to add to the contents; otherwise they are undefined and every element is written.
    package let accumulates: Bool

    /// A place to write to: a new gradient, or an output of a kernel that serves both directions.
    package static func written(_ tensor: Tensor) -> GradientTarget {
        GradientTarget(tensor: tensor, accumulates: false)
    }
}

/// The columns of a gradient's rows that hold something, while others are still undefined.
///
/// The parts of a fused projection are columns of one tensor, and each part's gradient comes from another
/// op: zeroing all of it first would cost as much as the ops.
struct WrittenColumns {
    /// Floats from one row to the next.
    let rowStride: Int
    /// In ascending order, neither empty nor touching.
    private(set) var ranges: [Range<Int>] = []

    /// No columns yet.
    ///
    /// - Parameter rowStride: floats from one row to the next.
    init(rowStride: Int) { self.rowStride = rowStride }

    /// Whether nothing is undefined.
    var isComplete: Bool { ranges == [0..<rowStride] }

    /// The columns that are still undefined.
    var missing: [Range<Int>] {
        let starts = [0] + ranges.map(\.upperBound)
        let ends = ranges.map(\.lowerBound) + [rowStride]
        return zip(starts, ends).filter { $0 < $1 }.map { $0..<$1 }
    }

    /// Whether one of some columns holds something.
    func overlaps(_ columns: Range<Int>) -> Bool { ranges.contains { $0.overlaps(columns) } }

    /// Adds columns that do not overlap those before.
    mutating func insert(_ columns: Range<Int>) {
        var merged: [Range<Int>] = []
        for range in (ranges + [columns]).sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = merged.last, last.upperBound == range.lowerBound {
                merged[merged.count - 1] = last.lowerBound..<range.upperBound
            } else {
                merged.append(range)
            }
        }
        ranges = merged
    }
}

/// The place where the gradient of a tensor is filed: its storage's identity and view, no memory.
package struct TensorPlace {
    /// Of the storage.
    let identity: UInt64
    /// Elements of its storage.
    let storageCount: Int
    let offset: Int
    let shape: [Int]
    let rowStride: Int

    /// Bytes of the gradient of the storage: float32, whatever the elements are.
    var gradientByteCount: Int { storageCount * ElementKind.float32.byteCount }
    private var columnCount: Int { shape.last ?? 1 }
    private var rowCount: Int { shape.dropLast().reduce(1, *) }

    /// Whether the tensor is all there is on its storage.
    var coversStorage: Bool {
        let count = shape.reduce(1, *)
        return offset == 0 && (rowStride == columnCount || count == columnCount)
            && count == storageCount
    }

    /// Its columns in the rows of its storage, if it has all rows; nil for any other view.
    var columnsOfStorage: Range<Int>? {
        if coversStorage { return 0..<rowStride }
        guard rowCount * rowStride == storageCount, offset + columnCount <= rowStride else {
            return nil
        }
        return offset..<offset + columnCount
    }

    /// Whether two tensors share elements, or may do so.
    func overlaps(_ other: TensorPlace) -> Bool {
        guard identity == other.identity else { return false }
        guard rowStride == other.rowStride, let columns = columnsOfStorage,
            let otherColumns = other.columnsOfStorage
        else { return true }
        return columns.overlaps(otherColumns)
    }
}

extension Tensor {
    /// The place where the gradient is filed, for closures that do not read the tensor itself.
    package var place: TensorPlace {
        TensorPlace(
            identity: storage.identity,
            storageCount: storage.requestedByteCount / elements.byteCount,
            offset: offset, shape: shape, rowStride: rowStride)
    }
}
