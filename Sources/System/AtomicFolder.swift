import CSystem

#if canImport(Glibc)
    import Glibc
#endif

/// A folder that appears under its name only when it is whole.
///
/// Files go to `NAME.partial/`, which one process at a time holds; `commit()` syncs and renames.
/// Without `commit()` the partial folder is removed; one that a crash left is taken over by the
/// next `AtomicFolder` of that name.
public struct AtomicFolder: ~Copyable {
    /// The ending of an unfinished folder's name.
    public static let partialSuffix = ".partial"

    /// The final path.
    public let path: String
    /// The folder that holds the files until `commit()`.
    public let partialPath: String
    private let isReplacing: Bool
    private let lock: LockedFile
    private var isCommitted = false

    /// Creates `path.partial`, empty.
    ///
    /// - Parameters:
    ///   - path: the final name; its parent must exist.
    ///   - isReplacing: whether `commit()` replaces a folder that has the name already; else that
    ///     is an error, now and then.
    /// - Throws: `FileError.held` if another process writes the same folder; `FileError.exists`;
    ///   `FileError` if the folder cannot be created.
    public init(path: String, replacing isReplacing: Bool = false) throws(FileError) {
        let named = withoutTrailingSlashes(path)
        let path = isReplacing ? resolvedLink(named) : named
        let partialPath = path + Self.partialSuffix
        let lock = try Self.hold(partialPath, for: named)
        do {
            try Self.requireRoom(path, isReplacing: isReplacing)
            try removeContents(of: partialPath, except: FolderLock.fileName)
        } catch {
            Self.remove(partialPath, lock)
            throw error
        }
        self.path = path
        self.partialPath = partialPath
        self.isReplacing = isReplacing
        self.lock = lock
    }

    deinit {
        if !isCommitted { Self.remove(partialPath, lock) }
    }

    /// Makes the folder durable and gives it its name.
    ///
    /// A folder that is replaced changes places with the new one in one step and is removed afterwards. (Where
    /// the file system cannot exchange names, it is `NAME.replaced` between two renames.)
    ///
    /// - Throws: `FileError` if syncing or renaming fails; `FileError.exists` if the name was taken
    ///   meanwhile.
    public consuming func commit() throws(FileError) {
        try syncFolder(of: partialPath + "/.")
        try Self.requireRoom(path, isReplacing: isReplacing)
        let exists = fileKind(of: path) != .missing
        if exists {
            try exchangeNames(partialPath, path)
        } else {
            try renameToFreeName(partialPath, path)
        }
        isCommitted = true
        unsafe unlink(path + "/" + FolderLock.fileName)
        try syncFolder(of: path)
        // A process that finds the old folder under the partial name first removes it.
        if exists, let old = try? Self.hold(partialPath, for: path) {
            Self.remove(partialPath, old)
        }
    }

    /// The lock of a partial folder that is there now.
    private static func hold(_ partialPath: String, for path: String) throws(FileError)
        -> LockedFile
    {
        while true {
            guard unsafe mkdir(partialPath, 0o755) == 0 || errno == EEXIST else {
                throw FileError(action: "create", path: partialPath, code: errno)
            }
            if fileKind(of: partialPath) == .file { try removeFile(partialPath) }
            do {
                return try LockedFile(path: partialPath + "/" + FolderLock.fileName, for: path)
            } catch .failed(_, _, ENOENT) {
                // Its owner has just renamed or removed it.
                continue
            }
        }
    }

    private static func requireRoom(_ path: String, isReplacing: Bool) throws(FileError) {
        let kind = fileKind(of: path)
        guard kind == .missing && !isSymbolicLink(path) || kind == .folder && isReplacing else {
            throw .exists(path: path, advice: "choose another name or remove it first")
        }
    }

    /// The lock goes last: a process that comes now finds a new folder or waits for this one.
    private static func remove(_ partialPath: String, _ lock: LockedFile) {
        try? removeContents(of: partialPath, except: FolderLock.fileName)
        lock.remove()
        unsafe rmdir(partialPath)
    }
}

/// Removes a folder with all that is in it; links are removed, not followed.
///
/// - Parameter path: the folder.
/// - Throws: `FileError` if the system refuses.
public func removeFolder(_ path: String) throws(FileError) {
    try removeContents(of: path, except: nil)
    guard unsafe rmdir(path) == 0 || errno == ENOENT else {
        throw FileError(action: "remove", path: path, code: errno)
    }
}

private func removeContents(of path: String, except kept: String?) throws(FileError) {
    for name in try namesInFolder(path) where name != kept {
        let entry = path + "/" + name
        if fileKind(of: entry) == .folder && !isSymbolicLink(entry) {
            try removeFolder(entry)
        } else {
            try removeFile(entry)
        }
    }
}

/// Renames a file or folder; an existing one of that name is replaced where the system does so.
///
/// - Parameters:
///   - path: its name now.
///   - newPath: its new name.
/// - Throws: `FileError` if the system refuses.
public func renameItem(_ path: String, to newPath: String) throws(FileError) {
    guard unsafe rename(path, newPath) == 0 else {
        throw FileError(action: "rename", path: path, code: errno)
    }
}

/// Renames to a name that nothing has.
func renameToFreeName(_ path: String, _ newPath: String) throws(FileError) {
    if unsafe csystem_rename_to_free_name(path, newPath) == 0 { return }
    if errno == EEXIST || errno == ENOTEMPTY {
        throw .exists(path: newPath, advice: "choose another name or remove it first")
    }
    // File systems without the flag: NFS, some FUSE.
    guard errno == EINVAL || errno == ENOSYS else {
        throw FileError(action: "create", path: newPath, code: errno)
    }
    guard fileKind(of: newPath) == .missing else {
        throw .exists(path: newPath, advice: "choose another name or remove it first")
    }
    try renameItem(path, to: newPath)
}

/// Gives each of two folders the other's name.
private func exchangeNames(_ path: String, _ other: String) throws(FileError) {
    if unsafe csystem_exchange_names(path, other) == 0 { return }
    guard errno == EINVAL || errno == ENOSYS else {
        throw FileError(action: "rename", path: path, code: errno)
    }
    let aside = other + ".replaced"
    if fileKind(of: aside) == .folder { try removeFolder(aside) }
    try renameItem(other, to: aside)
    try renameItem(path, to: other)
    try renameItem(aside, to: path)
}
