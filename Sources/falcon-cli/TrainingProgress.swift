import FalconCheckpoint
import FalconRunRecord
import FalconSystem
import FalconTensor
import FalconTrain

/// Tells a person how the run goes: a line that moves on a terminal, lines now and then elsewhere.
final class TrainingProgress {
    /// What a person reads the moment a signal asks to stop.
    static let stopNotice =
        (isTerminal(2) ? "\r\u{1B}[K" : "")
        + "stopping: saving the last whole step (Ctrl-C again ends at once, without saving)\n"
    /// Elsewhere than on a terminal.
    private static let secondsBetweenLines = 10.0
    /// On a terminal, of a step that goes through many micro-batches.
    private static let secondsBetweenUpdates = 0.2

    private let common: CommonOptions
    private let plan: RunPlan
    private let isLive: Bool
    /// On the clock of `monotonicSeconds`.
    private var lastShown: Double
    private var hasShownStep = false
    /// Seconds a token, smoothed.
    private var pace: Double?
    private var previousElapsed = 0.0
    private(set) var last: StepMetrics?
    private(set) var lastValidation: StepMetrics?

    init(_ common: CommonOptions, plan: RunPlan) {
        self.common = common
        self.plan = plan
        isLive = isTerminal(2) && !common.quiet
        lastShown = monotonicSeconds()
    }

    func handle(_ event: RunEvent) {
        switch event {
        case .started(let start): show(start)
        case .damagedCheckpoint(let text): warn("skipping a damaged checkpoint: \(text)")
        case .damagedMetrics(let damage): warn(damage.description)
        case .progress(let progress): show(progress)
        case .step(let metrics): show(metrics)
        case .skipped(let step): writeLine(step.description)
        case .givenUp(let step, let done, let count):
            writeLine(
                "step \(step) is given up after \(done) of \(count) micro-batches and done again when "
                    + "the run goes on")
        case .saved(let path, let seconds):
            writeLine("saved \(path) in \(decimal(seconds, places: 1)) s")
        }
    }

    /// Ends the moving line.
    func finish() {
        if isLive && last != nil { writeToStandardError("\n") }
    }

    private func show(_ start: RunStart) {
        let plan = start.plan
        common.talk(
            "\(grouped(plan.parameterCount)) parameters, \(grouped(plan.totalTokens)) tokens in "
                + "\(grouped(plan.steps)) steps of \(stepTokensText(plan)), "
                + "\(decimal(plan.flopsPerToken / 1e6, places: 1)) MFLOP a token, "
                + "\(decimal(Double(plan.totalTokens) / Double(max(1, start.datasetTokens)), places: 2)) epochs, "
                + "\(start.threadCount) threads, \(start.precision.rawValue) products")
        common.tellThreads(start.threadCount)
        if start.precision != start.wantedPrecision {
            common.talk(
                "this processor has no bfloat16 products (AVX512-BF16); they are float32 instead")
        }
        switch start.beginning {
        case .fresh: break
        case .again: common.talk("nothing was saved yet: beginning with the first step")
        case .resumed: common.talk("going on after step \(start.step)")
        case .branched(let parent):
            common.talk("branching from \(parent.run) after step \(parent.step)")
        }
        for change in start.changes { common.talk("  \(change)") }
        for note in plan.notes { common.talk("note: \(note)") }
        lastShown = monotonicSeconds()
    }

    private func show(_ progress: RunProgress) {
        let interval = isLive ? Self.secondsBetweenUpdates : Self.secondsBetweenLines
        guard progress.count > 1, monotonicSeconds() - lastShown >= interval else { return }
        var text = "step \(progress.step)/\(plan.steps)  "
        text += progress.phase == .validation ? "validation batch " : "micro-batch "
        text += "\(progress.done + 1)/\(progress.count)"
        if progress.done > 0 {
            let left =
                progress.seconds / Double(progress.done)
                * Double(progress.count - progress.done)
            text += "  left of it \(duration(left))"
        }
        move(text)
    }

    private func show(_ metrics: StepMetrics) {
        last = metrics
        if metrics.validationLoss != nil { lastValidation = metrics }
        let seconds =
            (metrics.elapsedSeconds - previousElapsed) / Double(metrics.batchTokens)
        previousElapsed = metrics.elapsedSeconds
        pace = pace.map { 0.9 * $0 + 0.1 * seconds } ?? seconds
        let isNotable =
            metrics.validationLoss != nil || metrics.step == plan.steps || !hasShownStep
        guard isLive || isNotable || monotonicSeconds() - lastShown >= Self.secondsBetweenLines
        else { return }
        hasShownStep = true
        var text =
            "step \(metrics.step)/\(plan.steps)  loss \(metrics.loss.map { decimal($0, places: 4) } ?? "-")"
        // A line that was lost and is written again has no time.
        if let pace, pace > 0 { text += "  \(grouped(wholeNumber(1 / pace))) tokens/s" }
        text += "  left \(duration(Double(plan.totalTokens - metrics.tokens) * (pace ?? 0)))"
        text += "  memory \(memory(metrics.peakMemoryBytes))"
        if let loss = metrics.validationLoss, let bits = metrics.validationBitsPerByte {
            text +=
                "  validation \(decimal(loss, places: 4)), \(decimal(bits, places: 4)) bits/byte"
        }
        if isNotable { writeLine(text) } else { move(text) }
    }

    /// Shows how far it is: on a terminal in the moving line, elsewhere in a line of its own.
    private func move(_ text: String) {
        lastShown = monotonicSeconds()
        if isLive {
            writeToStandardError("\r\u{1B}[K" + text)
        } else {
            common.talk(text)
        }
    }

    private func writeLine(_ text: String) {
        lastShown = monotonicSeconds()
        common.talk((isLive ? "\r\u{1B}[K" : "") + text)
    }

    /// Says what must not be missed, with `--quiet` too.
    private func warn(_ text: String) {
        writeToStandardError((isLive ? "\r\u{1B}[K" : "") + "falcon: \(text)\n")
    }
}
