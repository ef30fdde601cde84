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
}

extension Tensor {
    /// Where its rows are.
    var rowPointer: RowPointer {
        RowPointer(first: pointer, stride: rowStride, columns: columnCount)
    }
}
