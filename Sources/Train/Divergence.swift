import FalconRunRecord

/// The reason why a run cannot continue, or ended without a result.
public struct Divergence: Equatable, Sendable {
    /// A cause of a divergence.
    public enum Cause: Equatable, Sendable {
        /// This many steps in a row were not applied, the last for this reason.
        case skippedSteps(Int, SkipReason)
        /// The weights, the optimizer's state or the loss that they give is not finite: a clause.
        case badState(String)
    }

    /// Steps done.
    public var step: Int
    /// The cause.
    public var cause: Cause
    /// The parameter where the last skipped step stood out.
    public var parameter: String?
    /// The step of the newest checkpoint; every checkpoint is finite.
    public var lastSave: Int?
    /// The file about the contents of the last skipped step.
    public var event: String?

    /// The message for a person.
    var description: String {
        let found: String
        switch cause {
        case .badState(let clause): found = "the run has diverged: \(clause)"
        case .skippedSteps(let count, let reason):
            found =
                "\(Self.subject(of: reason)) \(count) times in a row"
                + (parameter.map { " (\(reason == .notFinite ? "first" : "most") in \($0))" } ?? "")
        }
        return "stopped at step \(step): \(found); the last good save is "
            + (lastSave.map { "step \($0)" } ?? "none") + (event.map { "; see \($0)" } ?? "") + "; "
            + advice
    }

    private static func subject(of reason: SkipReason) -> String {
        switch reason {
        case .notFinite: "loss or gradient was not finite"
        case .lossSpike: "the loss was far above its history"
        case .gradientSpike: "the gradient norm was far above its history"
        case .noTargets: "there was no token to predict"
        }
    }

    private var advice: String {
        switch cause {
        case .skippedSteps(_, .lossSpike), .skippedSteps(_, .gradientSpike):
            "look at the data there; if they have changed for good, raise train.spike_guard.limit "
                + "or set train.spike_guard to null; otherwise lower optimizer.learning_rate"
        case .badState, .skippedSteps:
            "lower optimizer.learning_rate or lengthen schedule.warmup_tokens"
        }
    }
}
