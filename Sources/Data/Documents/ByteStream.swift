import FalconSystem

/// Bytes that come piece by piece.
protocol ByteStream: AnyObject {
    /// The next bytes: at least one, or none at the end.
    func next() throws -> [UInt8]
}

/// The most bytes that a stream gives at once.
let byteStreamChunk = 1 << 18

/// The bytes of an open file.
final class FileByteStream: ByteStream {
    private let file: InputFile
    private var pushedBack: [UInt8] = []
    /// Bytes read from the file so far.
    private(set) var byteCount = 0

    /// - Parameter file: read from where it stands.
    init(_ file: InputFile) { self.file = file }

    func next() throws -> [UInt8] {
        if !pushedBack.isEmpty {
            defer { pushedBack = [] }
            return pushedBack
        }
        let bytes = try file.read(upTo: byteStreamChunk)
        byteCount += bytes.count
        return bytes
    }

    /// The first bytes of the file, which `next()` gives again.
    ///
    /// - Parameter count: the number of bytes wanted, before the first `next()`.
    /// - Returns: fewer only if the file is that short.
    /// - Throws: `FileError` if it cannot be read.
    func peek(_ count: Int) throws -> [UInt8] {
        while pushedBack.count < count {
            let more = try file.read(upTo: byteStreamChunk)
            if more.isEmpty { break }
            byteCount += more.count
            pushedBack += more
        }
        return Array(pushedBack.prefix(count))
    }
}

/// The compression of a file, recognised by its first bytes.
enum Compression: CaseIterable {
    case gzip, zstd, bzip2, xz

    /// The compression of a file that begins with some bytes; nil for none.
    ///
    /// - Parameter start: the first 6 bytes. Valid UTF-8 starts like none of the magic numbers but bzip2's,
    ///   which is followed by a digit and one of two marks.
    init?(start: [UInt8]) {
        guard let found = Self.allCases.first(where: { $0.begins(start) }) else { return nil }
        self = found
    }

    private func begins(_ start: [UInt8]) -> Bool {
        switch self {
        case .gzip: start.starts(with: [0x1f, 0x8b])
        case .zstd:
            start.starts(with: [0x28, 0xb5, 0x2f, 0xfd])
                // A frame to be skipped.
                || start.count >= 4 && start[0] & 0xf0 == 0x50
                    && start[1...3].elementsEqual([0x2a, 0x4d, 0x18])
        case .bzip2:
            // The marks are digits of pi and of its square root.
            start.count >= 6 && start.starts(with: Array("BZh".utf8))
                && (0x31...0x39).contains(start[3])
                && (start[4...5].elementsEqual([0x31, 0x41])
                    || start[4...5].elementsEqual([0x17, 0x72]))
        case .xz: start.starts(with: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0])
        }
    }

    /// What names of files end in.
    var ending: String {
        switch self {
        case .gzip: ".gz"
        case .zstd: ".zst"
        case .bzip2: ".bz2"
        case .xz: ".xz"
        }
    }

    /// A decompressor.
    func makeDecompressor() -> any Decompressor {
        switch self {
        case .gzip: GzipDecompressor()
        case .zstd: ZstdDecompressor()
        case .bzip2: Bzip2Decompressor()
        case .xz: XzDecompressor()
        }
    }
}
