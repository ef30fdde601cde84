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
