import FalconCheckpoint
import FalconRunRecord
import FalconTensor

/// The outcome of a run.
public enum RunOutcome: Equatable, Sendable {
    case finished
    /// A signal or a limit of tokens asked to stop; everything is saved.
    case stopped
}

/// An event that a run reports.
public enum RunEvent: Sendable {
    case started(RunStart)
    /// A checkpoint that cannot be used, and why.
    case damagedCheckpoint(String)
    case damagedMetrics(DamagedMetrics)
    /// A part of a step, or of a validation, is about to begin.
    case progress(RunProgress)
    case step(StepMetrics)
    case skipped(SkippedStep)
    /// A stop discarded a step after this many of its micro-batches, as if it had not begun.
    case givenUp(step: Int, microBatchesDone: Int, microBatches: Int)
    case saved(path: String, seconds: Double)
}

/// The starting point of a run.
public struct RunStart: Sendable {
    /// A source of the first weights.
    public enum Beginning: Equatable, Sendable {
        /// Drawn, or those of another model.
        case fresh
        /// The run in the folder was begun before, but has saved nothing.
        case again
        /// A checkpoint of the run.
        case resumed
        /// A checkpoint of another run.
        case branched(CheckpointAncestor)
    }

    /// The source of the first weights.
    public let beginning: Beginning
    /// Steps done before.
    public let step: Int
    /// Values of the recipe that have changed, one line each.
    public let changes: [String]
    /// The numbers that follow from the recipe.
    public let plan: RunPlan
    /// What the run reads of each data set.
    public let sources: [PlannedSource]
    /// Threads that compute.
    public let threadCount: Int
    /// The type of the factors in products; float32 on a processor without bfloat16.
    public let precision: Precision
    /// The type of the factors in products that the recipe asks for.
    public let wantedPrecision: Precision
}

/// The progress of a step that takes long.
public struct RunProgress: Equatable, Sendable {
    /// A phase of a step.
    public enum Phase: Equatable, Sendable {
        case training, validation
        /// The task with a name.
        case task(String)
    }

    /// The current phase.
    public let phase: Phase
    /// The number of the step, from 1.
    public let step: Int
    /// Batches done, or documents of a task.
    public let done: Int
    /// Batches in all, or documents.
    public let count: Int
    /// Seconds since the first of them began.
    public let seconds: Double
}
