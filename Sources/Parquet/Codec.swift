/// The compression of pages; numbers of parquet.thrift.
enum Codec: Int {
    case uncompressed, snappy, gzip
    case brotli = 4
    /// LZ4 in Hadoop's frames, or without any.
    case lz4
    case zstd
    /// One LZ4 block.
    case lz4Raw

    /// - Parameter number: as it stands in a file.
    /// - Throws: `ParquetFault` for one that is not read.
    init(number: Int) throws(ParquetFault) {
        guard let codec = Codec(rawValue: number) else {
            throw ParquetFault(
                "the column is compressed with \(number == 3 ? "LZO" : "codec \(number)"), which is not read",
                remedy: ParquetFault.writeOtherwise)
        }
        self = codec
    }

    /// Decompresses the bytes of a page.
    ///
    /// - Parameters:
    ///   - bytes: compressed.
    ///   - byteCount: the number of plain bytes that they must hold. Memory follows what is there, not this number.
    /// - Returns: so many bytes.
    /// - Throws: `ParquetFault` for other bytes than the codec's, and for another number of them.
    func plain(_ bytes: ArraySlice<UInt8>, byteCount: Int) throws(ParquetFault) -> [UInt8] {
        if self != .uncompressed && bytes.isEmpty && byteCount == 0 { return [] }
        let plain: [UInt8] =
            switch self {
            case .uncompressed: Array(bytes)
            case .snappy: try snappyPlain(bytes, byteCount: byteCount)
            case .gzip: try gzipPlain(bytes, byteCount: byteCount)
            case .brotli: try brotliPlain(bytes, byteCount: byteCount)
            case .zstd: try zstdPlain(bytes, byteCount: byteCount)
            case .lz4: try hadoopLZ4Plain(bytes, byteCount: byteCount)
            case .lz4Raw: try lz4Plain(bytes, byteCount: byteCount)
            }
        guard plain.count == byteCount else {
            throw ParquetFault("the page holds \(plain.count) bytes, want \(byteCount)")
        }
        return plain
    }
}

/// Collects plain bytes piece by piece.
///
/// - Parameters:
///   - byteCount: the number of bytes that there should be.
///   - compressedByteCount: the number of bytes that they come from.
///   - piece: the next bytes; none at the end.
/// - Returns: all pieces, at most `byteCount` bytes.
/// - Throws: `ParquetFault` for more.
func collected(
    byteCount: Int, from compressedByteCount: Int, _ piece: () throws(ParquetFault) -> [UInt8]
) throws(ParquetFault) -> [UInt8] {
    var plain: [UInt8] = []
    // More than this ratio is rare in text; then the array grows as it needs to.
    plain.reserveCapacity(min(byteCount, 16 * compressedByteCount))
    while true {
        let more = try piece()
        if more.isEmpty { return plain }
        guard more.count <= byteCount - plain.count else {
            throw ParquetFault(
                "the page holds more than the \(byteCount) bytes that its header claims")
        }
        plain += more
    }
}

/// The most bytes that are decompressed at once.
let pieceByteCount = 1 << 17
