import FalconCheckpoint
import FalconRunRecord
import FalconSystem

#if canImport(Glibc)
    import Glibc
#endif

/// A run folder that this process alone writes, from its opening to the end of the value.
///
/// A new run replaces an old one when it has saved for the first time. Until then the old one lies in
/// `replaced.partial`, and whatever ends the new one before that, the next owner of the folder, or this one
/// if it can, puts the old one back.
public final class HeldRun {
    /// The files.
    public let folder: RunFolder
    /// Nil only in a value that never was: what is not held is not touched.
    private var lock: FolderLock?
    private let isNew: Bool

    /// Takes a folder, creating it if needed, and mends what a kill has left in it.
    ///
    /// - Parameter path: the folder.
    /// - Throws: `FileError.held` with the process that has it; `FileError` if it cannot be created or
    ///   mended.
    public init(_ path: String) throws(FileError) {
        folder = RunFolder(path: path)
        isNew = fileKind(of: path) == .missing
        lock = try Self.lock(path)
        try recover()
    }

    deinit {
        guard lock != nil else { return }
        // A failure here is mended by the next owner.
        try? recover()
        lock = nil
        // Only an empty folder goes.
        if isNew { unsafe rmdir(folder.path) }
    }

    /// Another process that gives up a new folder may remove it between the two steps.
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

    /// Whether an old run lies aside, all of it: its recipe goes last and comes back first.
    private var hasReplaced: Bool {
        fileKind(of: folder.replacedPath + "/" + RunFolder.recipeName) == .file
    }

    /// Brings the folder to the state of one run, whatever ended the last owner and when.
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

    /// Moves the run that is there aside, for a new one.
    func setAside() throws(FileError) {
        try createFolder(folder.replacedPath)
        for name in RunFolder.names where fileKind(of: folder.path + "/" + name) != .missing {
            try renameItem(folder.path + "/" + name, to: folder.replacedPath + "/" + name)
        }
        try syncFolder(of: folder.replacedPath)
    }

    /// Removes the run that lies aside: the new one has saved.
    func removeReplaced() throws(FileError) {
        guard fileKind(of: folder.replacedPath) == .folder else { return }
        // Under another name first: half of it must not come back.
        try renameItem(folder.replacedPath, to: folder.removedPath)
        try removeFolder(folder.removedPath)
    }

    private func putBack() throws(FileError) {
        if hasReplaced {
            // The new run has saved nothing: its beginning goes.
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
