// The element types of files and Float, both ways. Files are little-endian, and so are all machines
// that Swift on Linux supports.

/// A float32 rounded to bfloat16.
///
/// - Parameter value: any float32.
/// - Returns: the bits of the nearest bfloat16, ties to even; every NaN becomes 0x7FC0.
public func bfloat16Bits(_ value: Float) -> UInt16 {
    if value.isNaN { return 0x7FC0 }
    let bits = value.bitPattern
    // Adding half of the last kept place, less one if that place is even, rounds ties to even. It
    // cannot overflow 32 bits: infinity is 0x7F800000.
    return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ (bits >> 16 & 1)) >> 16)
}

/// A bfloat16 as float32, exactly.
///
/// - Parameter bits: the bits of a bfloat16.
/// - Returns: the same number.
public func floatFromBFloat16(_ bits: UInt16) -> Float {
    Float(bitPattern: UInt32(bits) << 16)
}

extension MutableSpan where Element: BitwiseCopyable {
    /// Fills the span from stored elements, one after the other.
    ///
    /// - Parameters:
    ///   - bytes: as many elements as the span has, not necessarily aligned.
    ///   - type: the stored type; any bits must be a valid value of it.
    ///   - convert: a stored element as an element of the span.
    mutating func fill<Stored: BitwiseCopyable>(
        from bytes: RawSpan, as type: Stored.Type, _ convert: (Stored) -> Element
    ) {
        let size = MemoryLayout<Stored>.size
        precondition(
            bytes.byteCount == count * size,
            "fill: \(bytes.byteCount) bytes, want \(count) elements of \(size)")
        for index in indices {
            // Safe: the precondition bounds the offset; any bits are a valid value.
            let stored = unsafe bytes.unsafeLoadUnaligned(
                fromUncheckedByteOffset: index &* size, as: Stored.self)
            self[index] = convert(stored)
        }
    }
}
