#if canImport(Glibc)
    import Glibc
#endif

/// What a path names.
public enum FileKind: Sendable {
    /// A regular file, pipe or device: something with bytes to read.
    case file
    case folder
    /// Nothing has this name.
    case missing
}

/// Says what a path names; a link stands for what it points to.
///
/// - Parameter path: any path.
/// - Returns: the kind; `missing` also when the path cannot be looked at.
public func fileKind(of path: String) -> FileKind {
    var status = stat()
    guard unsafe stat(path, &status) == 0 else { return .missing }
    return status.st_mode & S_IFMT == S_IFDIR ? .folder : .file
}

/// Whether a path names something that is written to but not replaced: a device, pipe or socket.
public func isStream(_ path: String) -> Bool {
    var status = stat()
    guard unsafe stat(path, &status) == 0 else { return false }
    return ![S_IFREG, S_IFDIR].contains(status.st_mode & S_IFMT)
}

/// Says whether a path is a symbolic link.
///
/// - Parameter path: any path.
/// - Returns: true for a link, whatever it points to.
public func isSymbolicLink(_ path: String) -> Bool {
    var status = stat()
    return unsafe lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFLNK
}

/// A path without links and detours, where there is such a file or folder; else as it is.
///
/// - Parameter path: any path.
/// - Returns: the same for all names of one thing.
public func canonicalPath(_ path: String) -> String {
    guard let resolved = unsafe realpath(path, nil) else { return path }
    defer { unsafe free(resolved) }
    return unsafe String(cString: resolved)
}

/// The size of a regular file.
///
/// - Parameter path: any path.
/// - Returns: bytes, or nil if the path is not a regular file.
public func fileByteCount(of path: String) -> Int? {
    var status = stat()
    guard unsafe stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
    return Int(status.st_size)
}

/// The names in a folder, sorted by their bytes, without "." and "..".
///
/// - Parameter path: a folder.
/// - Returns: the names, the same in every locale.
/// - Throws: `FileError` if the folder cannot be read.
public func namesInFolder(_ path: String) throws(FileError) -> [String] {
    guard let folder = unsafe opendir(path) else {
        throw FileError(action: "open", path: path, code: errno)
    }
    defer { unsafe closedir(folder) }
    var names: [String] = []
    while let entry = unsafe readdir(folder) {
        let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
            unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) {
                unsafe String(cString: $0)
            }
        }
        if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
}

/// The paths that match a shell pattern (`*`, `?`, `[…]`), sorted by their bytes.
///
/// - Parameter pattern: a pattern as the shell writes it.
/// - Returns: the matching paths; none if nothing matches.
public func pathsMatching(_ pattern: String) -> [String] {
    var found = glob_t()
    defer { unsafe globfree(&found) }
    guard unsafe glob(pattern, 0, nil, &found) == 0 else { return [] }
    var paths: [String] = []
    for index in 0..<Int(found.gl_pathc) {
        if let path = unsafe found.gl_pathv[index] { unsafe paths.append(String(cString: path)) }
    }
    return paths.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
}

/// Creates a folder and those above it; one that exists is left as it is.
///
/// - Parameter path: the folder.
/// - Throws: `FileError` if it cannot be created.
public func createFolder(_ path: String) throws(FileError) {
    if fileKind(of: path) == .folder { return }
    if let slash = path.lastIndex(of: "/"), slash != path.startIndex {
        try createFolder(String(path[..<slash]))
    }
    guard unsafe mkdir(path, 0o755) == 0 || errno == EEXIST && fileKind(of: path) == .folder else {
        throw FileError(action: "create", path: path, code: errno)
    }
}

/// Removes a file; one that is missing is no error.
///
/// - Parameter path: the file.
/// - Throws: `FileError` if it is there and cannot be removed.
public func removeFile(_ path: String) throws(FileError) {
    guard unsafe unlink(path) == 0 || errno == ENOENT else {
        throw FileError(action: "remove", path: path, code: errno)
    }
}
