#if canImport(Glibc)
    import Glibc
#endif

/// The kind of thing that a path names.
public enum FileKind: Sendable {
    /// A regular file, pipe or device: something with bytes to read.
    case file
    case folder
    /// Nothing has this name.
    case missing
}

/// Finds the kind of thing that a path names; a link counts as its target.
///
/// - Parameter path: any path.
/// - Returns: the kind; `missing` also if the path cannot be looked at.
public func fileKind(of path: String) -> FileKind {
    switch RawPath(path).kind {
    case .regularFile, .other: .file
    case .folder: .folder
    case .missing: .missing
    }
}

/// Whether a path names something that is written to but not replaced: a device, pipe or socket.
public func isStream(_ path: String) -> Bool { RawPath(path).kind == .other }

/// Says whether a path is a symbolic link.
///
/// - Parameter path: any path.
/// - Returns: true for a link, whatever it points to.
public func isSymbolicLink(_ path: String) -> Bool { RawPath(path).linkTarget != nil }

/// A path without links and detours, where there is such a file or folder; else as it is.
///
/// - Parameter path: any path.
/// - Returns: the same for all names of one thing.
public func canonicalPath(_ path: String) -> String {
    guard let resolved = unsafe realpath(path, nil) else { return path }
    defer { unsafe free(resolved) }
    return unsafe String(cString: resolved)
}

/// The names in a folder, sorted by their bytes, without "." and "..".
///
/// - Parameter path: a folder.
/// - Returns: the names, the same in every locale.
/// - Throws: `FileError` if the folder cannot be read.
public func namesInFolder(_ path: String) throws(FileError) -> [String] {
    try RawPath(path).names().map { String(decoding: $0, as: UTF8.self) }
}

/// A path as it is, but `a/b/` is `a/b`.
public func withoutTrailingSlashes(_ path: String) -> String {
    var path = path
    while path.count > 1 && path.hasSuffix("/") { path.removeLast() }
    return path
}

/// The target of a symbolic link; another path as it is.
func resolvedLink(_ path: String) -> String {
    isSymbolicLink(path) ? canonicalPath(path) : path
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

/// Removes a file; a missing one is not an error.
///
/// - Parameter path: the file.
/// - Throws: `FileError` if it is there and cannot be removed.
public func removeFile(_ path: String) throws(FileError) {
    guard unsafe unlink(path) == 0 || errno == ENOENT else {
        throw FileError(action: "remove", path: path, code: errno)
    }
}
