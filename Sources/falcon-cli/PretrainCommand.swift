import ArgumentParser
import FalconCheckpoint
import FalconConcurrency
import FalconRanks
import FalconRecipe
import FalconRunRecord
import FalconSystem
import FalconTensor
import FalconTrain

struct PretrainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pretrain", abstract: "Train a model from a recipe.",
        discussion: """
            Ctrl-C, SIGTERM and SIGHUP discard the step that has begun, save the one before and \
            exit with status 75; SIGUSR1 saves and continues. One line that begins, continues and \
            survives a requeue:

              falcon pretrain --recipe mine.yaml --run runs/mine --resume

            A run folder holds its recipe: falcon pretrain --run runs/mine --resume. A resumed run \
            may change checkpoint, evaluation, monitor, name, train.max_skipped_steps, \
            train.recompute, train.spike_guard, and data.path to the same data; a branch may also \
            change the schedule, the length and the rates:

              falcon pretrain --branch runs/mine@2000 --run runs/decayed --set train.steps=2500
            """)

    @Option(
        help:
            "A recipe file or a shipped name. Default with --resume or --branch: that run's recipe."
    )
    var recipe: String?

    @Option(
        name: .customLong("set"), parsing: .singleValue,
        help: ArgumentHelp("Override one value.", valueName: "key.path=value"))
    var overrides: [String] = []

    @Option(
        name: .customLong("run"),
        help: "The folder of the run. Default: runs/NAME with the recipe's name.")
    var runPath: String?

    @Flag(help: "Continue from the newest whole checkpoint of the run; begin if there is none yet.")
    var resume = false

    @Flag(
        help: """
            Replace the run in the folder. It is kept until the new one has saved for the first \
            time.
            """)
    var overwrite = false

    @Option(
        help: ArgumentHelp(
            "Begin from a checkpoint of another run, with its optimizer state and data position.",
            valueName: "run[@step]"))
    var branch: String?

    @Option(help: "Save and stop after the step that reaches this many tokens.")
    var untilTokens: Int?

    @Flag(help: "Save and stop when standard input ends, and so with the process that feeds it.")
    var stopAtEndOfInput = false

    @OptionGroup var ranks: RankOptions
    @OptionGroup var common: CommonOptions

    func validate() throws {
        if let untilTokens, untilTokens < 1 {
            throw ValidationError("--until-tokens is \(untilTokens), want at least 1")
        }
        if resume && overwrite {
            throw ValidationError("--resume and --overwrite exclude each other")
        }
        if recipe == nil && branch == nil && !(resume && runPath != nil) {
            throw ValidationError(
                resume
                    ? "--resume without --recipe wants --run: the run's folder holds its recipe"
                    : "missing --recipe: a file, or the name of a shipped recipe")
        }
    }

    func run() throws {
        try ranks.run(common) { ranks, common in try run(ranks, common) }
    }

    private func run(_ ranks: RankGroup, _ common: CommonOptions) throws {
        Signals.install(notice: common.quiet ? nil : TrainingProgress.stopNotice)
        if stopAtEndOfInput { try Signals.requestStopAtEndOfInput() }
        let request = RunRequest(
            recipe: recipe, settings: overrides, path: runPath,
            existing: resume ? .resume : overwrite ? .overwrite : .refuse, branch: branch)
        let opened = try request.open(ranks)
        let decoded = try opened.document.decode(TrainingRecipe.self)
        let progress = TrainingProgress(common, plan: RunPlan(decoded))
        let (run, outcome): (PretrainingRun, RunOutcome)
        do {
            run = try PretrainingRun(
                opened, ranks: ranks, threadCount: common.threadCount,
                onEvent: ranks.isLeader ? progress.handle : { _ in })
            outcome = try run.run(untilTokens: untilTokens)
        } catch let failure as RankFailure {
            throw InterruptedRun(failure, step: try opened.folder.checkpoints.steps().last)
        }
        progress.finish()
        if ranks.isLeader { try printSummary(of: run, opened.folder, outcome, progress, common) }
        if outcome == .stopped {
            common.talk("stopped before the end; everything is saved: continue with --resume")
            throw ExitCode(ExitStatus.stoppedButSaved.rawValue)
        }
    }

    private func printSummary(
        of run: PretrainingRun, _ folder: RunFolder, _ outcome: RunOutcome,
        _ progress: TrainingProgress, _ common: CommonOptions
    ) throws {
        let summary = Output(
            run: folder.path, step: run.trainer.step, finished: outcome == .finished,
            checkpoint: folder.checkpoints.path(ofStep: run.trainer.step),
            loss: progress.last?.loss, validation_loss: progress.lastValidation?.validationLoss,
            validation_bits_per_byte: progress.lastValidation?.validationBitsPerByte,
            elapsed_seconds: progress.last?.elapsedSeconds ?? 0,
            peak_memory_bytes: peakMemoryByteCount())
        if common.json { try printJSON(summary) } else { print(summary.checkpoint) }
    }

    /// The end of a run whose other ranks have failed.
    private struct InterruptedRun: EndOfAnotherRank {
        let failure: RankFailure
        /// The step of the newest checkpoint; nil if there is none.
        let step: Int?

        init(_ failure: RankFailure, step: Int?) { (self.failure, self.step) = (failure, step) }

        var description: String {
            failure.description
                + (step.map { "; the save of step \($0) stands: continue with --resume" }
                    ?? "; nothing was saved yet")
        }

        var exitStatus: ExitStatus { step == nil ? failure.exitStatus : .stoppedButSaved }
    }

    /// The output of `--json`.
    private struct Output: Encodable {
        let run: String
        let step: Int
        let finished: Bool
        let checkpoint: String
        let loss: Double?
        let validation_loss: Double?
        let validation_bits_per_byte: Double?
        let elapsed_seconds: Double
        let peak_memory_bytes: Int
    }
}
