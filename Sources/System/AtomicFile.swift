#if canImport(Glibc)
    import Glibc
#endif

/// A file that appears under its name only when it is whole.
///
/// Bytes go to `NAME.partial` beside the final name, which one process at a time holds; `commit()`
/// syncs, renames and syncs the folder. Without `commit()` the partial file is removed; one that a
/// crash left is taken over by the next `AtomicFile` of that name. A link is written through; a
/// device or pipe is written to, never replaced.
public struct AtomicFile: ~Copyable {
    /// The final path.
    public let path: String
    private let target: Target
    private let isReplacing: Bool
    private var digest = SHA256()
    /// Bytes written so far.
    public private(set) var byteCount = 0
    private var isCommitted = false

    /// The place where bytes go.
    private enum Target {
        case partial(LockedFile)
        /// An open device or pipe.
        case stream(Int32)

        init(_ path: String, isReplacing: Bool) throws(FileError) {
            if isStream(path) {
                let descriptor = unsafe open(path, O_WRONLY | O_CLOEXEC)
                guard descriptor >= 0 else {
                    throw FileError(action: "create", path: path, code: errno)
                }
                self = .stream(descriptor)
                return
            }
            let file = try LockedFile(path: path + ".partial", for: path)
            do {
                try requireRoom(path, isReplacing: isReplacing)
            } catch {
                file.remove()
                throw error
            }
            guard ftruncate(file.descriptor, 0) == 0 else {
                throw FileError(action: "write", path: path, code: errno)
            }
            self = .partial(file)
        }
    }

    /// Creates `path.partial`, taking over a file that an earlier crash left there.
    ///
    /// - Parameters:
    ///   - path: the final name; its folder must exist.
    ///   - isReplacing: whether `commit()` replaces a file that has the name already; else that is
    ///     an error, now and then.
    /// - Throws: `FileError.held` if another process writes the same file; `FileError.exists`;
    ///   `FileError` if the file cannot be created.
    public init(path: String, replacing isReplacing: Bool = true) throws(FileError) {
        let path = resolvedLink(path)
        target = try Target(path, isReplacing: isReplacing)
        self.path = path
        self.isReplacing = isReplacing
    }

    deinit {
        switch target {
        case .partial(let file): if !isCommitted { file.remove() }
        case .stream(let descriptor): close(descriptor)
        }
    }

    /// The path of the bytes until `commit()`; nil for a device or pipe.
    public var partialPath: String? {
        if case .partial(let file) = target { file.path } else { nil }
    }

    private var descriptor: Int32 {
        switch target {
        case .partial(let file): file.descriptor
        case .stream(let descriptor): descriptor
        }
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
                    descriptor, buffer.baseAddress.map { unsafe $0 + offset },
                    min(bytes.byteCount - offset, 1 << 30)
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
    /// - Returns: the SHA-256 of the bytes written, in hexadecimal.
    /// - Throws: `FileError` if syncing or renaming fails; the partial file is then removed.
    @discardableResult
    public consuming func commit() throws(FileError) -> String {
        guard case .partial(let file) = target else { return takeDigest() }
        guard fsync(file.descriptor) == 0 else {
            throw FileError(action: "write", path: path, code: errno)
        }
        try requireRoom(path, isReplacing: isReplacing)
        if isReplacing {
            guard unsafe rename(file.path, path) == 0 else {
                throw FileError(action: "create", path: path, code: errno)
            }
        } else {
            try renameToFreeName(file.path, path)
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

/// Refuses a name that is taken by something that must stay.
private func requireRoom(_ path: String, isReplacing: Bool) throws(FileError) {
    let kind = fileKind(of: path)
    guard kind == .folder || kind == .file && !isReplacing else { return }
    throw .exists(path: path, advice: "choose another name or remove it first")
}

/// Makes the names in a folder durable after a rename or creation.
///
/// - Parameter path: a file or folder whose parent is synced.
/// - Throws: `FileError` if the parent cannot be opened or synced.
public func syncFolder(of path: String) throws(FileError) {
    let slash = path.lastIndex(of: "/")
    let folder = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    let descriptor = unsafe open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw FileError(action: "open", path: folder, code: errno) }
    defer { close(descriptor) }
    // Some file systems have nothing to sync for a folder.
    guard fsync(descriptor) == 0 || errno == EINVAL || errno == ENOTSUP else {
        throw FileError(action: "write", path: folder, code: errno)
    }
}
