import FalconCheckpoint
import FalconEval
import FalconRunRecord
import FalconSystem
import FalconTensor
import FalconTrain

/// The progress of a run for a person: a moving line on a terminal, a line now and then elsewhere.
final class TrainingProgress {
    /// The message shown as soon as a signal asks to stop.
    static let stopNotice =
        (isTerminal(2) ? ProgressLine.erasure : "")
        + "stopping: saving the last whole step (Ctrl-C again ends at once, without saving)\n"
    /// Elsewhere than on a terminal.
    private static let secondsBetweenLines = 10.0

    private let common: CommonOptions
    private let plan: RunPlan
    private let line: ProgressLine
    /// When the run began or resumed, by the clock of `monotonicSeconds`, and after which step.
    private var start = (seconds: monotonicSeconds(), step: 0)
    /// Of the whole run; nil before the first step.
    private var tokens: WorkProgress?
    /// Of a step or a validation.
    private var batches = WorkProgress(.items("batches"), at: 0)
    private var hasShownStep = false
    private(set) var last: StepMetrics?
    private(set) var lastValidation: StepMetrics?

    init(_ common: CommonOptions, plan: RunPlan) {
        self.common = common
        self.plan = plan
        line = common.progressLine(secondsBetweenLines: Self.secondsBetweenLines)
    }

    func handle(_ event: RunEvent) {
        switch event {
        case .started(let start): show(start)
        case .damagedCheckpoint(let text): warn("skipping a damaged checkpoint: \(text)")
        case .damagedMetrics(let damage): warn(damage.description)
        case .progress(let progress): show(progress)
        case .step(let metrics): show(metrics)
        case .skipped(let step): line.write(step.description)
        case .givenUp(let step, let done, let count):
            line.write(
                "step \(step) is discarded after \(done) of \(count) micro-batches and done again "
                    + "when the run continues")
        case .saved(let path, let seconds):
            line.write("saved \(path) in \(decimal(seconds, places: 1)) s")
        }
    }

    /// Ends the moving line.
    func finish() { line.end() }

    private func show(_ start: RunStart) {
        let plan = start.plan
        common.talk(
            "\(grouped(plan.parameterCount)) parameters, \(grouped(plan.totalTokens)) tokens in "
                + "\(grouped(plan.steps)) steps of \(stepTokensText(plan)), "
                + "\(decimal(plan.flopsPerToken / 1e6, places: 1)) MFLOP a token, "
                + (start.sources.count == 1
                    ? "\(decimal(start.sources[0].epochs, places: 2)) epochs, " : "")
                + "\(start.threadCount) threads, \(start.precision.rawValue) products")
        if start.sources.count > 1 || start.sources.contains(where: { $0.packed != nil }) {
            for source in start.sources { common.talk("  \(source.path): \(source)") }
        }
        common.tellThreads(start.threadCount)
        if start.precision != start.wantedPrecision {
            common.talk(
                "this processor has no bfloat16 products (AVX512-BF16); they are float32 instead")
        }
        switch start.beginning {
        case .fresh: break
        case .again: common.talk("nothing was saved yet: beginning at the first step")
        case .resumed: common.talk("continuing after step \(start.step)")
        case .branched(let parent):
            common.talk("branching from \(parent.run) after step \(parent.step)")
        }
        for change in start.changes { common.talk("  \(change)") }
        for note in plan.notes { common.talk("note: \(note)") }
        self.start = (monotonicSeconds(), start.step)
    }

    private func show(_ progress: RunProgress) {
        guard progress.count > 1 else { return }
        if progress.done == 0 {
            batches = WorkProgress(.items("batches"), of: progress.count, at: progress.seconds)
        }
        batches.advance(to: progress.done, at: progress.seconds)
        line.show(
            "step \(progress.step)/\(plan.steps)  "
                + place(progress.phase) + batches.place
                + (batches.secondsLeft.map { "  left of it \(duration($0))" } ?? ""))
    }

    private func place(_ phase: RunProgress.Phase) -> String {
        switch phase {
        case .training: "micro-batch "
        case .validation: "validation batch "
        case .task(let name): "\(name) document "
        }
    }

    private func show(_ metrics: StepMetrics) {
        last = metrics
        if metrics.validationLoss != nil { lastValidation = metrics }
        advance(to: metrics)
        let isNotable =
            metrics.evaluationSeconds != nil || metrics.step == plan.steps || !hasShownStep
        hasShownStep = true
        if isNotable {
            line.write(text(of: metrics))
        } else {
            line.show(text(of: metrics), isNews: true)
        }
    }

    private func text(of metrics: StepMetrics) -> String {
        var parts = [
            "step \(metrics.step)/\(plan.steps)",
            "loss \(metrics.loss.map { decimal($0, places: 4) } ?? "-")",
        ]
        if let tokens, !tokens.pace.isEmpty { parts.append(tokens.pace) }
        parts.append("memory \(memory(metrics.peakMemoryBytes))")
        if let loss = metrics.validationLoss, let bits = metrics.validationBitsPerByte {
            parts.append(
                "validation \(decimal(loss, places: 4)), \(decimal(bits, places: 4)) bits/byte")
        }
        for (name, scores) in (metrics.taskScores ?? [:]).sorted(by: { $0.key < $1.key }) {
            guard let (metric, value) = TaskCatalog.leadingScore(of: name, in: scores) else {
                continue
            }
            let error = scores[metric + TaskScore.errorEnding].map {
                " ± \(decimal($0, places: 3))"
            }
            parts.append("\(name) \(metric) \(decimal(value, places: 3))\(error ?? "")")
        }
        return parts.joined(separator: "  ")
    }

    private func advance(to metrics: StepMetrics) {
        let now = monotonicSeconds()
        // A step that was done before, whose line is written again, says nothing about the pace.
        let isOld = metrics.step <= start.step
        var progress =
            tokens
            ?? WorkProgress(
                .items("tokens"), from: metrics.tokens - (isOld ? 0 : metrics.batchTokens),
                of: plan.totalTokens, at: isOld ? now : start.seconds)
        progress.advance(to: metrics.tokens, at: now)
        tokens = progress
    }

    /// Writes a warning that must not be missed, even with `--quiet`.
    private func warn(_ text: String) {
        line.end()
        writeToStandardError("falcon: \(text)\n")
    }
}
