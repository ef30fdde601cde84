import CKernels

/// The rows of a tensor, for kernels.
///
/// Taken once, before work is split: every look at a tensor counts references that all threads share.
struct RowPointer {
    /// The first element.
    let first: UnsafeMutablePointer<Float>
    /// Floats from one row to the next.
    let stride: Int
    /// Elements of a row.
    let columns: Int

    /// The first element of a row.
    subscript(row: Int) -> UnsafeMutablePointer<Float> { first + row * stride }

    /// The matrix that begins at an element, for a kernel to write.
    func from(_ row: Int, column: Int = 0) -> fk_rows {
        fk_rows(first: self[row] + column, stride: stride)
    }

    /// The matrix that begins at an element, for a kernel to read.
    func from(_ row: Int, column: Int = 0) -> fk_const_rows {
        fk_const_rows(first: self[row] + column, stride: stride)
    }
}

extension fk_range {
    /// The same places, counted from one of them or before.
    init(_ range: Range<Int>, from first: Int = 0) {
        self.init(begin: range.lowerBound - first, end: range.upperBound - first)
    }
}

extension Tensor {
    /// The pointer to its rows.
    var rowPointer: RowPointer {
        RowPointer(first: pointer, stride: rowStride, columns: columnCount)
    }
}
