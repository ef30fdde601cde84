#if canImport(Glibc)
    import Glibc
#endif

/// A file that appears under its name only when it is whole.
///
/// Bytes go to `NAME.partial` beside the final name; `commit()` syncs, renames and syncs the folder.
/// Without `commit()` the partial file is removed.
public struct AtomicFile: ~Copyable {
    /// The final path.
    public let path: String
    private let partialPath: String
    private let descriptor: Int32
    private var digest = SHA256()
    /// Bytes written so far.
    public private(set) var byteCount = 0
    private var isCommitted = false

    /// Creates `path.partial`, replacing what an earlier crash left there.
    ///
    /// - Parameter path: the final name; its folder must exist.
    /// - Throws: `FileError` if the file cannot be created.
    public init(path: String) throws(FileError) {
        self.path = path
        partialPath = path + ".partial"
        descriptor = unsafe open(partialPath, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw FileError(action: "create", path: path, code: errno) }
    }

    deinit {
        close(descriptor)
        if !isCommitted { unsafe unlink(partialPath) }
    }

    /// Appends bytes.
    ///
    /// - Parameter bytes: any number of bytes.
    /// - Throws: `FileError`, for instance when the disk is full.
    public mutating func write(_ bytes: RawSpan) throws(FileError) {
        var offset = 0
        while offset < bytes.byteCount {
            let written = unsafe bytes.withUnsafeBytes { buffer in
                unsafe Glibc.write(
                    descriptor, buffer.baseAddress! + offset, min(bytes.byteCount - offset, 1 << 30)
                )
            }
            if written < 0 {
                if errno == EINTR { continue }
                throw FileError(action: "write", path: path, code: errno)
            }
            offset += written
        }
        digest.update(bytes)
        byteCount += bytes.byteCount
    }

    /// Appends the UTF-8 bytes of a text.
    ///
    /// - Parameter text: any text.
    /// - Throws: `FileError`, for instance when the disk is full.
    public mutating func write(_ text: String) throws(FileError) {
        try write(Array(text.utf8).span.bytes)
    }

    /// Makes the file durable and gives it its name.
    ///
    /// - Returns: the SHA-256 of what was written, in hexadecimal.
    /// - Throws: `FileError` if syncing or renaming fails; the partial file is then removed.
    @discardableResult
    public consuming func commit() throws(FileError) -> String {
        guard fsync(descriptor) == 0 else {
            throw FileError(action: "write", path: path, code: errno)
        }
        guard unsafe rename(partialPath, path) == 0 else {
            throw FileError(action: "create", path: path, code: errno)
        }
        isCommitted = true
        try syncFolder(of: path)
        return takeDigest()
    }

    private mutating func takeDigest() -> String {
        var finished = SHA256()
        swap(&finished, &digest)
        return finished.finalizeHex()
    }
}

/// Makes the names in a folder durable after a rename or creation.
///
/// - Parameter path: a file or folder whose parent is synced.
/// - Throws: `FileError` if the parent cannot be opened.
public func syncFolder(of path: String) throws(FileError) {
    let slash = path.lastIndex(of: "/")
    let folder = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    let descriptor = unsafe open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw FileError(action: "open", path: folder, code: errno) }
    fsync(descriptor)
    close(descriptor)
}
