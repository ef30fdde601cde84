import FalconCheckpoint
import FalconSystem
import FoundationEssentials

/// What to do with a run folder that is there already.
public enum ExistingRun: Sendable {
    /// An error.
    case refuse
    /// Go on from its newest good checkpoint.
    case resume
    /// Delete the old run first.
    case overwrite
}

/// The files of one run.
///
///     recipe.resolved.yaml   metrics.jsonl   checkpoints/step-00001000/…
public struct RunFolder: Sendable {
    static let recipeName = "recipe.resolved.yaml"
    static let metricsName = "metrics.jsonl"

    /// The folder.
    public let path: String

    /// A run at a path, there or not.
    ///
    /// - Parameter path: the folder.
    public init(path: String) { self.path = path }

    /// The checkpoints.
    public var checkpoints: CheckpointFolder { CheckpointFolder(run: path) }

    var metricsPath: String { path + "/" + Self.metricsName }
    var recipePath: String { path + "/" + Self.recipeName }

    /// Makes the folder ready for a new run or checks that there is one to go on with.
    ///
    /// - Parameter existing: what to do with an old run.
    /// - Throws: `TrainError` if the choice does not fit what is there, `FileError`.
    func prepare(_ existing: ExistingRun) throws {
        let manager = FileManager.default
        let contents = (try? manager.contentsOfDirectory(atPath: path)) ?? []
        let isThere = manager.fileExists(atPath: path)
        switch existing {
        case .refuse:
            if isThere && !contents.isEmpty { throw TrainError.runExists(path: path) }
        case .resume:
            if try checkpoints.steps().isEmpty { throw TrainError.nothingToResume(path: path) }
        case .overwrite:
            if !contents.isEmpty && !contents.contains(Self.recipeName) {
                throw TrainError.notARun(path: path)
            }
            for name in [CheckpointFolder.folderName, Self.metricsName, Self.recipeName]
            where contents.contains(name) {
                try manager.removeItem(atPath: path + "/" + name)
            }
        }
        try createFolder(path)
    }

    /// Writes the resolved recipe.
    func write(resolvedRecipe: String) throws {
        var file = try AtomicFile(path: recipePath)
        try file.write(resolvedRecipe)
        try file.commit()
    }
}
