import FalconData
import FalconEval
import FalconModel
import FalconOptim
import FalconTensor

/// The most memory that a run will hold at one time, found by running it without computing.
///
/// A training step of the real model runs on a device that counts memory and takes none, so the
/// plan follows every change of model, ops and kernels. Documents are assumed to fill their
/// sequences, which needs the most.
public struct MemoryPlan: Codable, Equatable, Sendable {
    /// Weights in float32; twice with learnable multipliers, which scale one copy to make the other.
    public let parameterBytes: Int
    /// Their gradients; twice with more than one leaf.
    public let gradientBytes: Int
    /// The optimizer's moments.
    public let momentBytes: Int
    /// Activations kept for backward, their gradients, logits and losses at the peak.
    public let activationBytes: Int
    /// Memory that kernels use during a call, at the peak.
    public let scratchBytes: Int
    /// Gaps between tensors, the program itself, its tokenizer and data.
    public let otherBytes: Int

    /// Weights, gradients and moments.
    public var stateBytes: Int { parameterBytes + gradientBytes + momentBytes }

    /// All of it: the peak of the resident memory.
    public var totalBytes: Int {
        parameterBytes + gradientBytes + momentBytes + activationBytes + scratchBytes + otherBytes
    }

    /// The key of each field in JSON.
    public enum CodingKeys: String, CodingKey {
        case parameterBytes = "parameter_bytes"
        case gradientBytes = "gradient_bytes"
        case momentBytes = "moment_bytes"
        case activationBytes = "activation_bytes"
        case scratchBytes = "scratch_bytes"
        case otherBytes = "other_bytes"
    }

    /// Code, libraries, tokenizer, recipe and read-ahead data: up to 43 MiB measured, whatever the model.
    private static let programBytes = 44 << 20

    /// Plans a run.
    ///
    /// - Parameters:
    ///   - recipe: a decoded recipe.
    ///   - threadCount: threads that will compute; each has scratch of its own.
    ///   - tasks: the tasks that the run scores; nil for none.
    /// - Throws: `OptimizerError` if the groups do not fit the model; `TokenizerError` or `EvaluationError` if
    ///   the tasks do not.
    public init(_ recipe: TrainingRecipe, threadCount: Int, tasks: TaskScoring? = nil) throws {
        let device = Device.rehearsal(threadCount: threadCount, precision: recipe.train.precision)
        let trainer = try Self.rehearse(recipe, tasks: tasks, on: device)
        let table = trainer.model.table
        let bufferBytes = table.flatCount * MemoryLayout<Float>.stride
        parameterBytes = (table.multipliedMatrices.isEmpty ? 1 : 2) * bufferBytes
        gradientBytes = recipe.train.gradientBufferCount * bufferBytes
        momentBytes = trainer.optimizer.stateByteCount
        scratchBytes = device.peakScratchByteCount
        activationBytes =
            device.peakByteCount - parameterBytes - gradientBytes - momentBytes - scratchBytes
        otherBytes = device.reservedByteCount - device.peakByteCount + Self.programBytes
    }

    /// Does everything that a run does with tensors: two steps, a validation, and its tasks.
    ///
    /// - Parameters:
    ///   - recipe: a decoded recipe.
    ///   - tasks: the tasks that the run scores; nil for none.
    ///   - device: a dry device, or a real one to compare it with.
    /// - Returns: the trainer.
    /// - Throws: as `init`.
    @discardableResult
    static func rehearse(
        _ recipe: TrainingRecipe, tasks: TaskScoring? = nil, on device: Device
    ) throws -> Trainer {
        let trainer = try Trainer(recipe, on: device, initialize: false)
        func batch(sequenceLength: Int) -> Batch {
            let sequence = [Int32](repeating: 0, count: sequenceLength + 1)
            let tokens = recipe.train.microBatchSequences * recipe.data.sequenceLength
            return Batch(
                sequences: Array(repeating: sequence, count: max(1, tokens / sequenceLength)),
                endOfDocumentID: Batch.notScored)
        }
        for length in Set(recipe.data.resolvedStages.map(\.sequenceLength)).sorted() {
            for _ in 0..<2 { _ = trainer.step([batch(sequenceLength: length)]) }
        }
        if recipe.evaluation.everySteps != nil {
            let batch = batch(sequenceLength: recipe.data.sequenceLength)
            var tape = Tape(on: device, isRecording: false)
            let hidden = trainer.model.hidden(
                device.indices(batch.tokens), segments: Segments(batch.documentOffsets), on: &tape)
            _ = trainer.model.losses(hidden, targets: device.indices(batch.targets), on: &tape)
        }
        try tasks?.rehearse(with: trainer)
        return trainer
    }
}
