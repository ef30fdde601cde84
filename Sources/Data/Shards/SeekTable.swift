import FalconSystem

/// The end of a shard: where each zstd frame lies.
///
/// Layout (all numbers little-endian): skippable frame magic 0x184D2A5E, size of the rest; for each
/// frame its compressed size, its content's size, and the low half of its content's XXH64; then the
/// number of frames, a descriptor byte (bit 7: checksums present), and the magic 0x8F92EAB1.
/// - SeeAlso: facebook/zstd, contrib/seekable_format/zstd_seekable_compression_format.md
struct SeekTable: Sendable, Equatable {
    struct Entry: Sendable, Equatable {
        let compressedBytes: UInt32
        let contentBytes: UInt32
        let checksum: UInt32
    }

    static let skippableMagic: UInt32 = 0x184D_2A5E
    static let footerMagic: UInt32 = 0x8F92_EAB1
    static let footerBytes = 9
    private static let headerBytes = 8
    private static let entryBytes = 12
    private static let checksumFlag: UInt8 = 0x80

    /// The reason why the end of a file is not a seek table.
    struct Malformed: Error {
        let reason: String
    }

    var entries: [Entry] = []

    /// The size of a table with so many frames.
    static func byteCount(frames: Int) -> Int { headerBytes + frames * entryBytes + footerBytes }

    /// The bytes that end a shard.
    var serialized: [UInt8] {
        var bytes: [UInt8] = []
        func append(_ value: UInt32) { appendLittleEndian(value, to: &bytes) }
        append(Self.skippableMagic)
        append(UInt32(Self.byteCount(frames: entries.count) - Self.headerBytes))
        for entry in entries {
            append(entry.compressedBytes)
            append(entry.contentBytes)
            append(entry.checksum)
        }
        append(UInt32(entries.count))
        bytes.append(Self.checksumFlag)
        append(Self.footerMagic)
        return bytes
    }

    init() {}

    /// Reads a table.
    ///
    /// - Parameter bytes: the last `byteCount(frames:)` bytes of a shard.
    /// - Throws: `Malformed` if they are not a table of that size.
    init(serialized bytes: [UInt8]) throws(Malformed) {
        func number(_ offset: Int) -> UInt32 { littleEndianUInt32(bytes, at: offset) }
        let frames = (bytes.count - Self.headerBytes - Self.footerBytes) / Self.entryBytes
        guard frames >= 0, bytes.count == Self.byteCount(frames: frames),
            number(bytes.count - 4) == Self.footerMagic
        else { throw Malformed(reason: "the magic number of a seek table is missing at the end") }
        guard number(0) == Self.skippableMagic,
            number(4) == UInt32(bytes.count - Self.headerBytes),
            number(bytes.count - Self.footerBytes) == UInt32(frames),
            bytes[bytes.count - 5] == Self.checksumFlag
        else { throw Malformed(reason: "the seek table does not describe the frames of the index") }
        for frame in 0..<frames {
            let offset = Self.headerBytes + frame * Self.entryBytes
            entries.append(
                Entry(
                    compressedBytes: number(offset), contentBytes: number(offset + 4),
                    checksum: number(offset + 8)))
        }
    }
}
