import FalconCheckpoint
import FalconRunRecord
import FalconTensor

/// How a run ended.
public enum RunOutcome: Equatable, Sendable {
    case finished
    /// A signal or a limit of tokens asked to stop; everything is saved.
    case stopped
}

/// Something a run tells while it goes on.
public enum RunEvent: Sendable {
    case started(RunStart)
    /// A checkpoint that cannot be used, and why.
    case damagedCheckpoint(String)
    case damagedMetrics(DamagedMetrics)
    /// A part of a step, or of a validation, is about to begin.
    case progress(RunProgress)
    case step(StepMetrics)
    case skipped(SkippedStep)
    /// A stop came after so many micro-batches of a step, which is as if it had not begun.
    case givenUp(step: Int, microBatchesDone: Int, microBatches: Int)
    case saved(path: String, seconds: Double)
}

/// What a run starts from.
public struct RunStart: Sendable {
    /// Where the weights come from.
    public enum Beginning: Equatable, Sendable {
        /// Drawn, or those of another model.
        case fresh
        /// The folder's run has been begun before, but has saved nothing.
        case again
        /// A checkpoint of the run.
        case resumed
        /// A checkpoint of another run.
        case branched(CheckpointAncestor)
    }

    /// Where the weights come from.
    public let beginning: Beginning
    /// Steps done before.
    public let step: Int
    /// Values of the recipe that are others than before, as lines.
    public let changes: [String]
    /// What follows from the recipe.
    public let plan: RunPlan
    /// Tokens of the training split.
    public let datasetTokens: Int
    /// Threads that compute.
    public let threadCount: Int
    /// What products multiply here; not what the recipe wants on a processor without bfloat16.
    public let precision: Precision
    /// What the recipe wants products to multiply.
    public let wantedPrecision: Precision
}

/// How far a step is that takes long.
public struct RunProgress: Equatable, Sendable {
    /// What is being done.
    public enum Phase: Equatable, Sendable {
        case training, validation
    }

    /// What is being done.
    public let phase: Phase
    /// The number of the step, from 1.
    public let step: Int
    /// Batches done.
    public let done: Int
    /// Batches in all.
    public let count: Int
    /// Since the first of them began.
    public let seconds: Double
}
