import FalconCheckpoint
import FalconSystem

/// The whole and damaged checkpoints of a run, or one checkpoint, by sizes and digests of files.
public struct CheckpointAudit: Sendable {
    /// A checkpoint that is whole.
    public struct Entry: Encodable, Equatable, Sendable {
        /// Its folder.
        public let path: String
        /// Optimizer steps taken.
        public let step: Int
    }

    /// The whole checkpoints, the oldest first.
    public private(set) var whole: [Entry] = []
    /// The problem with each of the others.
    public private(set) var damaged: [any FalconError] = []

    /// Reads every file.
    ///
    /// - Parameter path: a checkpoint or a run folder.
    /// - Throws: `InterchangeError` if there is no checkpoint, or one that is still being written;
    ///   the problem with a checkpoint that is the only one.
    public init(_ path: String) throws {
        let folder = CheckpointFolder(run: path)
        let paths =
            fileKind(of: folder.path) == .folder
            ? try folder.steps().map(folder.path(ofStep:)) : [path]
        if paths.isEmpty { throw InterchangeError.noCheckpoint(path: path, reasons: []) }
        for path in paths {
            if path.hasSuffix(AtomicFolder.partialSuffix), fileKind(of: path) == .folder {
                throw InterchangeError.unfinished(path: path)
            }
            do {
                let checkpoint = try Checkpoint.open(path)
                whole.append(Entry(path: path, step: checkpoint.manifest.step))
            } catch let error as any FalconError {
                if paths.count == 1 { throw error }
                damaged.append(error)
            }
        }
    }
}
