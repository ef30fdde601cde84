import FalconCheckpoint
import FalconJSON
import FalconModel
import FalconOptim
import FalconTensor
import FoundationEssentials

/// The counters of a run: with weights and moments, all that a resumed run needs.
struct TrainingState: Codable, Equatable {
    let step: Int
    let tokens: Int
    /// The digests of the data sets by their paths; nil in older checkpoints, of one data set each.
    ///
    /// With the recipe and the tokens it tells what was drawn.
    var data: [String: String]?
    /// Steps that moved the weights: AdamW's t.
    let appliedSteps: Int
    let skippedInARow: Int
    /// The memory of the spike guard; nil without one, and in older checkpoints.
    var spikeHistory: SpikeHistory?

    enum CodingKeys: String, CodingKey {
        case step, tokens
        case data = "data_sha256"
        case appliedSteps = "applied_steps"
        case skippedInARow = "skipped_in_a_row"
        case spikeHistory = "spike_history"
    }

    func encoded() throws -> [UInt8] {
        Array((try jsonText(self, isPretty: true) + "\n").utf8)
    }
}

extension TrainingState {
    init(decoding bytes: [UInt8], path: String) throws {
        do {
            self = try decodedJSON(Self.self, from: bytes)
        } catch {
            throw TrainError.badState(
                path: path + "/" + CheckpointFileName.state, reason: "\(error)")
        }
    }
}

/// A tensor of a checkpoint's second file: the optimizer's state, masters and multipliers.
struct TrainedTensor {
    let description: TensorDescription
    let tensor: Tensor

    init(_ name: String, _ tensor: Tensor) {
        description = TensorDescription(name: name, shape: tensor.shape)
        self.tensor = tensor
    }
}

extension Trainer {
    /// The tensors of a checkpoint beside the weights that the model uses: the optimizer's state,
    /// the masters of multiplied matrices, `master.NAME`, and the multipliers, `multiplier.NAME`.
    var trainedTensors: [TrainedTensor] {
        let table = model.table
        return optimizer.slots.map { TrainedTensor($0.name, $0.tensor) }
            + table.multipliedMatrices.map {
                TrainedTensor("master." + $0.matrix.name, $0.matrix.master)
            } + table.multipliers.map { TrainedTensor("multiplier." + $0.name, $0.master) }
    }
}
