import ArgumentParser
import FalconConcurrency
import FalconRecipe
import FalconRunRecord
import FalconSweep
import FalconSystem

struct SweepCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sweep",
        abstract: "Train every combination that a recipe's sweep part names.",
        discussion: """
            Each run is a process of its own, so one that diverges or fails does not affect the \
            others. --resume continues a sweep that was stopped or killed, and starts one if there \
            is none yet; no run is lost or repeated. The first Ctrl-C waits until all runs have \
            saved; a second does not wait for them. Exit status 1 if a run failed; one that \
            diverged is a result.
            """)

    /// The things that `--emit` can print.
    enum Emission: String, ExpressibleByArgument, CaseIterable {
        case commands, slurm
    }

    @Option(
        help: """
            A recipe file with a sweep part, or the name of a shipped one. Default with --resume, \
            --emit and --gather: the recipe that the sweep in the folder was started with.
            """)
    var recipe: String?

    @Option(
        name: .customLong("set"), parsing: .singleValue,
        help: ArgumentHelp("Override one value.", valueName: "key.path=value"))
    var overrides: [String] = []

    @Option(
        name: .customLong("run"),
        help: "The folder of the sweep. Default: sweeps/NAME with the recipe's name.")
    var path: String?

    @Flag(help: "Continue the sweep in the folder, if there is one.")
    var resume = false

    @Option(help: "Runs at a time. Default: the recipe's sweep.jobs, or as many as fit.")
    var jobs: Int?

    @Option(
        help: """
            Write the recipes and print, for the unfinished runs, commands: a shell line each; slurm: \
            a script for sbatch.
            """)
    var emit: Emission?

    @Flag(help: "Take in the results of runs that were made elsewhere and copied into the folder.")
    var gather = false

    @Flag(help: "Print one JSON object instead of a table.")
    var json = false

    @Flag(help: "Print results and errors only.")
    var quiet = false

    func validate() throws {
        if let jobs, jobs < 1 { throw ValidationError("--jobs is \(jobs), want at least 1") }
        let isGoingOn = resume || gather || emit != nil
        if recipe == nil && !(isGoingOn && path != nil) {
            throw ValidationError(
                isGoingOn
                    ? "without --recipe wants --run: the sweep's folder holds its recipe"
                    : "missing --recipe: a file with a sweep part")
        }
        if gather && emit != nil { throw ValidationError("--emit and --gather exclude each other") }
    }

    /// The output of `--json`.
    private struct Output: Encodable {
        let sweep: String
        let complete: Bool
        let objective: String
        let runs: [String: Int]
        let configurations: [SweepSummary]
    }

    func run() throws {
        let (name, document) = try Sweep.recipe(
            recipe, settings: overrides, path: path, mustExist: gather)
        let sweep = try Sweep(
            recipe: name, document, path: path, resume: resume || gather || emit != nil)
        if let emit { return try show(emit, of: sweep) }
        let start = monotonicSeconds()
        var isComplete = true
        if gather {
            let open = try sweep.gather { show($0, by: sweep.objective, since: start) }
            isComplete = open == 0
            if open > 0 { talk("\(open) runs are not at their end; --emit prints them") }
        } else {
            Signals.install()
            isComplete =
                try sweep.run(jobs: jobs) { show($0, by: sweep.objective, since: start) }
                != .stopped
        }
        try printTable(sweep, isComplete: isComplete)
        if !isComplete && !gather {
            talk("stopped by a signal; continue with --resume")
            throw ExitCode(ExitStatus.stoppedButSaved.rawValue)
        }
        let failed = sweep.results.filter { $0.status == .failed }
        for record in failed {
            writeToStandardError("falcon: \(record.run): \(record.message ?? "")\n")
        }
        if !failed.isEmpty { throw ExitCode(ExitStatus.checkFailed.rawValue) }
    }

    private func show(_ emission: Emission, of sweep: Sweep) throws {
        let commands = try sweep.commands()
        if commands.running > 0 {
            talk("\(commands.running) runs are being trained now and are left out")
        }
        if commands.lines.isEmpty { return talk("no run is left to start") }
        switch emission {
        case .commands: for line in commands.lines { print(line) }
        case .slurm: print(try sweep.slurmScript(commands, jobs: jobs), terminator: "")
        }
    }

    private func talk(_ text: String) {
        if !quiet { writeToStandardError(text + "\n") }
    }

    private func show(_ event: SweepEvent, by objective: RunObjective, since start: Double) {
        switch event {
        case .waiting(let run, let owner):
            talk("waiting for \(run), which \(owner) trains or saves")
        case .stopping(let runs):
            talk(
                "stopping: \(runs) runs save their state; a second Ctrl-C does not wait for them, "
                    + "and --resume continues in either case")
        case .ended(let record, let done, let known):
            let elapsed = monotonicSeconds() - start
            var text = "\(done)/\(known)  \(record.run)  \(record.status.rawValue)"
            if let value = record.result.value(objective) {
                text += "  \(decimal(value, places: 4))"
            }
            if let seconds = record.elapsedSeconds { text += "  \(duration(seconds))" }
            text += "  elapsed \(duration(elapsed))"
            if let message = record.message { text += "\n  \(message)" }
            talk(text)
        }
    }

    private func printTable(_ sweep: Sweep, isComplete: Bool) throws {
        let summaries = SweepSummary.all(sweep.results, by: sweep.objective)
        if json {
            var counts: [String: Int] = [:]
            for record in sweep.results { counts[record.status.rawValue, default: 0] += 1 }
            return try printJSON(
                Output(
                    sweep: sweep.path, complete: isComplete, objective: sweep.objective.name,
                    runs: counts, configurations: summaries))
        }
        let keys = Set(summaries.flatMap(\.configuration.keys)).sorted()
        func last(_ key: String) -> String { String(key.split(separator: ".").last ?? "") }
        var table = Table(
            keys.map { key in keys.count { last($0) == last(key) } == 1 ? last(key) : key }
                + ["best rate", sweep.objective.name, "std. error", "seeds", "diverged"])
        for summary in summaries {
            table.add(
                keys.map { summary.configuration[$0]?.description ?? "-" } + [
                    summary.learningRate.map { "\($0)" + (summary.isAtEdge ? " (edge)" : "") }
                        ?? "-",
                    summary.mean.map { decimal($0, places: 4) } ?? "-",
                    summary.standardError.map { decimal($0, places: 4) } ?? "-",
                    "\(summary.seeds)", "\(summary.diverged)",
                ])
        }
        table.printed()
    }
}
