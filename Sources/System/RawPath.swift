#if canImport(Glibc)
    import Glibc
#endif

/// A path as the system has it: any bytes but zero, which need not be UTF-8.
public struct RawPath: Sendable, Hashable, CustomStringConvertible {
    /// The bytes, without a zero at the end.
    public let bytes: [UInt8]

    /// A path of given bytes.
    ///
    /// - Parameter bytes: without a zero.
    public init(bytes: [UInt8]) { self.bytes = bytes }

    /// A path that is text.
    ///
    /// - Parameter text: any path.
    public init(_ text: String) { bytes = Array(text.utf8) }

    /// The path that a word of the command line means.
    ///
    /// Words reach a program as text with U+FFFD for bytes that are not UTF-8; the bytes are looked
    /// up where the system put them.
    ///
    /// - Parameter argument: a word of the command line, or any other path.
    public init(argument: String) {
        if argument.unicodeScalars.contains("\u{FFFD}") {
            for index in 0..<Int(CommandLine.argc) {
                guard let word = unsafe CommandLine.unsafeArgv[index],
                    unsafe String(cString: word) == argument
                else { continue }
                self.init(
                    bytes: unsafe Array(UnsafeRawBufferPointer(start: word, count: strlen(word))))
                return
            }
        }
        self.init(argument)
    }

    /// The path of an entry of this folder.
    ///
    /// - Parameter name: the entry's name.
    /// - Returns: both, with one slash between them.
    public func appending(_ name: [UInt8]) -> RawPath {
        RawPath(bytes: bytes.last == 0x2F ? bytes + name : bytes + [0x2F] + name)
    }

    /// The path as text; bytes that are not UTF-8 and control characters are written as `\xE9`.
    public var description: String {
        if let text = String(validating: bytes, as: UTF8.self),
            !bytes.contains(where: { $0 < 0x20 || $0 == 0x7F })
        {
            return text
        }
        var text = ""
        var rest = bytes[...]
        while let first = rest.first {
            let length = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4
            let character = rest.prefix(length)
            if first >= 0x20, first != 0x7F,
                let valid = String(validating: character, as: UTF8.self)
            {
                text += valid
                rest = rest.dropFirst(length)
            } else {
                text += "\\x" + hexadecimal([first]).uppercased()
                rest = rest.dropFirst()
            }
        }
        return text
    }

    /// Calls a function with the path as C wants it.
    func withCString<Result>(_ body: (UnsafePointer<CChar>) -> Result) -> Result {
        var characters = bytes.map { CChar(bitPattern: $0) }
        characters.append(0)
        return unsafe characters.withUnsafeBufferPointer { buffer in
            guard let start = buffer.baseAddress else {
                preconditionFailure("RawPath: an array of at least one has no address")
            }
            return unsafe body(start)
        }
    }
}

extension RawPath {
    /// The kind of thing that a path names.
    public enum Kind: Sendable {
        case regularFile
        case folder
        /// A pipe, socket or device.
        case other
        case missing
    }

    /// The kind of thing that the path names; a link counts as its target.
    public var kind: Kind {
        var status = stat()
        guard withCString({ unsafe stat($0, &status) }) == 0 else { return .missing }
        switch status.st_mode & S_IFMT {
        case S_IFREG: return .regularFile
        case S_IFDIR: return .folder
        default: return .other
        }
    }

    /// The target of a symbolic link, as it is written in the link; nil for anything else.
    public var linkTarget: RawPath? {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = unsafe buffer.withUnsafeMutableBytes { bytes in
            guard let start = bytes.baseAddress else { return -1 }
            return withCString {
                unsafe readlink($0, start.assumingMemoryBound(to: CChar.self), bytes.count)
            }
        }
        return count >= 0 ? RawPath(bytes: Array(buffer.prefix(count))) : nil
    }

    /// The folder that the path lies in; "." for a path without a slash.
    public var parent: String {
        var path = bytes[...]
        while path.count > 1, path.last == 0x2F { path.removeLast() }
        guard let slash = path.lastIndex(of: 0x2F) else { return "." }
        return slash == 0 ? "/" : String(decoding: path[..<slash], as: UTF8.self)
    }

    /// Gives the file, or the link, a second name.
    ///
    /// - Parameter other: a path on the same disk that nothing has.
    /// - Throws: `FileError` if the system refuses.
    public func link(to other: RawPath) throws(FileError) {
        let result = withCString { path in
            unsafe other.withCString { unsafe linkat(AT_FDCWD, path, AT_FDCWD, $0, 0) }
        }
        guard result == 0 else {
            throw FileError(action: "keep", path: description, code: errno)
        }
    }

    /// What changes when a regular file is written to or replaced; nil for anything else.
    public var fingerprint: FileFingerprint? {
        var status = stat()
        guard withCString({ unsafe stat($0, &status) }) == 0, status.st_mode & S_IFMT == S_IFREG
        else { return nil }
        return FileFingerprint(
            numbers: [
                Int(status.st_dev), Int(status.st_ino), Int(status.st_size),
                status.st_mtim.tv_sec, status.st_mtim.tv_nsec,
            ])
    }

    /// The size of a regular file; nil for anything else.
    public var byteCount: Int? {
        var status = stat()
        guard withCString({ unsafe stat($0, &status) }) == 0, status.st_mode & S_IFMT == S_IFREG
        else { return nil }
        return Int(status.st_size)
    }

    /// The names in this folder, sorted by their bytes, without "." and "..".
    ///
    /// - Returns: the names as the system has them.
    /// - Throws: `FileError` if the folder cannot be read.
    public func names() throws(FileError) -> [[UInt8]] {
        guard let folder = unsafe withCString({ unsafe opendir($0) }) else {
            throw FileError(action: "read", path: description, code: errno)
        }
        defer { unsafe closedir(folder) }
        var names: [[UInt8]] = []
        while true {
            errno = 0
            guard let entry = unsafe readdir(folder) else { break }
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                unsafe pointer.withMemoryRebound(to: UInt8.self, capacity: 256) { start in
                    unsafe Array(UnsafeBufferPointer(start: start, count: 256).prefix { $0 != 0 })
                }
            }
            if name != [0x2E] && name != [0x2E, 0x2E] { names.append(name) }
        }
        guard errno == 0 else { throw FileError(action: "read", path: description, code: errno) }
        return names.sorted { $0.lexicographicallyPrecedes($1) }
    }

    /// The paths that match this one as a shell pattern (`*`, `?`, `[…]`), sorted by their bytes.
    public var matches: [RawPath] {
        var found = glob_t()
        defer { unsafe globfree(&found) }
        guard withCString({ unsafe glob($0, 0, nil, &found) }) == 0 else { return [] }
        var paths: [RawPath] = []
        for index in 0..<Int(found.gl_pathc) {
            if let path = unsafe found.gl_pathv[index] {
                unsafe paths.append(
                    RawPath(bytes: Array(UnsafeRawBufferPointer(start: path, count: strlen(path)))))
            }
        }
        return paths.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
    }
}

/// Tells whether a file is still the same: its place on the disk, its size and the time of its last change.
public struct FileFingerprint: Equatable, Sendable {
    fileprivate let numbers: [Int]
}
