import FalconConcurrency
import FalconRecipe
import FalconRunRecord
import FalconSystem
import FalconTrain

extension Sweep {
    /// The number of processes in a row that end without a new step after which a run has failed.
    private static let idleLimit = 3
    /// Milliseconds between two checks of the processes.
    private static let pauseMilliseconds: UInt32 = 10
    /// Seconds between two checks whether a run that others hold is free.
    private static let lookSeconds = 0.2

    /// A run that is being trained.
    private struct Active {
        let child: ChildProcess
        let task: SweepSchedule.Task
        /// The byte of the log at which the output of this process begins.
        let logStart: Int
        /// Steps that were done before.
        let stepsBefore: Int
    }

    /// The outcome of starting a run.
    private enum Start {
        case started(Active)
        /// There was nothing to do, or nothing can be done.
        case settled
        /// Another process holds the run, or the system gives no process now.
        case later
    }

    /// The loop's memory of its runs.
    private struct Progress {
        var active: [Active] = []
        /// Processes in a row without a new step, by run.
        var idle: [String: Int] = [:]
        /// Runs that an earlier sweep left running: they count as running while they save.
        var orphans: Set<String> = []
        /// Runs that were reported as held by others.
        var told: Set<String> = []
        /// Whether a run could not be started for now.
        var isWaiting = false
    }

    /// Runs everything that is left to run.
    ///
    /// - Parameters:
    ///   - jobs: runs at a time; nil for the recipe's.
    ///   - onEvent: takes each event.
    /// - Returns: how it ended.
    /// - Throws: `SweepError`, `FileError`: never about a run. Runs then save and stop.
    public func run(jobs: Int?, onEvent: (SweepEvent) -> Void) throws -> SweepEnd {
        let threads = section.threadsPerRun ?? 1
        let jobs = jobs ?? section.jobs ?? max(1, usableProcessorCount() / threads)
        var progress = Progress()
        // A failed run gets another try; one left running continues when its process has saved.
        for record in results where record.status == .failed || record.status == .running {
            if record.status == .running { progress.orphans.insert(record.run) }
            var again = record
            (again.status, again.message) = (.pending, nil)
            try save(again)
        }
        var isStopping = false
        // Looking for runs to start costs more than checking whether one has ended.
        var nextLook = 0.0
        while true {
            for (index, one) in progress.active.enumerated().reversed() {
                guard let status = one.child.endedStatus() else { continue }
                progress.active.remove(at: index)
                try end(one, status: status, &progress, onEvent)
                nextLook = 0
            }
            if Signals.stopRequested {
                if !isStopping && !progress.active.isEmpty {
                    onEvent(.stopping(runs: progress.active.count))
                }
                isStopping = true
                for one in progress.active { one.child.stop() }
                if progress.active.isEmpty { return .stopped }
            } else if monotonicSeconds() >= nextLook {
                if try !startRuns(jobs: jobs, threads: threads, &progress, onEvent) {
                    try folder.writeResults(results)
                    return .complete(failed: results.count { $0.status == .failed })
                }
                // If no run waits for others, nothing changes before a process ends.
                nextLook = progress.isWaiting ? monotonicSeconds() + Self.lookSeconds : .infinity
            }
            pause(milliseconds: Self.pauseMilliseconds)
        }
    }

    /// Starts as many runs as there is room for.
    ///
    /// - Returns: whether anything runs or waits.
    private func startRuns(
        jobs: Int, threads: Int, _ progress: inout Progress, _ onEvent: (SweepEvent) -> Void
    ) throws -> Bool {
        while true {
            let open = try startable(besides: progress.active)
            progress.orphans = progress.orphans.filter { folder.owner(ofRun: $0) != nil }
            var isSettled = false
            progress.isWaiting = !progress.orphans.isEmpty
            for task in open where progress.active.count + progress.orphans.count < jobs {
                switch try start(task, threads: threads, &progress, onEvent) {
                case .started(let one): progress.active.append(one)
                case .settled: isSettled = true
                case .later: progress.isWaiting = true
                }
            }
            // Settled runs may change the schedule.
            if !isSettled { return !progress.active.isEmpty || !open.isEmpty }
        }
    }

