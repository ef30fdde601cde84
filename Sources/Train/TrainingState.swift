import FalconCheckpoint
import FalconModel
import FalconOptim
import FalconTensor
import FoundationEssentials

/// The counters of a run; with weights and moments they are all that a resumed run needs.
struct TrainingState: Codable, Equatable {
    let step: Int
    let tokens: Int
    /// Sequences consumed since the beginning: the one integer of the data's position.
    let dataPosition: Int
    /// Steps that moved the weights: AdamW's t.
    let appliedSteps: Int
    let skippedInARow: Int

    enum CodingKeys: String, CodingKey {
        case step, tokens
        case dataPosition = "data_position"
        case appliedSteps = "applied_steps"
        case skippedInARow = "skipped_in_a_row"
    }

    func encoded() throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        return Array(try encoder.encode(self)) + [0x0A]
    }
}

extension TrainingState {
    init(decoding bytes: [UInt8], path: String) throws {
        do {
            self = try JSONDecoder().decode(Self.self, from: Data(bytes))
        } catch {
            throw TrainError.badState(
                path: path + "/" + CheckpointFileName.state, reason: "\(error)")
        }
    }
}

/// One tensor of the optimizer's state, under the name it has in files.
struct OptimizerSlot {
    let description: TensorDescription
    let tensor: Tensor
}

extension Trainer {
    /// What a checkpoint holds beside the weights that the model uses and the optimizer's state: the
    /// masters of multiplied matrices, `master.NAME`, and the multipliers, `multiplier.NAME`.
    var trainedSlots: [OptimizerSlot] {
        func slot(_ prefix: String, _ parameter: Parameter) -> OptimizerSlot {
            OptimizerSlot(
                description: TensorDescription(
                    name: prefix + "." + parameter.name, shape: parameter.shape),
                tensor: parameter.master)
        }
        let table = model.table
        return table.multipliedMatrices.map { slot("master", $0.matrix) }
            + table.multipliers.map { slot("multiplier", $0) }
    }

    /// First and second moments of every parameter: `first_moment.NAME`, `second_moment.NAME`.
    var optimizerSlots: [OptimizerSlot] {
        let table = model.table
        return [("first_moment", optimizer.firstMoment), ("second_moment", optimizer.secondMoment)]
            .flatMap { prefix, buffer in
                table.parameters.enumerated().map { index, parameter in
                    OptimizerSlot(
                        description: TensorDescription(
                            name: prefix + "." + parameter.name, shape: parameter.shape),
                        tensor: table.slice(of: buffer, index))
                }
            }
    }
}
