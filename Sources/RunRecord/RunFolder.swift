import FalconCheckpoint
import FalconSystem

/// The state of the run in a folder.
public enum RunState: String, Codable, Equatable, Sendable {
    /// There is no folder, or only files in it that a kill may leave before a run begins.
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
///     .lock                  present while a process owns the run
///     replaced.partial/      an old run, until the new one has saved
public struct RunFolder: Sendable {
    package static let recipeName = "recipe.resolved.yaml"
    package static let metricsName = "metrics.jsonl"
    package static let damagedMetricsName = "metrics.damaged.jsonl"
    package static let eventsName = "events"
    private static let eventStart = "step-"
    private static let eventEnd = ".json"
    package static let replacedName = CheckpointFolder.replacedRunName
    /// The name of a folder that is being deleted.
    package static let removedName = "removed" + AtomicFolder.partialSuffix
    /// Everything that belongs to a run; the recipe comes last, as it makes a run complete.
    package static let names = [
        CheckpointFolder.folderName, eventsName, metricsName, damagedMetricsName, recipeName,
    ]

    /// The folder.
    public let path: String

    /// A run at a path, whether it exists or not.
    ///
    /// - Parameter path: the folder.
    public init(path: String) { self.path = path }

    /// The run that a checkpoint belongs to.
    ///
    /// - Parameter path: the checkpoint's folder; the result is nil if it is not in a run.
    public init?(ofCheckpoint path: String) {
        let parts = withoutTrailingSlashes(path).split(
            separator: "/", omittingEmptySubsequences: false)
        guard parts.count > 2, parts[parts.count - 2] == CheckpointFolder.folderName else {
            return nil
        }
        self.path = parts.dropLast(2).joined(separator: "/")
    }

    /// The folder's own name.
    public var name: String { path.split(separator: "/").last.map(String.init) ?? path }

    /// The checkpoints.
    public var checkpoints: CheckpointFolder { CheckpointFolder(run: path) }
    /// The resolved recipe of the run.
    public var recipePath: String { path + "/" + Self.recipeName }
    /// The metrics, one line per step.
    public var metricsPath: String { path + "/" + Self.metricsName }

    /// Events of the run, one file each.
    public var eventsPath: String { path + "/" + Self.eventsName }

    /// The event of a step.
    ///
    /// - Parameter step: the step's number, from 1.
    /// - Returns: the path of its file, whether it exists or not.
    public func eventPath(ofStep step: Int) -> String {
        "\(eventsPath)/\(Self.eventStart)\(step)\(Self.eventEnd)"
    }

    /// The steps that have an event, in no order.
    ///
    /// - Throws: `FileError` if the folder cannot be read.
    package func eventSteps() throws(FileError) -> [Int] {
        guard fileKind(of: eventsPath) == .folder else { return [] }
        return try namesInFolder(eventsPath).compactMap { name in
            guard name.hasPrefix(Self.eventStart), name.hasSuffix(Self.eventEnd) else { return nil }
            return Int(name.dropFirst(Self.eventStart.count).dropLast(Self.eventEnd.count))
        }
    }

    package var damagedMetricsPath: String { path + "/" + Self.damagedMetricsName }
    package var replacedPath: String { path + "/" + Self.replacedName }
    package var removedPath: String { path + "/" + Self.removedName }

    /// The state of the run.
    ///
    /// - Returns: the state by the names in the folder; no file is opened.
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
}
