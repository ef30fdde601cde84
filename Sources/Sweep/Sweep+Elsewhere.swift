import FalconSystem

/// Runs that are made elsewhere.
extension Sweep {
    /// What `commands` found.
    public struct Commands: Sendable {
        /// A shell line for each run that is not at its end and that nobody trains now.
        public let lines: [String]
        /// Runs that somebody trains now.
        public let running: Int
    }

    /// The shell commands of the runs that are not at their end, one a run.
    ///
    /// A line serves as often as it takes: it goes on where the run stands, and does nothing when that is
    /// its end.
    ///
    /// - Parameter program: what to call this program.
    /// - Returns: lines for Slurm arrays, GNU parallel or a shell.
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
            // Makes sure that its recipe is there.
            _ = try recipe(of: record)
            let words = [program] + pretraining(id, threads: threads)
            lines.append(words.map(quotedForShell).joined(separator: " "))
        }
        try folder.writeResults(results)
        return Commands(lines: lines, running: running)
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
