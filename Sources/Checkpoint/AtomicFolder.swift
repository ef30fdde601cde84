import FalconSystem

#if canImport(Glibc)
    import Glibc
#endif

/// A folder that appears under its name only when it is whole.
///
/// Files go to `NAME.partial/`; `commit()` syncs and renames. Without `commit()` the partial folder is
/// removed, and after a crash the next `AtomicFolder` of that name, or `CheckpointFolder`, removes it.
public struct AtomicFolder: ~Copyable {
    /// What the name of an unfinished folder ends with.
    public static let partialSuffix = ".partial"

    /// The final path.
    public let path: String
    /// Where the files are written until `commit()`.
    public let partialPath: String
    private var isCommitted = false

    /// Creates `path.partial`, replacing what an earlier crash left there.
    ///
    /// - Parameter path: the final name; its parent must exist.
    /// - Throws: `FileError` if the folder cannot be created.
    public init(path: String) throws(FileError) {
        let partialPath = path + Self.partialSuffix
        if fileKind(of: partialPath) != .missing {
            try removeFlatFolder(partialPath)
        }
        guard unsafe mkdir(partialPath, 0o755) == 0 else {
            throw FileError(action: "create", path: partialPath, code: errno)
        }
        self.path = path
        self.partialPath = partialPath
    }

    deinit {
        if !isCommitted { try? removeFlatFolder(partialPath) }
    }

    /// Makes the folder durable and gives it its name.
    ///
    /// - Parameter isReplacing: whether a folder that has the name already makes room and is removed
    ///   afterwards; otherwise that is an error. A crash in the instant between the two renames loses
    ///   both, so replace only what is damaged or the same.
    /// - Throws: `FileError` if syncing or renaming fails.
    public consuming func commit(replacing isReplacing: Bool = false) throws(FileError) {
        try syncFolder(of: partialPath + "/.")
        let replacedPath = path + ".replaced" + Self.partialSuffix
        let exists = fileKind(of: path) != .missing
        if exists {
            guard isReplacing else {
                throw .exists(path: path, advice: "choose another name or remove it first")
            }
            if fileKind(of: replacedPath) == .folder { try removeFlatFolder(replacedPath) }
            try renameFolder(path, to: replacedPath)
        }
        try renameFolder(partialPath, to: path)
        isCommitted = true
        try syncFolder(of: path)
        if exists { try removeFlatFolder(replacedPath) }
    }
}

/// Removes a folder of files; folders inside are not expected and not removed.
///
/// - Parameter path: the folder.
/// - Throws: `FileError` if it holds anything but files, or the system refuses.
func removeFlatFolder(_ path: String) throws(FileError) {
    for name in try namesInFolder(path) {
        try removeFile(path + "/" + name)
    }
    guard unsafe rmdir(path) == 0 else {
        throw FileError(action: "remove", path: path, code: errno)
    }
}

/// Renames a folder.
///
/// - Parameters:
///   - path: its name now.
///   - newPath: its new name, which must be free.
/// - Throws: `FileError` if the system refuses.
func renameFolder(_ path: String, to newPath: String) throws(FileError) {
    guard unsafe rename(path, newPath) == 0 else {
        throw FileError(action: "rename", path: path, code: errno)
    }
}