    /// The runs that wait for a processor.
    private func startable(besides active: [Active]) throws -> [SweepSchedule.Task] {
        var busy = Set(active.map(\.task.run.id))
        return try tasks().filter { task in
            let record = records[task.run.id]
            let rungs = record?.rungs.count ?? 0
            let isDue = task.rung.map { rungs <= $0 } ?? true
            return !task.isStopped && record?.status == .pending && isDue
                && busy.insert(task.run.id).inserted
        }
    }

    /// Starts a process for a run, unless none is needed or possible.
    private func start(
        _ task: SweepSchedule.Task, threads: Int, _ progress: inout Progress,
        _ onEvent: (SweepEvent) -> Void
    ) throws -> Start {
        let id = task.run.id
        guard let record = records[id] else { return .settled }
        if let owner = folder.owner(ofRun: id) {
            if progress.told.insert(id).inserted { onEvent(.waiting(run: id, owner: owner)) }
            return .later
        }
        if try isForeign(record) || takeEnded(record) {
            try report(id, onEvent)
            return .settled
        }
        var arguments = pretraining(id, threads: threads) + ["--quiet", "--stop-at-end-of-input"]
        if let tokens = rungTokens(task) { arguments += ["--until-tokens", "\(tokens)"] }
        let logStart = folder.logByteCount(of: id)
        // Registered first: a sweep resumed after a kill knows of the process, and learns from the
        // lock of the run's folder whether it is alive.
        var started = record
        (started.status, started.starts) = (.running, record.starts + 1)
        try save(started)
        do {
            let child = try ChildProcess(
                try runningProgramPath(), arguments, logPath: folder.logPath(of: id))
            return .started(
                Active(
                    child: child, task: task, logStart: logStart,
                    stepsBefore: folder.metrics(of: id).last?.step ?? 0))
        } catch {
            try save(record)
            // There may be room for this process when others have ended.
            guard !progress.active.isEmpty else { throw error }
            return .later
        }
    }

    /// The arguments that train a run, whether it has begun or not.
    func pretraining(_ id: String, threads: Int) -> [String] {
        [
            "pretrain", "--recipe", folder.recipePath(of: id), "--run", folder.runPath(of: id),
            "--threads", "\(threads)", "--resume",
        ]
    }

    /// The tokens at which a task stops; nil for the end.
    private func rungTokens(_ task: SweepSchedule.Task) -> Int? {
        task.rung.flatMap { section.halving?.tokens(ofRung: $0) }
    }

    /// Records the end of a process.
    private func end(
        _ one: Active, status: Int32, _ progress: inout Progress, _ onEvent: (SweepEvent) -> Void
    ) throws {
        let id = one.task.run.id
        guard var record = records[id] else { return }
        let metrics = folder.metrics(of: id)
        record.take(metrics, parameterCount: try plan(of: record).parameterCount)
        let words = folder.lastWords(of: id, from: one.logStart)
        let hasMoved = metrics.last?.step ?? 0 > one.stepsBefore
        let idle = hasMoved ? 0 : progress.idle[id, default: 0] + 1
        progress.idle[id] = idle
        record.status = .failed
        record.message =
            (status > 128 ? "ended by signal \(status - 128)" : "exit status \(status)")
            + (words.map { ": \($0)" } ?? "")
        switch ExitStatus(rawValue: status) {
        case .done:
            let recipe = try recipe(of: record).decode(TrainingRecipe.self)
            if try folder.isComplete(id, recipe) {
                (record.status, record.message) = (.finished, nil)
            } else if idle < Self.idleLimit {
                (record.status, record.message) = (.pending, nil)
            } else {
                record.message = "it ended, but its last checkpoint or score is not there"
            }
        case .checkFailed: (record.status, record.message) = (.diverged, words)
        case .stoppedButSaved:
            if let tokens = rungTokens(one.task), metrics.last?.tokens ?? 0 >= tokens {
                record.rungs.append(record.cost(objective) ?? .infinity)
                (record.status, record.message) = (.pending, nil)
            } else if Signals.stopRequested || idle < Self.idleLimit {
                (record.status, record.message) = (.pending, nil)
            }
        case .cannotCreate:
            // Another process trains it, or did until now.
            if folder.owner(ofRun: id) != nil || idle < Self.idleLimit {
                (record.status, record.message) = (.pending, nil)
                record.starts -= 1
            }
        default:
            // A signal to all processes came before this one listened.
            if Signals.stopRequested && status > 128 {
                (record.status, record.message) = (.pending, nil)
            }
        }
        try save(record)
        try report(id, onEvent)
    }
}
