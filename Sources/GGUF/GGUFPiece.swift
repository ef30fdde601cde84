/// Some rows of a tensor on their way into a file: values, stored bytes, and the error of storing.
struct GGUFPiece {
    /// The most values of a piece that is longer than one row.
    static let lengthLimit = 1 << 18

    /// A bound beyond all quantised types: the largest half times the integers of Q6_K, the widest.
    ///
    /// The searches square and cube values, so far larger ones would become zeros.
    private static let quantizedLimit: Float = 65504 * 128 * 32

    /// The rows of the tensor that the piece holds.
    private(set) var rows = 0..<0
    private var tensor = GGUFTensor(name: "", shape: [], type: .float32)
    private var values: [Float] = []
    /// The stored bytes.
    private(set) var bytes: [UInt8] = []
    private var stored: [Float] = []
    /// The error of storing the values.
    private(set) var sums = ErrorSums()
    /// The largest magnitude of a value; infinite if one is infinite or NaN.
    private var largest: Float = 0

    /// The number of rows in a piece of a tensor, at least one.
    static func rowCount(of tensor: GGUFTensor) -> Int {
        max(1, min(tensor.rowCount, lengthLimit / tensor.rowLength))
    }

    /// Takes the values of some rows.
    ///
    /// - Parameters:
    ///   - tensor: the tensor of the rows.
    ///   - rows: at most `rowCount(of: tensor)`.
    ///   - body: sets all values.
    /// - Throws: errors of `body`.
    mutating func fill(
        _ tensor: GGUFTensor, rows: Range<Int>, _ body: (inout MutableSpan<Float>) throws -> Void
    ) throws {
        self.tensor = tensor
        self.rows = rows
        let count = rows.count * tensor.rowLength
        if values.count != count { values = [Float](repeating: 0, count: count) }
        var span = values.mutableSpan
        try body(&span)
    }

    /// Makes the stored bytes and measures the error.
    mutating func convert() {
        let type = tensor.type
        largest = largestMagnitude(values.span)
        guard !type.isQuantized || largest <= Self.quantizedLimit else { return }
        type.quantize(values, into: &bytes)
        sums = ErrorSums()
        guard type != .float32 else { return }
        type.dequantize(bytes, into: &stored, count: values.count)
        sums = ErrorSums(stored: stored.span, values: values.span)
    }

    /// The problem with the values; nil if there is none.
    var problem: GGUFProblem? {
        if tensor.type.isQuantized, !largest.isFinite,
            let index = values.firstIndex(where: { !$0.isFinite })
        {
            return .notFinite(
                tensor: tensor.name, type: tensor.type,
                row: rows.lowerBound + index / tensor.rowLength, column: index % tensor.rowLength,
                value: values[index])
        }
        let isTooLarge = tensor.type.isQuantized && largest > Self.quantizedLimit
        return isTooLarge || !sums.largestError.isFinite
            ? .outOfRange(tensor: tensor.name, type: tensor.type) : nil
    }
}

/// A piece that changes hands between threads.
final class GGUFPieceSlot: @unchecked Sendable {
    // - Invariant: one thread at a time uses the piece: the writer's own to fill it and to write it out,
    //   a worker's between its start and its end, which the writer awaits.

    /// The piece in the slot.
    var piece = GGUFPiece()
}

extension GGMLType {
    /// Stores values; the array is reallocated only if its length changes.
    fileprivate func quantize(_ values: [Float], into bytes: inout [UInt8]) {
        let byteCount = byteCount(elements: values.count)
        if bytes.count != byteCount { bytes = [UInt8](repeating: 0, count: byteCount) }
        var span = bytes.mutableSpan
        quantize(values.span, into: &span)
    }

    /// Reads values back; the array is reallocated only if its length changes.
    fileprivate func dequantize(_ bytes: [UInt8], into values: inout [Float], count: Int) {
        if values.count != count { values = [Float](repeating: 0, count: count) }
        var span = values.mutableSpan
        // Safe: bytes have no padding.
        dequantize(unsafe bytes.span.bytes, into: &span)
    }
}
