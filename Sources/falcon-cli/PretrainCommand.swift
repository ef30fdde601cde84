import ArgumentParser
import FalconCheckpoint
import FalconRecipe
import FalconSweep
import FalconSystem
import FalconTensor
import FalconTrain

struct PretrainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pretrain", abstract: "Train a model from a recipe.")

    @OptionGroup var recipe: RecipeOptions

    @Option(
        name: .customLong("run"),
        help: "The folder of the run; without it, runs/NAME with the recipe's name.")
    var runPath: String?

    @Flag(help: "Go on from the newest good checkpoint of the run.")
    var resume = false

    @Flag(help: "Delete the run that is there first.")
    var overwrite = false

    @Option(help: "Save and stop after the step that reaches so many tokens.")
    var untilTokens: Int?

    @Flag(help: "Save and stop when standard input ends: with the process at its other end.")
    var stopAtEndOfInput = false

    @OptionGroup var common: CommonOptions

    func validate() throws {
        if let untilTokens, untilTokens < 1 {
            throw ValidationError("--until-tokens is \(untilTokens), want at least 1")
        }
        if resume && overwrite {
            throw ValidationError("--resume and --overwrite exclude each other")
        }
    }

    func run() throws {
        let document = try RecipeDocument(recipe: recipe.recipe, settings: recipe.overrides)
        if document.contains("sweep") { throw SweepError.isSweep(recipe: recipe.recipe) }
        let decoded = try document.decode(TrainingRecipe.self)
        let path = runPath ?? "runs/\(decoded.name)"
        Signals.install()
        if stopAtEndOfInput { try Signals.requestStopAtEndOfInput() }
        let progress = TrainingProgress(common, plan: RunPlan(decoded))
        let run = try PretrainingRun(
            decoded, resolvedRecipe: document.resolvedYAML(), recipeDigest: document.digest,
            runPath: path, existing: resume ? .resume : overwrite ? .overwrite : .refuse,
            threadCount: common.threadCount, onEvent: progress.handle)
        let outcome = try run.run(untilTokens: untilTokens)
        progress.finish()
        let summary = Output(
            run: path, step: run.trainer.step, finished: outcome == .finished,
            checkpoint: RunFolder(path: path).checkpoints.path(ofStep: run.trainer.step),
            loss: progress.last?.loss, validation_loss: progress.lastValidation?.validationLoss,
            validation_bits_per_byte: progress.lastValidation?.validationBitsPerByte,
            elapsed_seconds: progress.last?.elapsedSeconds ?? 0,
            peak_memory_bytes: peakMemoryByteCount())
        if common.json { try printJSON(summary) } else { print(summary.checkpoint) }
        if outcome == .stopped {
            common.talk("stopped before the end; everything is saved: go on with --resume")
            throw ExitCode(ExitStatus.stoppedButSaved.rawValue)
        }
    }

    /// What `--json` prints.
    private struct Output: Encodable {
        let version = 1
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

/// Tells a person how the run goes: a line that moves on a terminal, lines now and then elsewhere.
final class TrainingProgress {
    private let common: CommonOptions
    private let plan: RunPlan
    private let isLive: Bool
    private var firstStep = 0
    private var lastShown = -1e9
    /// Seconds a token, smoothed.
    private var pace: Double?
    private var previousElapsed = 0.0
    private(set) var last: StepMetrics?
    private(set) var lastValidation: StepMetrics?

    init(_ common: CommonOptions, plan: RunPlan) {
        self.common = common
        self.plan = plan
        isLive = isTerminal(2) && !common.quiet
    }

    func handle(_ event: RunEvent) {
        switch event {
        case .started(let start): show(start)
        case .damagedCheckpoint(let text): writeLine("skipping a damaged checkpoint: \(text)")
        case .step(let metrics): show(metrics)
        case .skipped(let step, let parameter):
            writeLine(
                "step \(step): loss or gradient is not finite"
                    + (parameter.map { " (first in \($0))" } ?? "") + "; the step is not applied")
        case .saved(let path, let seconds):
            writeLine("saved \(path) in \(decimal(seconds, places: 1)) s")
        }
    }

    /// Ends the moving line.
    func finish() {
        if isLive && last != nil { writeToStandardError("\n") }
    }

    private func show(_ start: RunStart) {
        firstStep = start.step
        let plan = start.plan
        common.talk(
            "\(grouped(plan.parameterCount)) parameters, \(grouped(plan.totalTokens)) tokens in "
                + "\(grouped(plan.steps)) steps of \(stepTokensText(plan)), "
                + "\(decimal(plan.flopsPerToken / 1e6, places: 1)) MFLOP a token, "
                + "\(decimal(Double(plan.totalTokens) / Double(max(1, start.datasetTokens)), places: 2)) epochs, "
                + "\(start.threadCount) threads, \(start.precision.rawValue) products")
        if start.precision != start.wantedPrecision {
            common.talk(
                "this processor has no bfloat16 products (AVX512-BF16); they are float32 instead")
        }
        if start.step > 0 { common.talk("going on after step \(start.step)") }
    }

    private func show(_ metrics: StepMetrics) {
        last = metrics
        if metrics.validationLoss != nil { lastValidation = metrics }
        let seconds =
            (metrics.elapsedSeconds - previousElapsed) / Double(metrics.batchTokens)
        previousElapsed = metrics.elapsedSeconds
        pace = pace.map { 0.9 * $0 + 0.1 * seconds } ?? seconds
        let isNotable = metrics.validationLoss != nil || metrics.step == plan.steps
        guard isLive || isNotable || metrics.elapsedSeconds - lastShown >= 10 else { return }
        lastShown = metrics.elapsedSeconds
        var text =
            "step \(metrics.step)/\(plan.steps)  loss \(metrics.loss.map { decimal($0, places: 4) } ?? "-")"
        text += "  \(grouped(Int(1 / (pace ?? 1)))) tokens/s"
        text += "  left \(duration(Double(plan.totalTokens - metrics.tokens) * (pace ?? 0)))"
        text += "  memory \(memory(metrics.peakMemoryBytes))"
        if let loss = metrics.validationLoss, let bits = metrics.validationBitsPerByte {
            text +=
                "  validation \(decimal(loss, places: 4)), \(decimal(bits, places: 4)) bits/byte"
        }
        if isLive && !isNotable {
            writeToStandardError("\r\u{1B}[K" + text)
        } else {
            writeLine(text)
        }
    }

    private func writeLine(_ text: String) {
        common.talk((isLive ? "\r\u{1B}[K" : "") + text)
    }
}
