import FalconData
import FalconEval
import FalconModel
import FalconOptim
import FalconRecipeSection
import FalconRunRecord
import FalconTensor

/// The `monitor` part of a recipe: how often norms are measured.
public struct MonitorSection: RecipeSection, Codable, Equatable {
    /// Steps from one measurement to the next; nil for none.
    public var everySteps: Int?

    /// The key of each field.
    public enum CodingKeys: String, CodingKey, CaseIterable {
        case everySteps = "every_steps"
    }

    /// The problems with the values; empty if there are none.
    public func problems() -> [RecipeProblem] {
        [countProblem(CodingKeys.everySteps, everySteps)].compactMap { $0 }
    }
}

/// Measures norms of weights, updates, multipliers and activations.
///
/// Activations are those of at most 256 tokens of the step's first sequence, in a forward pass of their
/// own: with 2,048 tokens a step, each measurement takes 4 % of a step.
struct Monitor {
    private static let rowLimit = 256
    /// Logits of this many rows; a large vocabulary makes them the largest tensor.
    private static let logitRowLimit = 64

    let trainer: Trainer

    private func rms(_ tensor: Tensor) -> Double {
        let squares = trainer.device.backend.sumOfSquares(tensor.reshaped([tensor.count])).value
        return (squares / Double(tensor.count)).squareRoot()
    }

    /// The metrics of each matrix by its name; the same on every rank.
    ///
    /// - Returns: by the name of the matrix.
    /// - Throws: `RankFailure` if a rank has failed.
    func matrices() throws -> [String: MatrixMetrics] {
        let table = trainer.model.table
        let masters = try trainer.squaresByParameter { table.masters($0.elements) }
        let updates = try trainer.sumsByParameter(
            trainer.ownPieces.map {
                trainer.optimizer.updateSquares(ofParameter: $0.parameter, $0.elements)
            })
        let rates = trainer.optimizer.lastRates()
        let isFresh = trainer.optimizer.stepCount == 0
        let multiplied = Dictionary(
            uniqueKeysWithValues: table.multipliedMatrices.map { ($0.matrix.name, $0) })
        var result: [String: MatrixMetrics] = [:]
        for (index, parameter) in table.parameters.enumerated()
        where [.embedding, .hiddenMatrix, .outputMatrix].contains(parameter.role) {
            let size = masters[index]
            let matrix = multiplied[parameter.name]
            result[parameter.name] = MatrixMetrics(
                rms: (size / Double(parameter.count)).squareRoot(),
                effectiveRMS: matrix == nil ? nil : rms(parameter.value),
                updateRatio: isFresh || size == 0 ? nil : (updates[index] / size).squareRoot(),
                learningRate: isFresh ? nil : rates[index].learningRate,
                weightDecay: isFresh ? nil : rates[index].weightDecay,
                multipliers: matrix.map { matrix in
                    Dictionary(
                        uniqueKeysWithValues: matrix.labelledMultipliers.map {
                            ($0.label, Self.statistics($0.multiplier.value.toArray()))
                        })
                })
        }
        return result
    }

    private static func statistics(_ values: [Float]) -> MultiplierMetrics {
        let mean = values.reduce(0.0) { $0 + Double($1) } / Double(values.count)
        let squares = values.reduce(0.0) { $0 + (Double($1) - mean) * (Double($1) - mean) }
        return MultiplierMetrics(
            mean: mean, deviation: (squares / Double(values.count)).squareRoot())
    }

    /// Root mean squares of the residual stream, the output of each part of a block, and logits.
    func activations(_ batch: Batch) -> [ActivationPlace: Double] {
        let tokens = Array(batch.tokens.prefix(min(Self.rowLimit, batch.sequenceLength)))
        let offsets = batch.documentOffsets.filter { $0 < tokens.count } + [Int32(tokens.count)]
        var result: [ActivationPlace: Double] = [:]
        var tape = Tape(on: trainer.device, isRecording: false)
        let hidden = trainer.model.hidden(
            trainer.device.indices(tokens), segments: Segments(offsets),
            observe: { place, activation in
                if place.kind != .scanOutput { result[place] = rms(activation) }
            }, on: &tape)
        let rows = hidden.rows(0..<min(tokens.count, Self.logitRowLimit))
        result[ActivationPlace(.logits)] = rms(trainer.model.logits(rows, on: &tape))
        return result
    }
}
