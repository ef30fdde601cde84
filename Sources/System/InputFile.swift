#if canImport(Glibc)
    import Glibc
#endif

/// An open file that is read, in order or at any place; closed when the value dies.
///
/// Reading at a place (`bytes(at:count:)`) is safe from several threads at once.
public final class InputFile: Sendable {
    /// The path that was opened; "standard input" for `standardInput()`.
    public let path: String
    private let descriptor: Int32
    private let isOwned: Bool

    /// Opens a file for reading.
    ///
    /// - Parameter path: a file, pipe or device.
    /// - Throws: `FileError` if it cannot be opened.
    public init(path: String) throws(FileError) {
        self.path = path
        descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        isOwned = true
        guard descriptor >= 0 else { throw FileError(action: "open", path: path, code: errno) }
    }

    /// Opens a file for reading whose name may be any bytes.
    ///
    /// - Parameter rawPath: a file, pipe or device.
    /// - Throws: `FileError` if it cannot be opened.
    public init(_ rawPath: RawPath) throws(FileError) {
        path = rawPath.description
        descriptor = rawPath.withCString { unsafe open($0, O_RDONLY | O_CLOEXEC) }
        isOwned = true
        guard descriptor >= 0 else { throw FileError(action: "read", path: path, code: errno) }
    }

    private init(standardInputNamed name: String) {
        path = name
        descriptor = STDIN_FILENO
        isOwned = false
    }

    deinit {
        if isOwned && descriptor >= 0 { close(descriptor) }
    }

    /// The program's standard input.
    ///
    /// - Returns: a file whose path reads "standard input".
    public static func standardInput() -> InputFile {
        InputFile(standardInputNamed: "standard input")
    }

    /// Reads the next bytes in order.
    ///
    /// - Parameter limit: the most bytes to read, at least 1.
    /// - Returns: at least one byte, or none at the end.
    /// - Throws: `FileError` if reading fails.
    public func read(upTo limit: Int) throws(FileError) -> [UInt8] {
        var code: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
            while true {
                let got = unsafe Glibc.read(descriptor, buffer.baseAddress, limit)
                if got < 0 && errno == EINTR { continue }
                if got < 0 { code = errno }
                count = max(0, got)
                return
            }
        }
        guard code == 0 else { throw FileError(action: "read", path: path, code: code) }
        return bytes
    }

    /// Reads bytes at a place; does not move the place from which `read(upTo:)` continues.
    ///
    /// - Parameters:
    ///   - offset: the first byte, from 0.
    ///   - count: the number of bytes.
    /// - Returns: `count` bytes, or fewer if the file ends before.
    /// - Throws: `FileError` if reading fails.
    public func bytes(at offset: Int, count: Int) throws(FileError) -> [UInt8] {
        var code: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            filled = 0
            while filled < count {
                let rest = unsafe UnsafeMutableRawBufferPointer(
                    rebasing: UnsafeMutableRawBufferPointer(buffer)[filled...])
                let got = unsafe pread(
                    descriptor, rest.baseAddress, count - filled, off_t(offset + filled))
                if got < 0 && errno == EINTR { continue }
                if got < 0 { code = errno }
                if got <= 0 { return }
                filled += got
            }
        }
        guard code == 0 else { throw FileError(action: "read", path: path, code: code) }
        return bytes
    }

    /// Reads a whole file.
    ///
    /// - Parameter path: a file.
    /// - Returns: its bytes.
    /// - Throws: `FileError` if it cannot be opened or read.
    public static func contents(of path: String) throws(FileError) -> [UInt8] {
        let file = try InputFile(path: path)
        if let count = file.byteCount { return try file.bytes(at: 0, count: count) }
        var contents: [UInt8] = []
        while true {
            let more = try file.read(upTo: 1 << 16)
            if more.isEmpty { return contents }
            contents += more
        }
    }

    /// The size in bytes; nil for a pipe or device.
    public var byteCount: Int? {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            return nil
        }
        return Int(status.st_size)
    }
}
