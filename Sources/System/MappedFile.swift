#if canImport(Glibc)
    import Glibc
#endif

/// A file mapped into memory, read-only, for as long as the value lives.
public final class MappedFile: @unchecked Sendable {
    // - Invariant: the mapping is never written and lives until deinit, so reads need no lock.
    private let base: UnsafeMutableRawPointer?
    /// The size of the file in bytes.
    public let byteCount: Int
    /// The path that was opened.
    public let path: String

    /// Maps a file.
    ///
    /// - Parameter path: a regular file; it must not shrink while it is mapped.
    /// - Throws: `FileError` if it cannot be opened, measured or mapped.
    public init(path: String) throws(FileError) {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileError(action: "open", path: path, code: errno) }
        defer { close(descriptor) }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else {
            throw FileError(action: "read", path: path, code: errno)
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw FileError(action: "read", path: path, code: EISDIR)
        }
        byteCount = Int(status.st_size)
        self.path = path
        if byteCount == 0 {
            unsafe base = nil
        } else {
            let address = unsafe mmap(nil, byteCount, PROT_READ, MAP_PRIVATE, descriptor, 0)
            guard let address = unsafe address, unsafe address != MAP_FAILED else {
                throw FileError(action: "read", path: path, code: errno)
            }
            unsafe base = address
        }
    }

    deinit {
        if let base = unsafe base { unsafe munmap(base, byteCount) }
    }

    /// Gives the contents of the file to `body`.
    ///
    /// - Parameter body: reads the bytes; they must not outlive the call.
    /// - Returns: what `body` returns.
    /// - Throws: what `body` throws.
    public func withBytes<Result, Failure: Error>(
        _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(
            unsafe RawSpan(_unsafeBytes: UnsafeRawBufferPointer(start: base, count: byteCount)))
    }

    /// Frees the memory behind bytes that have been read; they can still be read again.
    ///
    /// - Parameter range: within the file; a page that is only touched is kept.
    public func forget(_ range: Range<Int>) {
        guard let base = unsafe base else { return }
        let page = sysconf(Int32(_SC_PAGESIZE))
        let start = (range.lowerBound + page - 1) / page * page
        let end = range.upperBound == byteCount ? byteCount : range.upperBound / page * page
        if start < end { unsafe madvise(base + start, end - start, MADV_DONTNEED) }
    }

    /// The digest of the contents, read in pieces that are forgotten one by one.
    ///
    /// - Returns: 64 lower-case hexadecimal digits.
    public func sha256Hex() -> String {
        let pieceByteCount = 8 << 20
        var digest = SHA256()
        for start in stride(from: 0, to: byteCount, by: pieceByteCount) {
            let range = start..<min(byteCount, start + pieceByteCount)
            withBytes { digest.update($0.extracting(range)) }
            forget(range)
        }
        return digest.finalizeHex()
    }
}

/// The contents of a small file.
///
/// - Parameter path: the file, or a pipe, which is read to its end.
/// - Returns: its bytes.
/// - Throws: `FileError` if it cannot be read.
public func readBytes(ofFile path: String) throws(FileError) -> [UInt8] {
    if isStream(path) { return try InputFile.contents(of: path) }
    return try MappedFile(path: path).withBytes { bytes in bytes.withUnsafeBytes { [UInt8]($0) } }
}
