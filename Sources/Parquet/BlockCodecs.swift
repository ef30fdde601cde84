import CLz4
import CSnappy

// The only file that calls libsnappy and liblz4.

/// A snappy block makes at most 64 bytes of three.
private let snappyFactor = 22
/// An LZ4 block makes at most 255 bytes of one.
private let lz4Factor = 255

/// Refuses a size that no block of so few bytes can have.
private func require(
    _ byteCount: Int, from compressed: Int, factor: Int
) throws(ParquetFault) {
    guard byteCount / factor <= compressed else {
        throw ParquetFault("\(compressed) compressed bytes cannot hold \(byteCount) bytes")
    }
}

/// Decompresses a snappy block.
///
/// - Parameters:
///   - bytes: a whole block.
///   - byteCount: the size that it must have.
/// - Returns: so many bytes.
/// - Throws: `ParquetFault` for other bytes.
func snappyPlain(_ bytes: ArraySlice<UInt8>, byteCount: Int) throws(ParquetFault) -> [UInt8] {
    try require(byteCount, from: bytes.count, factor: snappyFactor)
    return try unsafe bytes.withUnsafeBufferPointer { (input) throws(ParquetFault) in
        let source = unsafe UnsafeRawBufferPointer(input).assumingMemoryBound(to: CChar.self)
            .baseAddress
        var size = 0
        guard unsafe snappy_uncompressed_length(source, input.count, &size) == SNAPPY_OK else {
            throw ParquetFault("its bytes are not snappy's")
        }
        guard size == byteCount else {
            throw ParquetFault("the page holds \(size) bytes, want \(byteCount)")
        }
        var status = SNAPPY_OK
        let plain = unsafe [UInt8](unsafeUninitializedCapacity: max(1, byteCount)) {
            output, count in
            let target = unsafe UnsafeMutableRawBufferPointer(output)
                .assumingMemoryBound(to: CChar.self).baseAddress
            unsafe status = snappy_uncompress(source, input.count, target, &size)
            count = status == SNAPPY_OK ? size : 0
        }
        guard status == SNAPPY_OK else { throw ParquetFault("its bytes are not snappy's") }
        return plain
    }
}

/// Decompresses an LZ4 block.
///
/// - Parameters:
///   - bytes: a whole block.
///   - byteCount: the size that it must have.
/// - Returns: at most so many bytes.
/// - Throws: `ParquetFault` for other bytes.
func lz4Plain(_ bytes: ArraySlice<UInt8>, byteCount: Int) throws(ParquetFault) -> [UInt8] {
    try require(byteCount, from: bytes.count, factor: lz4Factor)
    var got: Int32 = -1
    let plain = unsafe [UInt8](unsafeUninitializedCapacity: max(1, byteCount)) { output, count in
        unsafe bytes.withUnsafeBytes { input in
            unsafe got = LZ4_decompress_safe(
                input.assumingMemoryBound(to: CChar.self).baseAddress,
                UnsafeMutableRawBufferPointer(output).assumingMemoryBound(to: CChar.self)
                    .baseAddress,
                Int32(input.count), Int32(byteCount))
        }
        count = max(0, Int(got))
    }
    guard got >= 0 else { throw ParquetFault("its bytes are not LZ4's, or not \(byteCount) bytes") }
    return plain
}

/// Decompresses what is called LZ4 without more: Hadoop's frames, or one block as some old writers have it.
///
/// A frame is the size of its plain bytes, then parts: the size of a block, and the block. Sizes are big-endian.
///
/// - Parameters:
///   - bytes: all frames of a page.
///   - byteCount: the size that they must have.
/// - Returns: at most so many bytes.
/// - Throws: `ParquetFault` for other bytes.
func hadoopLZ4Plain(_ bytes: ArraySlice<UInt8>, byteCount: Int) throws(ParquetFault) -> [UInt8] {
    if let plain = hadoopFrames(bytes, byteCount: byteCount) { return plain }
    return try lz4Plain(bytes, byteCount: byteCount)
}

/// - Returns: nil if these are no frames.
private func hadoopFrames(_ bytes: ArraySlice<UInt8>, byteCount: Int) -> [UInt8]? {
    var (plain, rest): ([UInt8], ArraySlice<UInt8>) = ([], bytes)
    func takeSize() -> Int? {
        guard rest.count >= 4 else { return nil }
        defer { rest = rest.dropFirst(4) }
        return rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
    }
    while !rest.isEmpty {
        guard var left = takeSize(), left <= byteCount - plain.count else { return nil }
        while left > 0 {
            guard let size = takeSize(), size > 0, size <= rest.count,
                let part = try? lz4Plain(rest.prefix(size), byteCount: min(left, lz4Factor * size)),
                !part.isEmpty
            else { return nil }
            plain += part
            left -= part.count
            rest = rest.dropFirst(size)
        }
    }
    return plain.count == byteCount ? plain : nil
}
