// Whole numbers as files hold them: the lowest byte first.

/// Reads a number of 4 bytes.
///
/// - Parameters:
///   - bytes: what holds it.
///   - offset: the place of its lowest byte; all four must be there.
/// - Returns: the number.
@inlinable public func littleEndianUInt32(_ bytes: [UInt8], at offset: Int) -> UInt32 {
    UInt32(bytes[offset]) | UInt32(bytes[offset + 1]) << 8 | UInt32(bytes[offset + 2]) << 16
        | UInt32(bytes[offset + 3]) << 24
}

/// Appends a whole number.
///
/// - Parameters:
///   - value: a number of any width.
///   - bytes: takes its bytes.
@inlinable public func appendLittleEndian<T: FixedWidthInteger>(
    _ value: T, to bytes: inout [UInt8]
) {
    for shift in stride(from: 0, to: T.bitWidth, by: 8) {
        bytes.append(UInt8(truncatingIfNeeded: value >> shift))
    }
}
