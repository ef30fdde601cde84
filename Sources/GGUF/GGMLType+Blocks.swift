import CKernels

// The only place where this target hands memory to kernels. Sizes are checked here; a kernel reads
// and writes exactly the values and bytes that the checks allow.

extension GGMLType {
    /// Stores elements, bit for bit as llama.cpp does without an importance matrix.
    ///
    /// - Parameters:
    ///   - values: float32, a multiple of `blockLength`; finite if the type is quantised.
    ///   - bytes: room for `byteCount(elements:)`; all are set.
    public func quantize(_ values: Span<Float>, into bytes: inout MutableSpan<UInt8>) {
        let want = byteCount(elements: values.count)
        precondition(
            bytes.count == want, "quantize: room for \(bytes.count) bytes, want \(want)")
        guard want > 0 else { return }
        unsafe values.withUnsafeBufferPointer { values in
            unsafe bytes.withUnsafeMutableBufferPointer { bytes in
                guard let from = values.baseAddress, let to = bytes.baseAddress else { return }
                unsafe quantize(from, into: to, elements: values.count)
            }
        }
    }

    /// Reads elements back.
    ///
    /// - Parameters:
    ///   - bytes: `byteCount(elements:)` of them; any bytes are valid.
    ///   - values: a multiple of `blockLength`; all are set.
    public func dequantize(_ bytes: RawSpan, into values: inout MutableSpan<Float>) {
        let want = byteCount(elements: values.count)
        precondition(
            bytes.byteCount == want, "dequantize: \(bytes.byteCount) bytes, want \(want)")
        guard want > 0 else { return }
        unsafe bytes.withUnsafeBytes { bytes in
            unsafe values.withUnsafeMutableBufferPointer { values in
                guard let to = values.baseAddress,
                    let from = unsafe bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
                else { return }
                unsafe dequantize(from, into: to, elements: values.count)
            }
        }
    }

    @unsafe private func quantize(
        _ from: UnsafePointer<Float>, into to: UnsafeMutablePointer<UInt8>, elements: Int
    ) {
        let blocks = elements / blockLength
        switch self {
        case .float32:
            unsafe UnsafeMutableRawPointer(to).copyMemory(from: from, byteCount: 4 * elements)
        case .float16: unsafe fk_quantize_f16(to, from, blocks)
        case .bfloat16: unsafe fk_quantize_bf16(to, from, blocks)
        case .q40: unsafe fk_quantize_q4_0(to, from, blocks)
        case .q41: unsafe fk_quantize_q4_1(to, from, blocks)
        case .q50: unsafe fk_quantize_q5_0(to, from, blocks)
        case .q51: unsafe fk_quantize_q5_1(to, from, blocks)
        case .q80: unsafe fk_quantize_q8_0(to, from, blocks)
        case .q4K: unsafe fk_quantize_q4_k(to, from, blocks)
        case .q5K: unsafe fk_quantize_q5_k(to, from, blocks)
        case .q6K: unsafe fk_quantize_q6_k(to, from, blocks)
        }
    }

    @unsafe private func dequantize(
        _ from: UnsafePointer<UInt8>, into to: UnsafeMutablePointer<Float>, elements: Int
    ) {
        let blocks = elements / blockLength
        switch self {
        case .float32:
            unsafe UnsafeMutableRawPointer(to).copyMemory(from: from, byteCount: 4 * elements)
        case .float16: unsafe fk_dequantize_f16(to, from, blocks)
        case .bfloat16: unsafe fk_dequantize_bf16(to, from, blocks)
        case .q40: unsafe fk_dequantize_q4_0(to, from, blocks)
        case .q41: unsafe fk_dequantize_q4_1(to, from, blocks)
        case .q50: unsafe fk_dequantize_q5_0(to, from, blocks)
        case .q51: unsafe fk_dequantize_q5_1(to, from, blocks)
        case .q80: unsafe fk_dequantize_q8_0(to, from, blocks)
        case .q4K: unsafe fk_dequantize_q4_k(to, from, blocks)
        case .q5K: unsafe fk_dequantize_q5_k(to, from, blocks)
        case .q6K: unsafe fk_dequantize_q6_k(to, from, blocks)
        }
    }
}

/// The largest magnitude; infinite if a value is infinite or NaN.
func largestMagnitude(_ values: Span<Float>) -> Float {
    unsafe values.withUnsafeBufferPointer { buffer in
        guard let start = buffer.baseAddress else { return 0 }
        return unsafe fk_largest_magnitude(start, buffer.count)
    }
}

/// The error of storing some finite values.
struct ErrorSums: Equatable, Sendable {
    /// The sum of squared differences.
    var squaredError = 0.0
    /// The sum of squared values.
    var squaredValue = 0.0
    /// The largest difference; infinite if a value became too large for its type.
    var largestError = 0.0

    /// The sums over no values.
    init() {}

    /// The sums over some values; infinite and NaN ones count as stored exactly.
    init(stored: Span<Float>, values: Span<Float>) {
        precondition(stored.count == values.count, "ErrorSums: \(stored.count), \(values.count)")
        var sums = [0.0, 0.0, 0.0]
        unsafe stored.withUnsafeBufferPointer { stored in
            unsafe values.withUnsafeBufferPointer { values in
                guard let y = stored.baseAddress, let x = values.baseAddress else { return }
                unsafe fk_quantization_error(&sums, y, x, values.count)
            }
        }
        (squaredError, squaredValue, largestError) = (sums[0], sums[1], sums[2])
    }

    /// Adds the sums over more values.
    mutating func add(_ other: ErrorSums) {
        squaredError += other.squaredError
        squaredValue += other.squaredValue
        largestError = max(largestError, other.largestError)
    }
}
