import FalconOptim
import FalconRecipe
import FalconSystem
import FalconTrain

/// How a sweep ended.
public enum SweepEnd: Equatable, Sendable {
    /// All runs are at their end; so many failed.
    case complete(failed: Int)
    /// A signal asked to stop; runs have saved and `--resume` goes on.
    case stopped
}

/// Something a sweep tells while it goes on.
public enum SweepEvent: Sendable {
    /// A run is at its end, or at a rung: what is known of it, runs at their end, runs known so far.
    case ended(SweepRecord, done: Int, known: Int)
    /// Waiting for a run that an earlier sweep started and that is still saving.
    case waiting(run: String)
}

/// A sweep: expands a recipe into runs, starts them as processes of this program, and keeps what came out.
public final class Sweep {
    /// The folder with everything.
    public let path: String
    private let document: RecipeDocument
    private let section: SweepSection
    private let schedule: SweepSchedule
    private let folder: SweepFolder
    private let database: SweepDatabase
    private var records: [String: SweepRecord] = [:]
    private var order: [String] = []
    private var plans: [String: RunPlan] = [:]

    /// Checks every run that the recipe makes and opens the folder.
    ///
    /// - Parameters:
    ///   - recipe: the path or name, for messages.
    ///   - document: a recipe with a `sweep` part.
    ///   - path: the folder; nil for `sweeps/NAME`.
    ///   - resume: whether to go on with a sweep that is there.
    /// - Throws: `RecipeError` for the first run whose recipe is wrong; `SweepError`; `FileError`.
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
        // Nothing is written before every run of the beginning is known to be possible.
        for task in schedule.tasks({ _ in nil }) {
            _ = try self.document.applying(task.run.settings).decode(TrainingRecipe.self)
        }
        try folder.prepare(document, resume: resume)
        database = try SweepDatabase(path: folder.databasePath)
        for record in try database.records() {
            records[record.run] = record
            order.append(record.run)
        }
    }

    /// What is known of every run, in the order in which they were planned.
    public var results: [SweepRecord] { order.compactMap { records[$0] } }

    /// What decides between runs.
    public var objective: SweepObjective { section.objective ?? .validationLoss }

    private func outcome(_ run: SweepRun) -> SweepOutcome? {
        guard let record = records[run.id] else { return nil }
        switch record.status {
        case .pending, .running, .stopped: return .open(rungs: record.rungs)
        case .finished: return .ended(record.objective(objective))
        case .diverged, .failed: return .ended(nil)
        }
    }

    private func save(_ record: SweepRecord) throws {
        if records[record.run] == nil { order.append(record.run) }
        records[record.run] = record
        try database.save(record)
    }

    /// The runs that are known to be needed, each with a record and a recipe.
    private func tasks() throws -> [SweepSchedule.Task] {
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

    private func plan(of id: String) throws -> RunPlan {
        if let plan = plans[id] { return plan }
        let recipe = try RecipeDocument(recipe: folder.recipePath(of: id))
        let plan = RunPlan(try recipe.decode(TrainingRecipe.self))
        plans[id] = plan
        return plan
    }

    /// Takes the result of a run that was trained to its end, by whomever.
    ///
    /// - Returns: whether the run is at its end.
    private func takeFinished(_ record: SweepRecord) throws -> Bool {
        let plan = try plan(of: record.run)
        let metrics = folder.metrics(of: record.run)
        guard metrics.last?.step == plan.steps, folder.hasCheckpoint(record.run) else {
            return false
        }
        var finished = record
        (finished.status, finished.pid) = (.finished, nil)
        finished.take(metrics, parameterCount: plan.parameterCount)
        try save(finished)
        return true
    }

    private func fail(_ record: SweepRecord, _ message: String) throws {
        var failed = record
        (failed.status, failed.pid, failed.message) = (.failed, nil, message)
        try save(failed)
    }

    /// Whether a run's folder is of another recipe; it is then recorded as failed.
    private func isForeign(_ record: SweepRecord) throws -> Bool {
        guard let digest = try folder.recipeDigest(ofRun: record.run),
            digest != record.recipeSHA256
        else { return false }
        try fail(
            record,
            "\(folder.runPath(of: record.run)) holds a run of another recipe (digest \(digest), want "
                + "\(record.recipeSHA256)); move it away and give the run another try")
        return true
    }

    // MARK: Running

    private struct Active {
        let child: ChildProcess
        let task: SweepSchedule.Task
    }

    /// Runs everything, or what is left of it.
    ///
    /// - Parameters:
    ///   - jobs: runs at a time; nil for the recipe's.
    ///   - onEvent: told what happens.
    /// - Returns: how it ended.
    /// - Throws: `SweepError`, `FileError`: of the sweep itself, never of a run.
    public func run(jobs: Int?, onEvent: (SweepEvent) -> Void) throws -> SweepEnd {
        let threads = section.threadsPerRun ?? 1
        let jobs = jobs ?? section.jobs ?? max(1, usableProcessorCount() / threads)
        // A failed run gets another try; one that an earlier sweep left running may still be saving.
        for record in results where record.status == .failed || record.status == .running {
            if let pid = record.pid {
                let folder = folder.runPath(of: record.run)
                if isRunning(pid: pid, withArgument: folder) { onEvent(.waiting(run: record.run)) }
                while isRunning(pid: pid, withArgument: folder) { pause(milliseconds: 20) }
            }
            var again = record
            (again.status, again.pid, again.message) = (.pending, nil, nil)
            try save(again)
        }
        var active: [Active] = []
        // Looking for runs to start costs more than looking whether one has ended.
        var isNews = true
        while true {
            for (index, one) in active.enumerated().reversed() {
                guard let status = one.child.endedStatus() else { continue }
                active.remove(at: index)
                try end(one.task, status: status, onEvent)
                isNews = true
            }
            if Signals.stopRequested {
                for one in active { one.child.stop() }
                if active.isEmpty { return .stopped }
            } else if isNews {
                let open = try startable(besides: active)
                isNews = false
                for task in open.prefix(max(0, jobs - active.count)) {
                    if let child = try start(task, threads: threads, onEvent) {
                        active.append(Active(child: child, task: task))
                    } else {
                        isNews = true
                    }
                }
                if active.isEmpty && open.isEmpty {
                    try folder.writeResults(results)
                    return .complete(failed: results.count { $0.status == .failed })
                }
            }
            pause(milliseconds: 10)
        }
    }

    /// The runs that wait for a processor.
    private func startable(besides active: [Active]) throws -> [SweepSchedule.Task] {
        let busy = Set(active.map(\.task.run))
        return try tasks().filter { task in
            let record = records[task.run.id]
            let rungs = record?.rungs.count ?? 0
            let isDue = task.rung.map { rungs <= $0 } ?? true
            return !task.isStopped && record?.status == .pending && isDue
                && !busy.contains(task.run)
        }
    }

    /// Starts a process for a run; nil if none is needed or possible.
    private func start(
        _ task: SweepSchedule.Task, threads: Int, _ onEvent: (SweepEvent) -> Void
    ) throws -> ChildProcess? {
        let id = task.run.id
        guard var record = records[id] else { return nil }
        if try isForeign(record) || takeFinished(record) {
            try report(id, onEvent)
            return nil
        }
        var arguments = [
            "pretrain", "--recipe", folder.recipePath(of: id), "--run", folder.runPath(of: id),
            "--threads", "\(threads)", "--quiet", "--stop-at-end-of-input",
        ]
        if let halving = section.halving, let rung = task.rung {
            let tokens = (0..<rung).reduce(halving.minimumTokens) { tokens, _ in
                tokens * halving.factor
            }
            arguments += ["--until-tokens", "\(tokens)"]
        }
        arguments.append(folder.hasCheckpoint(id) ? "--resume" : "--overwrite")
        let child = try ChildProcess(
            try runningProgramPath(), arguments, logPath: folder.logPath(of: id))
        (record.status, record.pid, record.starts) = (.running, Int(child.pid), record.starts + 1)
        try save(record)
        return child
    }

    /// Records how a process ended.
    private func end(
        _ task: SweepSchedule.Task, status: Int32, _ onEvent: (SweepEvent) -> Void
    ) throws {
        let id = task.run.id
        guard var record = records[id] else { return }
        record.pid = nil
        record.take(folder.metrics(of: id), parameterCount: try plan(of: id).parameterCount)
        switch ExitStatus(rawValue: status) {
        case .done: record.status = .finished
        case .checkFailed:
            record.status = .diverged
            record.message = folder.lastWords(of: id)
        case .stoppedButSaved:
            record.status = .pending
            if !Signals.stopRequested, task.rung != nil {
                record.rungs.append(record.objective(objective) ?? .greatestFiniteMagnitude)
            }
        default:
            // A signal to the whole group reaches runs too; one before its first save starts again.
            if Signals.stopRequested && status > 128 {
                record.status = .pending
            } else {
                record.status = .failed
                record.message =
                    "exit status \(status)" + (folder.lastWords(of: id).map { ": \($0)" } ?? "")
            }
        }
        try save(record)
        try report(id, onEvent)
    }

    private func report(_ id: String, _ onEvent: (SweepEvent) -> Void) throws {
        let known = try tasks().count
        try folder.writeResults(results)
        guard let record = records[id], record.status != .pending || !record.rungs.isEmpty else {
            return
        }
        let ended = results.filter { ![.pending, .running].contains($0.status) }.count
        onEvent(.ended(record, done: ended, known: known))
    }

    // MARK: Runs made elsewhere

    /// The shell commands of the runs that are not at their end, one a run.
    ///
    /// - Parameter program: what to call this program.
    /// - Returns: lines for Slurm arrays, GNU parallel or a shell.
    /// - Throws: `SweepError.halvingElsewhere`; `FileError`.
    public func commands(program: String = "falcon") throws -> [String] {
        guard section.halving == nil else { throw SweepError.halvingElsewhere }
        let threads = section.threadsPerRun ?? 1
        let commands = try tasks().filter { records[$0.run.id]?.status == .pending }.map { task in
            let id = task.run.id
            let words = [
                program, "pretrain", "--recipe", folder.recipePath(of: id), "--run",
                folder.runPath(of: id), "--threads", "\(threads)",
            ]
            return words.map(quotedForShell).joined(separator: " ")
                + (folder.hasCheckpoint(id) ? " --resume" : "")
        }
        try folder.writeResults(results)
        return commands
    }

    /// Takes the results of runs that were made elsewhere and lie in the folder now.
    ///
    /// - Parameter onEvent: told of each.
    /// - Returns: runs that are known to be needed and not at their end.
    /// - Throws: `SweepError.halvingElsewhere`; `FileError`.
    public func gather(onEvent: (SweepEvent) -> Void) throws -> Int {
        guard section.halving == nil else { throw SweepError.halvingElsewhere }
        var isNew = true
        while isNew {
            isNew = false
            for task in try tasks() {
                guard let record = records[task.run.id],
                    [.pending, .running, .failed].contains(record.status)
                else { continue }
                let isForeign = try isForeign(record)
                if try isForeign || takeFinished(record) {
                    isNew = isNew || !isForeign
                    try report(record.run, onEvent)
                }
            }
        }
        try folder.writeResults(results)
        return results.count { $0.status == .pending || $0.status == .running }
    }
}

/// A word that a shell reads as it is.
private func quotedForShell(_ word: String) -> String {
    let isPlain = word.allSatisfy {
        $0.isASCII && ($0.isLetter || $0.isNumber || "_./-+=".contains($0))
    }
    return isPlain && !word.isEmpty
        ? word
        : "'"
            + word.split(separator: "'", omittingEmptySubsequences: false)
            .joined(separator: "'\\''") + "'"
}
