import FalconOptim
import FalconRecipe
import FalconRunRecord
import FalconSystem
import FalconTrain

/// The end of a sweep.
public enum SweepEnd: Equatable, Sendable {
    /// All runs are at their end; this many failed.
    case complete(failed: Int)
    /// A signal asked to stop; the runs have saved, and `--resume` continues.
    case stopped
}

/// An event that a sweep reports.
public enum SweepEvent: Sendable {
    /// A run is at its end, or at a rung: its record, the runs at their end, the runs known so far.
    case ended(SweepRecord, done: Int, known: Int)
    /// Waiting for a run that another process is training or saving.
    case waiting(run: String, owner: String)
    /// A signal asked to stop; this many runs save.
    case stopping(runs: Int)
}

/// A sweep: expands a recipe into runs, starts them as processes, and keeps the results.
///
/// One process at a time owns the folder. The process that holds a run's lock trains it.
public final class Sweep {
    /// The folder of the sweep.
    public let path: String
    let section: SweepSection
    let folder: SweepFolder
    let schedule: SweepSchedule
    var records: [String: SweepRecord] = [:]
    private let document: RecipeDocument
    private let lock: FolderLock
    private let database: SweepDatabase
    private var order: [String] = []
    private var plans: [[String: SweepValue]: RunPlan] = [:]

    /// Checks every run that the recipe makes and opens the folder.
    ///
    /// - Parameters:
    ///   - recipe: the path or name, for messages.
    ///   - document: a recipe with a `sweep` part.
    ///   - path: the folder; nil for `sweeps/NAME`.
    ///   - resume: whether to continue an existing sweep; if there is none, it starts.
    /// - Throws: `RecipeError` for the first run whose recipe is wrong; `SweepError`; `FileError.held` if
    ///   another process has the folder; `FileError`.
    public init(recipe: String, _ document: RecipeDocument, path: String?, resume: Bool) throws {
        guard document.contains("sweep") else { throw SweepError.noSweep(recipe: recipe) }
        section = try document.decode(SweepSection.self, at: "sweep")
        self.document = document.removing("sweep")
        let base = try self.document.decode(TrainingRecipe.self)
        schedule = SweepSchedule(
            section, recipeRate: base.optimizer.learningRate, recipeSeed: base.seed)
        let path = path ?? "sweeps/\(base.name)"
        self.path = path
        folder = SweepFolder(path: path)
        // Nothing is written before all the first runs are known to be possible.
        for task in schedule.tasks({ _ in nil }) {
            try section.requireObjective(
                in: self.document.applying(task.run.settings).decode(TrainingRecipe.self))
        }
        lock = try folder.prepare(document, resume: resume)
        database = try SweepDatabase(path: folder.databasePath)
        for record in try database.records() {
            records[record.run] = record
            order.append(record.run)
        }
        _ = try tasks()
        try folder.writeResults(results)
    }

    /// The file with one line per run.
    ///
    /// - Parameter path: the sweep's folder.
    /// - Returns: its path, whether the file exists or not.
    public static func resultsPath(ofFolder path: String) -> String {
        SweepFolder(path: path).resultsPath
    }

    /// The recipe that a sweep was started with.
    ///
    /// - Parameter path: the sweep's folder.
    /// - Returns: the recipe with its `sweep` part; nil if there is no sweep.
    /// - Throws: `RecipeError`; `FileError`.
    public static func recipe(ofFolder path: String) throws -> RecipeDocument? {
        let file = SweepFolder(path: path).recipePath
        return fileKind(of: file) == .file ? try RecipeDocument(recipe: file) : nil
    }

    /// The recipe of a sweep: the one that a person names, else that of its folder.
    ///
    /// - Parameters:
    ///   - recipe: a recipe file or the name of a shipped recipe; nil for that of the folder.
    ///   - settings: `key.path=value` each.
    ///   - path: the sweep's folder; nil only with a recipe.
    ///   - mustExist: whether the folder must hold a sweep already.
    /// - Returns: the recipe, and its name for messages.
    /// - Throws: `SweepError.nothingThere`; `RecipeError`; `FileError`.
    public static func recipe(
        _ recipe: String?, settings: [String], path: String?, mustExist: Bool
    ) throws -> (name: String, document: RecipeDocument) {
        let found = try path.flatMap { try Self.recipe(ofFolder: $0) }
        if let path, found == nil, mustExist || recipe == nil {
            throw SweepError.nothingThere(path: path)
        }
        if let recipe { return (recipe, try RecipeDocument(recipe: recipe, settings: settings)) }
        guard let path, let found else {
            preconditionFailure("Sweep.recipe: neither a recipe nor a folder is named")
        }
        return (path, try found.applying(settings))
    }

