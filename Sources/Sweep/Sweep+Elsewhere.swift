import FalconSystem

/// Runs that are made elsewhere.
extension Sweep {
    /// The result of `commands`.
    public struct Commands: Sendable {
        /// A shell line for each unfinished run that no process trains now.
        public let lines: [String]
        /// The number of runs that a process trains now.
        public let running: Int
    }

    /// The shell commands of the unfinished runs, one per run.
    ///
    /// A line can be run any number of times: it continues the run from its last save, and does
    /// nothing if the run is at its end.
    ///
    /// - Parameter program: the name or path of this program.
    /// - Returns: lines for GNU parallel, a job script or a shell.
    /// - Throws: `SweepError.halvingElsewhere`; `FileError`.
    public func commands(program: String = "falcon") throws -> Commands {
        guard section.halving == nil else { throw SweepError.halvingElsewhere }
        let threads = section.threadsPerRun ?? 1
        var lines: [String] = []
        var running = 0
        for task in try tasks() {
            let id = task.run.id
            guard let record = records[id],
                [.pending, .running, .failed].contains(record.status)
            else { continue }
            if folder.owner(ofRun: id) != nil {
                running += 1
                continue
            }
            // Writes the run's recipe if it is missing.
            _ = try recipe(of: record)
            let words = [program] + pretraining(id, threads: threads)
            lines.append(words.map(quotedForShell).joined(separator: " "))
        }
        try folder.writeResults(results)
        return Commands(lines: lines, running: running)
    }

    /// A job script that trains runs under Slurm, each a task of an array.
    ///
    /// - Parameters:
    ///   - commands: at least one.
    ///   - jobs: runs at a time; nil for the recipe's, or as many as Slurm starts.
    /// - Returns: what sbatch takes. A task that is asked to stop goes back into the queue.
    /// - Throws: `SweepError.unfitForSlurm`.
    public func slurmScript(_ commands: Commands, jobs: Int?) throws -> String {
        precondition(!commands.lines.isEmpty, "slurmScript: no runs, want at least one")
        return try SlurmScript(
            folder: path, lines: commands.lines, threads: section.threadsPerRun ?? 1,
            jobs: jobs ?? section.jobs
        ).text
    }

    /// Takes in the results of runs that were made elsewhere and are now in the folder.
    ///
    /// - Parameter onEvent: takes an event for each.
    /// - Returns: the number of runs known to be needed and not at their end.
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
                if try isForeign || takeEnded(record) {
                    isNew = isNew || !isForeign
                    try report(record.run, onEvent)
                }
            }
        }
        try folder.writeResults(results)
        return results.count { $0.status == .pending || $0.status == .running }
    }
}
