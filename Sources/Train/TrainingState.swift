import FalconCheckpoint
import FalconJSON
import FalconModel
import FalconOptim
import FalconRanks
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

/// A tensor of a checkpoint's second set: the optimizer's state, masters and multipliers.
struct TrainedTensor {
    /// Where the values are.
    enum Source {
        case optimizer(OptimizerSlot)
        case masters
    }

    let description: TensorDescription
    /// The parameter's place in the table.
    let parameter: Int
    let source: Source
}

extension Trainer {
    /// The tensors of a checkpoint beside the weights that the model uses, whoever holds them: the optimizer's
    /// state, the masters of multiplied matrices, `master.NAME`, and the multipliers, `multiplier.NAME`.
    var trainedTensors: [TrainedTensor] {
        let table = model.table
        func tensor(
            _ name: String, _ parameter: Int, _ source: TrainedTensor.Source
        ) -> TrainedTensor {
            TrainedTensor(
                description: TensorDescription(
                    name: name, shape: table.parameters[parameter].shape),
                parameter: parameter, source: source)
        }
        let slots = optimizer.slots.map { tensor($0.name, $0.parameter, .optimizer($0)) }
        let masters = table.parameters.indices.filter(table.isMultiplied).map {
            tensor("master." + table.parameters[$0].name, $0, .masters)
        }
        let multipliers = (table.modelParameters.count..<table.parameters.count).map {
            tensor("multiplier." + table.parameters[$0].name, $0, .masters)
        }
        return slots + masters + multipliers
    }

    /// Values of a tensor of this rank's share.
    ///
    /// - Parameters:
    ///   - tensor: one of `trainedTensors`.
    ///   - elements: of the flat buffers: a piece of its parameter, or a part of one.
    /// - Returns: a view, `[piece.elements.count]`.
    func values(of tensor: TrainedTensor, _ elements: Range<Int>) -> Tensor {
        switch tensor.source {
        case .optimizer(let slot): optimizer.values(of: slot, elements)
        case .masters: model.table.masters(elements)
        }
    }

    /// The pieces of each parameter of the table.
    var piecesByParameter: [[UpdatePiece]] {
        var result = [[UpdatePiece]](repeating: [], count: model.table.parameters.count)
        for piece in pieces { result[piece.parameter].append(piece) }
        return result
    }

    /// Whether a piece is of this rank's share.
    func isOwn(_ piece: UpdatePiece) -> Bool { units.owners[piece.unit] == ranks.rank }
}
