import FalconCheckpoint
import FalconData
import FalconRecipe
import FalconSystem

/// What to do with a run folder that is there already.
public enum ExistingRun: Sendable {
    /// An error.
    case refuse
    /// Go on from its newest whole checkpoint; begin if it has saved nothing yet.
    case resume
    /// Begin a new run, which replaces the old one when it has saved for the first time.
    case overwrite
}

/// How far the run in a folder has come.
public enum RunState: Equatable, Sendable {
    /// There is no folder, or nothing in it but what a kill may leave before a run begins.
    case blank
    /// There are files, but no run.
    case foreign
    /// A run that has not saved yet.
    case begun
    /// A run with checkpoints, whole or not.
    case saved
}

/// The files of one run.
///
///     recipe.resolved.yaml   metrics.jsonl   checkpoints/step-00001000/…   events/step-7.json
///     metrics.damaged.jsonl  lines of the metrics that could not be read
///     .lock                  while a process owns the run
///     replaced.partial/      an old run until the new one has saved
public struct RunFolder: Sendable {
    static let recipeName = "recipe.resolved.yaml"
    static let metricsName = "metrics.jsonl"
    static let damagedMetricsName = "metrics.damaged.jsonl"
    static let eventsName = "events"
    static let replacedName = CheckpointFolder.replacedRunName
    /// What is being deleted.
    static let removedName = "removed" + AtomicFolder.partialSuffix
    /// Everything that belongs to a run; the recipe last: with it a run is complete.
    static let names = [
        CheckpointFolder.folderName, eventsName, metricsName, damagedMetricsName, recipeName,
    ]

    /// The folder.
    public let path: String

    /// A run at a path, there or not.
    ///
    /// - Parameter path: the folder.
    public init(path: String) { self.path = path }

    /// The checkpoints.
    public var checkpoints: CheckpointFolder { CheckpointFolder(run: path) }
    /// The resolved recipe of the run.
    public var recipePath: String { path + "/" + Self.recipeName }
    /// One line a step.
    public var metricsPath: String { path + "/" + Self.metricsName }

    /// Events of the run, one file each.
    public var eventsPath: String { path + "/" + Self.eventsName }

    var damagedMetricsPath: String { path + "/" + Self.damagedMetricsName }
    var replacedPath: String { path + "/" + Self.replacedName }
    var removedPath: String { path + "/" + Self.removedName }

    /// How far the run has come.
    ///
    /// - Returns: what the names in the folder say; no file is opened.
    /// - Throws: `FileError` if the folder cannot be read.
    public func state() throws(FileError) -> RunState {
        guard fileKind(of: path) != .missing else { return .blank }
        let names = try namesInFolder(path).filter {
            $0 != FolderLock.fileName && !$0.hasSuffix(AtomicFolder.partialSuffix)
        }
        if try !checkpoints.steps().isEmpty { return .saved }
        if names.contains(Self.recipeName) || names.contains(Self.metricsName) { return .begun }
        return names.allSatisfy(Self.names.contains) ? .blank : .foreign
    }

    /// Whether the run is at its end, with all that belongs to it: the line of its last step, in it the
    /// validation score if one is due, and a whole checkpoint of that step.
    ///
    /// A run that is not can go on with `--resume`, whatever is missing.
    ///
    /// - Parameter recipe: the run's.
    /// - Returns: false also while there is no run.
    /// - Throws: `FileError` if a file is there and cannot be read.
    public func isComplete(_ recipe: TrainingRecipe) throws -> Bool {
        guard fileKind(of: metricsPath) == .file else { return false }
        let last = MetricsFile.last(in: try InputFile.contents(of: metricsPath))
        let steps = BatchPlan(recipe.train, sequenceLength: recipe.data.sequenceLength).steps
        guard let last, last.step == steps else { return false }
        if last.validationLoss == nil && recipe.evaluation.everySteps != nil {
            // Data without a validation split give no score.
            guard let dataset = try? TokenDataset(path: recipe.data.path),
                !dataset.hasValidation
            else { return false }
        }
        return (try? Checkpoint.open(checkpoints.path(ofStep: steps)))?.manifest.step == steps
    }

    /// The recipe that the run goes on with.
    ///
    /// - Parameter settings: `key.path=value` each, on top.
    /// - Returns: the recipe in the folder, or in the newest whole checkpoint.
    /// - Throws: `TrainError.noRecipe` if there is neither; `RecipeError`; `FileError`.
    public func recipe(settings: [String]) throws -> RecipeDocument {
        var path = recipePath
        var bytes: [UInt8]?
        if fileKind(of: path) == .file {
            bytes = try InputFile.contents(of: path)
        } else if let checkpoint = try checkpoints.newest().checkpoint {
            path = checkpoint.path + "/" + CheckpointFileName.recipe
            bytes = try checkpoint.bytes(of: CheckpointFileName.recipe)
        }
        guard let bytes else { throw TrainError.noRecipe(path: self.path) }
        return try RecipeDocument(
            resolvedYAML: String(decoding: bytes, as: UTF8.self), name: path, settings: settings)
    }

    /// Writes the resolved recipe.
    func write(resolvedRecipe: String) throws {
        var file = try AtomicFile(path: recipePath)
        try file.write(resolvedRecipe)
        try file.commit()
    }
}

extension TokenDataset {
    /// Whether there is something to validate with.
    var hasValidation: Bool { index.validation.tokens > 1 }
}
