import FalconCheckpoint
import FalconRunRecord
import FalconSystem

#if canImport(Glibc)
    import Glibc
#endif

/// A run folder that only this process writes, from its opening to the end of the value.
///
/// A new run replaces an old one when it has saved for the first time. Until then the old one is in
/// `replaced.partial`. If the new one ends before that, for whatever reason, the next owner of the
/// folder, or this one if it can, puts the old one back.
public final class HeldRun {
    /// The files.
    public let folder: RunFolder
    /// Nil only if the initialiser failed: a folder that is not held is not touched.
    private var lock: FolderLock?
    private let isNew: Bool

    /// Takes a folder, creating it if needed, and repairs what a killed process left in it.
    ///
    /// - Parameter path: the folder.
    /// - Throws: `FileError.held` with the process that holds it; `FileError` if it cannot be
    ///   created or repaired.
    public init(_ path: String) throws(FileError) {
        folder = RunFolder(path: path)
        isNew = fileKind(of: path) == .missing
        lock = try Self.lock(path)
        try recover()
    }

    deinit {
        guard lock != nil else { return }
        // The next owner repairs a failure here.
        try? recover()
        lock = nil
        // This removes only an empty folder.
        if isNew { unsafe rmdir(folder.path) }
    }

    /// Another process that abandons a new folder may remove it between the two steps.
    private static func lock(_ path: String) throws(FileError) -> FolderLock {
        var triesLeft = 5
        while true {
            try createFolder(path)
            do {
                return try FolderLock(folder: path)
            } catch .missing where triesLeft > 0 {
                triesLeft -= 1
            } catch .failed(_, _, ENOENT) where triesLeft > 0 {
                triesLeft -= 1
            }
        }
    }

    /// Whether a whole old run is set aside: its recipe is moved away last and put back first.
    private var hasReplaced: Bool {
        fileKind(of: folder.replacedPath + "/" + RunFolder.recipeName) == .file
    }

    /// Brings the folder to the state of one run, however and whenever the last owner ended.
    private func recover() throws(FileError) {
        if fileKind(of: folder.removedPath) == .folder { try removeFolder(folder.removedPath) }
        try folder.checkpoints.removeLeftovers()
        for name in [RunFolder.recipeName, RunFolder.metricsName] {
            try removeFile(folder.path + "/" + name + AtomicFolder.partialSuffix)
        }
        guard fileKind(of: folder.replacedPath) == .folder else { return }
        let hasSaved = try !folder.checkpoints.steps().isEmpty
        if hasReplaced && hasSaved {
            try removeReplaced()
        } else {
            try putBack()
        }
    }

    /// Moves the existing run aside, for a new one.
    func setAside() throws(FileError) {
        try createFolder(folder.replacedPath)
        for name in RunFolder.names where fileKind(of: folder.path + "/" + name) != .missing {
            try renameItem(folder.path + "/" + name, to: folder.replacedPath + "/" + name)
        }
        try syncFolder(of: folder.replacedPath)
    }

    /// Removes the run that was set aside: the new one has saved.
    func removeReplaced() throws(FileError) {
        guard fileKind(of: folder.replacedPath) == .folder else { return }
        // Under another name first: half of it must not come back.
        try renameItem(folder.replacedPath, to: folder.removedPath)
        try removeFolder(folder.removedPath)
    }

    private func putBack() throws(FileError) {
        if hasReplaced {
            // The new run has saved nothing: its files are removed.
            for name in RunFolder.names {
                let path = folder.path + "/" + name
                switch fileKind(of: path) {
                case .missing: break
                case .folder: try removeFolder(path)
                case .file: try removeFile(path)
                }
            }
        }
        let names = RunFolder.names.reversed()
        for name in names where fileKind(of: folder.replacedPath + "/" + name) != .missing {
            try renameItem(folder.replacedPath + "/" + name, to: folder.path + "/" + name)
        }
        try removeFolder(folder.replacedPath)
    }
}
