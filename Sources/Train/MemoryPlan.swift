import FalconData
import FalconEval
import FalconModel
import FalconOptim
import FalconRanks
import FalconTensor

/// The most memory that a run will hold at one time, found by running it without computing.
///
/// A training step of the real model runs on a device that counts memory and takes none, so the
/// plan follows every change of model, ops and kernels. Documents are assumed to fill their
/// sequences, which needs the most.
public struct MemoryPlan: Codable, Equatable, Sendable {
    /// Weights in float32; with learnable multipliers also the copy that these scale, of several ranks that of a
    /// share.
    public let parameterBytes: Int
    /// Their gradients; with more than one leaf also their sums, of several ranks those of a share.
    public let gradientBytes: Int
    /// The optimizer's moments, of several ranks those of a share.
    public let momentBytes: Int
    /// Activations kept for backward, their gradients, logits and losses at the peak.
    public let activationBytes: Int
    /// Memory that kernels use during a call, at the peak.
    public let scratchBytes: Int
    /// Messages to and from other ranks, and what an MPI takes; 0 for a run in one process.
    public let exchangeBytes: Int
    /// Gaps between tensors, the program itself, its tokenizer and data.
    public let otherBytes: Int

    /// Weights, gradients and moments.
    public var stateBytes: Int { parameterBytes + gradientBytes + momentBytes }

    /// All of it: the peak of the resident memory.
    public var totalBytes: Int {
        stateBytes + activationBytes + scratchBytes + exchangeBytes + otherBytes
    }

    /// The key of each field in JSON.
    public enum CodingKeys: String, CodingKey {
        case parameterBytes = "parameter_bytes"
        case gradientBytes = "gradient_bytes"
        case momentBytes = "moment_bytes"
        case activationBytes = "activation_bytes"
        case scratchBytes = "scratch_bytes"
        case exchangeBytes = "exchange_bytes"
        case otherBytes = "other_bytes"
    }

    /// Code, libraries, tokenizer, recipe and read-ahead data: up to 43 MiB measured, whatever the model.
    private static let programBytes = 44 << 20

    /// Messages that wait to be sent, those that are taken in ahead of their use, and the MPI.
    private static func exchangeBytes(rankCount: Int) -> Int {
        RankGroup.unsentByteLimit + MPILink.aheadByteCount(rankCount: rankCount) + libraryBytes
    }

    /// An MPI and its buffers, beside messages: 16 to 18 MiB measured with 2 and 4 ranks, whatever the model.
    private static let libraryBytes = 20 << 20

    /// Plans a run.
    ///
    /// - Parameters:
    ///   - recipe: a decoded recipe.
    ///   - threadCount: threads that will compute; each has scratch of its own.
    ///   - tasks: the tasks that the run scores; nil for none.
    ///   - rankCount: ranks that train together; the plan is that of the rank with the largest share.
    /// - Throws: `OptimizerError` if the groups do not fit the model; `TokenizerError` or `EvaluationError` if
    ///   the tasks do not.
    public init(
        _ recipe: TrainingRecipe, threadCount: Int, tasks: TaskScoring? = nil, rankCount: Int = 1
    ) throws {
        let device = Device.rehearsal(threadCount: threadCount, precision: recipe.train.precision)
        let trainer = try Self.rehearse(
            recipe, tasks: tasks, ranks: try Self.largest(of: rankCount, recipe), on: device)
        let table = trainer.model.table
        parameterBytes = table.parameterByteCount
        gradientBytes = table.gradientByteCount
        exchangeBytes = rankCount == 1 ? 0 : Self.exchangeBytes(rankCount: rankCount)
        momentBytes = trainer.optimizer.stateByteCount
        scratchBytes = device.peakScratchByteCount
        activationBytes =
            device.peakByteCount - parameterBytes - gradientBytes - momentBytes - scratchBytes
        otherBytes = device.reservedByteCount - device.peakByteCount + Self.programBytes
    }

    /// The rank with the largest share, among so many.
    private static func largest(of rankCount: Int, _ recipe: TrainingRecipe) throws -> RankGroup {
        guard rankCount > 1 else { return RankGroup() }
        let units = try UpdateUnit.all(
            of: recipe.parametrization.makeModel(recipe.model).table,
            recipe.optimizerWithMultipliers)
        var counts = [Int](repeating: 0, count: rankCount)
        for (unit, owner) in zip(units, UpdateUnit.owners(of: units, rankCount: rankCount)) {
            counts[owner] += unit.count
        }
        let rank = counts.indices.max { counts[$0] < counts[$1] } ?? 0
        return .rehearsal(rank: rank, count: rankCount)
    }

    /// Does everything that a run does with tensors: two steps, a validation, and its tasks.
    ///
    /// - Parameters:
    ///   - recipe: a decoded recipe.
    ///   - tasks: the tasks that the run scores; nil for none.
    ///   - ranks: the rank whose part is done, and its like.
    ///   - device: a dry device, or a real one to compare it with.
    /// - Returns: the trainer.
    /// - Throws: as `init`.
    @discardableResult
    static func rehearse(
        _ recipe: TrainingRecipe, tasks: TaskScoring? = nil, ranks: RankGroup = RankGroup(),
        on device: Device
    ) throws -> Trainer {
        let trainer = try Trainer(recipe, on: device, initialize: false, ranks: ranks)
        func batch(sequenceLength: Int) -> Batch {
            let sequence = [Int32](repeating: 0, count: sequenceLength + 1)
            let tokens = recipe.train.microBatchSequences * recipe.data.sequenceLength
            return Batch(
                sequences: Array(repeating: sequence, count: max(1, tokens / sequenceLength)),
                endOfDocumentID: Batch.notScored)
        }
        for length in Set(recipe.data.resolvedStages.map(\.sequenceLength)).sorted() {
            // As many as give this rank one.
            let batches = Array(repeating: batch(sequenceLength: length), count: ranks.rank + 1)
            for _ in 0..<2 { try trainer.step(batches) }
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
