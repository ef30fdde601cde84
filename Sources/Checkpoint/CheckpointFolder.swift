import FalconSystem

/// The checkpoints of a run: `RUN/checkpoints/step-00001000` and so on.
public struct CheckpointFolder: Sendable {
    /// The folder's name in a run.
    public static let folderName = "checkpoints"
    /// The folder that keeps the old run in a run that replaces it, until the new one has saved.
    public static let replacedRunName = "replaced" + AtomicFolder.partialSuffix
    private static let prefix = "step-"
    private static let digitCount = 8

    /// The folder that holds the checkpoints; it need not exist yet.
    public let path: String

    /// The checkpoints of a run.
    ///
    /// - Parameter run: the run's folder.
    public init(run: String) {
        path = run + "/" + Self.folderName
    }

    /// The checkpoints of a run or, while it has none, of the run that it is about to replace.
    ///
    /// - Parameter run: the run's folder.
    /// - Returns: nil if neither folder is there.
    /// - Throws: `FileError` if a folder cannot be read.
    public static func newest(ofRun run: String) throws(FileError) -> CheckpointFolder? {
        let own = CheckpointFolder(run: run)
        if try own.steps().isEmpty {
            let replaced = CheckpointFolder(run: run + "/" + replacedRunName)
            if fileKind(of: replaced.path) == .folder { return replaced }
        }
        return fileKind(of: own.path) == .folder ? own : nil
    }

    /// The folder of a checkpoint.
    ///
    /// - Parameter step: optimizer steps taken, >= 0.
    /// - Returns: its path, whether it exists or not.
    public func path(ofStep step: Int) -> String {
        let digits = String(step)
        let zeros = String(repeating: "0", count: max(0, Self.digitCount - digits.count))
        return path + "/" + Self.prefix + zeros + digits
    }

    /// The step of a checkpoint's name.
    ///
    /// - Parameter name: such as "step-00001000".
    /// - Returns: the step; nil for other names, which includes those of unfinished folders.
    static func step(ofName name: String) -> Int? {
        guard name.hasPrefix(prefix) else { return nil }
        let digits = name.dropFirst(prefix.count)
        guard digits.count >= digitCount, digits.allSatisfy({ $0.isASCII && $0.isNumber }) else {
            return nil
        }
        return Int(digits)
    }

    /// The steps that have a checkpoint, whole or not.
    ///
    /// - Returns: the steps, ascending; empty if there is no folder yet. Folders that a crash left
    ///   unfinished do not count.
    /// - Throws: `FileError` if the folder cannot be read.
    public func steps() throws(FileError) -> [Int] {
        guard fileKind(of: path) == .folder else { return [] }
        return try namesInFolder(path).compactMap(Self.step(ofName:)).sorted()
    }

    /// Begins to write the checkpoint of a step.
    ///
    /// - Parameters:
    ///   - contents: everything except the values of the tensors, including the step.
    ///   - byteLimit: the size above which the optimizer's state is split.
    /// - Returns: the writer; earlier checkpoints are not touched.
    /// - Throws: `FileError` if a folder cannot be made.
    public func writer(
        _ contents: CheckpointContents,
        optimizerByteLimit byteLimit: Int = CheckpointWriter.optimizerByteLimit
    ) throws(FileError) -> CheckpointWriter {
        try createFolder(path)
        return try CheckpointWriter(
            contents, to: path(ofStep: contents.step), replacing: true,
            optimizerByteLimit: byteLimit)
    }

    /// The newest whole checkpoint.
    ///
    /// - Returns: the checkpoint, nil if there is none, and the problem of each newer one, newest
    ///   first; each is worth a warning.
    /// - Throws: `FileError` if the folder cannot be read.
    public func newest() throws -> (checkpoint: Checkpoint?, damaged: [any FalconError]) {
        var damaged: [any FalconError] = []
        for step in try steps().reversed() {
            do {
                return (try Checkpoint.open(path(ofStep: step)), damaged)
            } catch let error as any FalconError {
                damaged.append(error)
            }
        }
        return (nil, damaged)
    }

    /// Removes the folders that a crash left unfinished.
    ///
    /// - Returns: the names removed.
    /// - Throws: `FileError` if the system refuses.
    @discardableResult
    public func removeLeftovers() throws(FileError) -> [String] {
        guard fileKind(of: path) == .folder else { return [] }
        var removed: [String] = []
        for name in try namesInFolder(path)
        where name.hasPrefix(Self.prefix) && name.hasSuffix(AtomicFolder.partialSuffix) {
            try removeFolder(path + "/" + name)
            removed.append(name)
        }
        return removed
    }

    /// Removes checkpoints that are no longer wanted.
    ///
    /// - Parameters:
    ///   - keepLast: the number of newest checkpoints to keep, >= 1.
    ///   - keepEverySteps: checkpoints at multiples of this are kept too; nil for none, else >= 1.
    ///   - newest: the step of the newest checkpoint; nil for the newest of all. Later ones, perhaps
    ///     damaged, date from before the run resumed from an earlier one; they neither count nor
    ///     are removed.
    /// - Returns: the steps removed, ascending.
    /// - Throws: `FileError` if the system refuses.
    @discardableResult
    public func prune(
        keepLast: Int, keepEverySteps: Int? = nil, upTo newest: Int? = nil
    ) throws(FileError) -> [Int] {
        precondition(keepLast >= 1, "prune: keepLast is \(keepLast), want at least 1")
        precondition(
            keepEverySteps ?? 1 >= 1, "prune: keepEverySteps is \(keepEverySteps ?? 1), want >= 1")
        var removed: [Int] = []
        for step in try steps().filter({ $0 <= newest ?? .max }).dropLast(keepLast) {
            if let keepEverySteps, step.isMultiple(of: keepEverySteps) { continue }
            // Renamed first: a crash halfway must not leave something that looks like a checkpoint.
            let leaving = path(ofStep: step) + AtomicFolder.partialSuffix
            if fileKind(of: leaving) == .folder { try removeFolder(leaving) }
            try renameItem(path(ofStep: step), to: leaving)
            try removeFolder(leaving)
            removed.append(step)
        }
        return removed
    }
}
