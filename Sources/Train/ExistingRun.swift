/// The choices for a run folder that already exists.
public enum ExistingRun: Sendable {
    /// An error.
    case refuse
    /// Continue from its newest whole checkpoint; begin if it has saved nothing yet.
    case resume
    /// Begin a new run, which replaces the old one when it has saved for the first time.
    case overwrite
}
