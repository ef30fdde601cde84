import FalconRunRecord
import FalconSystem

/// A run's report on a step that was not applied.
public struct SkippedStep: Equatable, Sendable {
    /// The step's number.
    public let step: Int
    /// Why it was not applied.
    public let reason: SkipReason
    /// Its value compared with the history, if that was the reason.
    public let score: SpikeScore?
    /// The first parameter whose gradient is not finite, or the one whose gradient changed most.
    public let parameter: String?
    /// The micro-batch with the largest loss, from 1.
    public let microBatch: Int?
    /// Micro-batches of the step.
    public let microBatchCount: Int
    /// The first tokens of its documents in the training split.
    public let documents: [Int]
    /// The black box; nil for a step without targets.
    public let event: String?

    /// The message for a person.
    public var description: String {
        let what: String
        switch reason {
        case .notFinite: what = "loss or gradient is not finite"
        case .lossSpike: what = "the loss \(Self.text(score))"
        case .gradientSpike: what = "the gradient norm \(Self.text(score))"
        case .noTargets:
            return
                "step \(step): no token to predict, only ends of documents; the step is skipped"
        }
        let shown = documents.prefix(3).map { "\($0)" }.joined(separator: "; ")
        return "step \(step): \(what)"
            + (parameter.map { "; \(reason == .notFinite ? "first" : "most") in \($0)" } ?? "")
            + (microBatch.map { "; micro-batch \($0) of \(microBatchCount)" } ?? "")
            + (documents.isEmpty
                ? "" : ", documents at tokens \(shown)\(documents.count > 3 ? "; …" : "")")
            + "; the step is not applied" + (event.map { ", see \($0)" } ?? "")
    }

    private static func text(_ score: SpikeScore?) -> String {
        guard let score else { return "is far above its history" }
        return
            "\(decimal(score.value, places: 4)) is \(decimal(score.score, places: 1)) deviations above "
            + "its mean \(decimal(score.mean, places: 4))"
    }
}

/// Counts the steps that are not applied, writes their black boxes, and says when to stop.
struct StepJudge {
    /// Nil where another rank writes them.
    private var events: EventLog?
    /// Whether an event waits for the sizes of the next applied step.
    private var hasOpenEvent = false
    private let limit: Int
    /// Steps in a row that were not applied, not counting those without targets.
    var skippedInARow = 0
    /// The reason for the last of them; nil after an applied step.
    private(set) var lastReason: SkipReason?
    private var last: SkippedStep?

    /// A judge of a run.
    ///
    /// - Parameters:
    ///   - events: takes the black boxes; nil where another rank writes them.
    ///   - limit: steps in a row that are too many.
    init(_ events: EventLog?, limit: Int) { (self.events, self.limit) = (events, limit) }

    /// Removes the black boxes of later steps, which will be done again.
    func removeEvents(after step: Int) throws { try events?.removeLater(than: step) }

    /// Judges a step.
    ///
    /// - Parameters:
    ///   - result: its result.
    ///   - planned: its plan.
    ///   - trainer: the trainer that did the step.
    /// - Returns: the report; nil for an applied step, and where another rank reports.
    /// - Throws: `FileError` or `DataError` if the black box cannot be written.
    mutating func judge(
        _ result: StepResult, _ planned: StepPlan, _ trainer: Trainer
    ) throws -> SkippedStep? {
        defer { trainer.wantsNorms = hasOpenEvent }
        guard let reason = result.skipReason else {
            (skippedInARow, lastReason, last, hasOpenEvent) = (0, nil, nil, false)
            try events?.close(result, step: planned.step)
            return nil
        }
        if reason == .noTargets {
            return SkippedStep(
                step: planned.step, reason: reason, score: nil, parameter: nil, microBatch: nil,
                microBatchCount: result.microBatches.count,
                documents: [], event: nil)
        }
        (skippedInARow, lastReason, hasOpenEvent) = (skippedInARow + 1, reason, true)
        guard let (event, path) = try events?.write(result, planned, trainer.spikeGuard) else {
            return nil
        }
        let worst = event.microBatches.first { $0.number == event.microBatch }
        let skipped = SkippedStep(
            step: planned.step, reason: reason,
            score: reason == .lossSpike ? event.history?.loss : event.history?.gradientNorm,
            parameter: result.parameter,
            microBatch: event.microBatch, microBatchCount: event.microBatches.count,
            documents: worst?.sequences.flatMap(\.documents).map(\.firstToken) ?? [], event: path)
        last = skipped
        return skipped
    }

    /// Whether too many steps in a row were not applied.
    var isOver: Bool { skippedInARow >= limit }

    /// The end of a run that cannot continue.
    ///
    /// - Parameters:
    ///   - step: steps done.
    ///   - lastSave: the newest checkpoint.
    ///   - state: the problem with the state; nil if too many steps were not applied.
    /// - Returns: the cause, with the last skipped step.
    func divergence(step: Int, lastSave: Int?, state: String? = nil) -> Divergence {
        Divergence(
            step: step,
            cause: state.map { .badState($0) }
                ?? .skippedSteps(skippedInARow, lastReason ?? .notFinite),
            parameter: last?.parameter, lastSave: lastSave, event: last?.event)
    }
}
