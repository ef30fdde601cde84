// The element types of files and Float, both ways. Files are little-endian, and so are all machines
// that Swift on Linux supports.

extension MutableSpan where Element: BitwiseCopyable {
    /// Fills the span from stored elements, one after the other.
    ///
    /// - Parameters:
    ///   - bytes: the same number of elements as the span has, not necessarily aligned.
    ///   - type: the stored type; any bits must be a valid value of it.
    ///   - convert: turns a stored element into an element of the span.
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
