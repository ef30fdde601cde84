import FalconData
import FalconModel
import FalconOptim
import FalconRecipe
import FalconTensor

/// The numbers that follow from a recipe before anything is allocated.
public struct RunPlan: Encodable, Equatable, Sendable {
    /// The tokens of each step.
    public let batches: BatchPlan
    /// All weights.
    public let parameterCount: Int
    /// Learnable multipliers, in addition.
    public let multiplierCount: Int
    /// Weights that take part in products; the embedding look-up is not one.
    public let productParameterCount: Int
    /// Forward and backward, at `data.sequence_length`.
    public let flopsPerToken: Double
    /// Tokens of one optimizer step; with a batch ramp, of those after it.
    public let stepTokens: Int
    /// Micro-batches of one step; with a batch ramp, of those after it.
    public let microBatches: Int
    /// Optimizer steps of the run.
    public let steps: Int
    /// Tokens of the run.
    public let totalTokens: Int
    /// The tokens of the run before each stage of the data, in whole steps.
    public let stageStarts: [Int]
    /// Floating-point operations of the run.
    public let totalFLOPs: Double
    /// Weights, masters, gradients and the optimizer's state in float32.
    public let stateBytes: Int
    /// One checkpoint: weights, masters and the optimizer's state.
    public let checkpointBytes: Int
    /// Bytes of the checkpoints kept on disk at the end, one more while the last is written.
    public let diskBytes: Int
    /// Values that have no effect: parts of the schedule and stages of the data for which the run is too short,
    /// and keys of what the model or the data leave out; empty if there are none.
    public let notes: [String]

    /// The key of each field in JSON; `batches` follows from the recipe.
    public enum CodingKeys: String, CodingKey {
        case parameterCount = "parameters"
        case multiplierCount = "multipliers"
        case productParameterCount = "product_parameters"
        case flopsPerToken = "flops_per_token"
        case stepTokens = "step_tokens"
        case microBatches = "micro_batches"
        case steps
        case totalTokens = "total_tokens"
        case stageStarts = "stage_starts"
        case totalFLOPs = "total_flops"
        case stateBytes = "state_bytes"
        case checkpointBytes = "checkpoint_bytes"
        case diskBytes = "disk_bytes"
        case notes
    }

    /// Works out the numbers.
    ///
    /// - Parameters:
    ///   - recipe: a decoded recipe; sizes must be positive.
    ///   - document: what it was decoded from, to tell values that were written from defaults; nil if that is
    ///     not wanted.
    public init(_ recipe: TrainingRecipe, document: RecipeDocument? = nil) {
        let sizes = recipe.model.sizes
        let table = recipe.parametrization.makeModel(recipe.model).table
        parameterCount = table.parameterCount
        multiplierCount = table.multipliers.reduce(0) { $0 + $1.count }
        productParameterCount = sizes.productParameterCount
        flopsPerToken = sizes.trainingFLOPsPerToken(sequenceLength: recipe.data.sequenceLength)
        batches = BatchPlan(recipe.train, sequenceLength: recipe.data.sequenceLength)
        stepTokens = batches.fullBatchTokens
        microBatches = stepTokens / batches.microBatchTokens
        steps = batches.steps
        totalTokens = batches.totalTokens
        let stages = recipe.data.resolvedStages
        stageStarts = batches.starts(of: stages)
        let ends = (stageStarts.dropFirst() + [.max]).map { [totalTokens] in min($0, totalTokens) }
        let starts = stageStarts
        totalFLOPs = stages.indices.reduce(0) { sum, place in
            sum + sizes.trainingFLOPsPerToken(sequenceLength: stages[place].sequenceLength)
                * Double(max(0, ends[place] - starts[place]))
        }
        // Groups that do not fit the model are refused elsewhere.
        let moments =
            (try? Optimizer.stateCount(of: table, recipe.optimizerWithMultipliers)) ?? 0
        let masters =
            table.multipliedMatrices.reduce(0) { $0 + $1.matrix.count } + multiplierCount
        let gradientBuffers = recipe.train.gradientBufferCount
        stateBytes =
            4
            * (parameterCount + masters + moments
                + gradientBuffers * (parameterCount + multiplierCount))
        checkpointBytes = 4 * (parameterCount + masters + moments)
        let kept = recipe.checkpoint.keepEverySteps.map { [steps] in steps / $0 } ?? 0
        let saves = (steps + recipe.checkpoint.everySteps - 1) / recipe.checkpoint.everySteps
        let (bytes, isTooMany) = (min(saves, kept + recipe.checkpoint.keepLast) + 1)
            .multipliedReportingOverflow(by: checkpointBytes)
        diskBytes = isTooMany ? .max : bytes
        let idle = sizes.idleKeys.filter { document?.isWritten("model." + $0) == true }
        let late = starts.lastIndex { [totalTokens] in $0 < totalTokens } ?? 0
        notes =
            recipe.schedule.notes(totalTokens: totalTokens)
            + (document?.isWritten("data.path") == true && !recipe.data.readsPath
                // A resolved recipe writes the default too.
                && recipe.data.path
                    != (try? RecipeDocument(yaml: "", name: "").decode(String.self, at: "data.path"))
                ? ["data.path is not read: the mixture names the data"] : [])
            + (late + 1 < stages.count
                ? [
                    "the run ends before data.stages.\(late + 1) begins, after \(starts[late + 1]) tokens"
                ]
                : [])
            + (idle.isEmpty
                ? [] : ["the model leaves out what these set: " + idle.joined(separator: ", ")])
    }
}
