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
enum Compression {
    case none, gzip, zstd

    /// - Parameter start: the first 4 bytes. Valid UTF-8 starts like none of the magic numbers.
    init(start: [UInt8]) {
        if start.starts(with: [0x1f, 0x8b]) {
            self = .gzip
        } else if start.starts(with: [0x28, 0xb5, 0x2f, 0xfd])
            || start.count == 4 && start[0] & 0xf0 == 0x50
                && start[1...].elementsEqual([0x2a, 0x4d, 0x18])
        {
            self = .zstd
        } else {
            self = .none
        }
    }
}