    /// The objective of a sweep.
    ///
    /// - Parameter path: the sweep's folder.
    /// - Returns: the validation loss if the folder does not say.
    /// - Throws: `RecipeError`; `FileError`.
    public static func objective(ofFolder path: String) throws -> RunObjective {
        let section = try recipe(ofFolder: path)?.decode(SweepSection.self, at: "sweep")
        return section?.objective ?? .validationLoss
    }

    /// The records of all runs, in the order in which they were planned.
    public var results: [SweepRecord] { order.compactMap { records[$0] } }

    /// The objective by which runs are compared.
    public var objective: RunObjective { section.objective ?? .validationLoss }

    private func outcome(_ run: SweepRun) -> SweepOutcome? {
        guard let record = records[run.id] else { return nil }
        switch record.status {
        case .pending, .running, .stopped: return .open(rungs: record.rungs)
        case .finished: return .ended(record.cost(objective))
        case .diverged, .failed: return .ended(nil)
        }
    }

    /// Keeps the record of a run.
    func save(_ record: SweepRecord) throws {
        if records[record.run] == nil { order.append(record.run) }
        records[record.run] = record
        try database.save(record)
    }

    /// The runs that are known to be needed, each with a record and a recipe.
    func tasks() throws -> [SweepSchedule.Task] {
        let tasks = schedule.tasks(outcome)
        for task in tasks {
            let id = task.run.id
            if records[id] == nil {
                let recipe = try document.applying(task.run.settings)
                try folder.writeAtomically(recipe.resolvedYAML(), to: folder.recipePath(of: id))
                try save(SweepRecord(task.run, recipeDigest: recipe.digest))
            }
            if task.isStopped, let record = records[id], record.status == .pending {
                var stopped = record
                stopped.status = .stopped
                try save(stopped)
            }
        }
        return tasks
    }

    /// The recipe of a run; its file is written again if it is missing.
    func recipe(of record: SweepRecord) throws -> RecipeDocument {
        let recipe = try document.applying(record.settings)
        let file = folder.recipePath(of: record.run)
        if fileKind(of: file) != .file {
            try folder.writeAtomically(recipe.resolvedYAML(), to: file)
        }
        return recipe
    }

    /// The plan of a run; the same for all rates and seeds of a configuration.
    func plan(of record: SweepRecord) throws -> RunPlan {
        if let plan = plans[record.configuration] { return plan }
        let plan = RunPlan(try recipe(of: record).decode(TrainingRecipe.self))
        plans[record.configuration] = plan
        return plan
    }

    /// Takes the result of a run that was trained to its end, by any process.
    ///
    /// - Returns: whether the run is at its end: its last step, its last score and its last checkpoint are
    ///   there, or it has diverged.
    func takeEnded(_ record: SweepRecord) throws -> Bool {
        let recipe = try recipe(of: record).decode(TrainingRecipe.self)
        var ended = record
        let metrics = folder.metrics(of: record.run)
        if try folder.isComplete(record.run, recipe) {
            (ended.status, ended.message) = (.finished, nil)
        } else if StepMetrics.areDiverged(metrics, limit: recipe.train.maxSkippedSteps) {
            ended.status = .diverged
            ended.message = "the last \(recipe.train.maxSkippedSteps) steps were not applied"
        } else {
            return false
        }
        ended.take(metrics, parameterCount: try plan(of: record).parameterCount)
        try save(ended)
        return true
    }

    /// Records that a run could not be trained.
    func fail(_ record: SweepRecord, _ message: String) throws {
        var failed = record
        (failed.status, failed.message) = (.failed, message)
        try save(failed)
    }

    /// Whether a run's folder is of another recipe and cannot be used; it is then recorded as failed.
    func isForeign(_ record: SweepRecord) throws -> Bool {
        let path = folder.runPath(of: record.run)
        do {
            guard let found = try folder.recipe(ofRun: record.run) else { return false }
            let differences = found.differences(from: try recipe(of: record))
            guard !differences.isEmpty else { return false }
            try fail(
                record,
                "\(path) holds a run of another recipe; move it away and try the run again:\n"
                    + differences.map { "  \($0)" }.joined(separator: "\n"))
        } catch let error as RecipeError {
            try fail(
                record,
                "\(path) holds a recipe that cannot be read; move the folder away and try the run "
                    + "again: \(error)")
        }
        return true
    }

    /// Reports the end of a run, and writes all results.
    func report(_ id: String, _ onEvent: (SweepEvent) -> Void) throws {
        let known = try tasks().count
        try folder.writeResults(results)
        guard let record = records[id], record.status != .pending || !record.rungs.isEmpty else {
            return
        }
        let ended = results.count { ![.pending, .running].contains($0.status) }
        onEvent(.ended(record, done: ended, known: known))
    }
}
