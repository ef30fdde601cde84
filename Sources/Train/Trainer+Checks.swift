import FalconCheckpoint
import FalconData
import FalconEval
import FalconModel
import FalconOptim
import FalconRanks
import FalconSystem
import FalconTensor

#if canImport(Glibc)
    import Glibc
#endif

// Checks of the state beyond the last step's numbers.
extension Trainer {
    /// Rows whose loss is computed before a save: few, so that it takes almost no time.
    private static let probedRows = 64
    /// A run that ends with more than this many times the loss of guessing has learned nothing:
    /// each token would have a probability of 1/V to this power.
    private static let hopelessRatio = 100.0

    /// The first tensor of the model or optimizer that is not finite, in the share of any rank; nil if there is
    /// none.
    ///
    /// - Returns: the same name on every rank.
    /// - Throws: `RankFailure` if a rank has failed.
    /// - Complexity: reads the whole state once.
    public func firstTensorNotFinite() throws -> String? {
        let table = model.table
        let pieces = piecesByParameter.map { $0.filter(isOwn) }
        let own = table.modelParameters.indices.map { index in
            (table.parameters[index].name, pieces[index].map { table.values.columns($0.elements) })
        }
        let trained = trainedTensors.map { tensor in
            (
                tensor.description.name,
                pieces[tensor.parameter].map { values(of: tensor, $0.elements) }
            )
        }
        let all = own + trained
        let squares = all.map { $0.1.map { device.backend.sumOfSquares($0) } }
        let first = squares.firstIndex { $0.contains { !$0.value.isFinite } } ?? all.count
        let place = try ranks.gather([Double(first)]).map { $0[0] }.min() ?? Double(all.count)
        return Int(place) < all.count ? all[Int(place)].0 : nil
    }

    /// The loss of the first rows of a batch with the current weights.
    ///
    /// - Parameter batch: any.
    /// - Returns: the mean in nats, z-loss left out; nil if these rows have no targets.
    public func probeLoss(_ batch: Batch) -> Double? {
        let count = min(Self.probedRows, batch.sequenceLength)
        let targets = Array(batch.targets.prefix(count))
        let scored = targets.count { $0 != Batch.notScored }
        guard scored > 0 else { return nil }
        let offsets = batch.documentOffsets.filter { $0 < count } + [Int32(count)]
        var tape = Tape(on: device, isRecording: false)
        let hidden = model.hidden(
            device.indices(Array(batch.tokens.prefix(count))), segments: Segments(offsets),
            on: &tape)
        let losses = model.losses(hidden, targets: device.indices(targets), on: &tape)
        return losses.total() / Double(scored)
    }

    /// The reason why the state is not worth saving; nil if there is none.
    ///
    /// - Parameters:
    ///   - batch: a batch on which the model must have a finite loss; nil for none.
    ///   - isEnd: whether no steps follow that could improve the loss.
    /// - Returns: a clause, such as "first_moment.X is not finite"; the same on every rank, that of the first
    ///   which has one.
    /// - Throws: `RankFailure` if a rank has failed.
    public func stateProblem(probing batch: Batch?, isEnd: Bool = false) throws -> String? {
        if let name = try firstTensorNotFinite() { return "\(name) is not finite" }
        return try ranks.gather(modelProblem(probing: batch, isEnd: isEnd) ?? "")
            .first { !$0.isEmpty }
    }

    private func modelProblem(probing batch: Batch?, isEnd: Bool) -> String? {
        guard let batch, let loss = probeLoss(batch) else { return nil }
        if !loss.isFinite { return "the loss of the model is \(decimal(loss, places: 2))" }
        let guessing = log(Double(recipe.model.vocabSize))
        if isEnd, loss > Self.hopelessRatio * max(1, guessing) {
            return "the loss of the model is \(decimal(loss, places: 2)), and that of guessing is "
                + decimal(guessing, places: 2)
        }
        return nil
    }

    /// Weights and gradients by parameter.
    func parameterNorms(gradients: [Double]) throws -> [ParameterNorms] {
        let weights = try squaresByParameter { model.table.masters($0.elements) }
            .map { $0.squareRoot() }
        return model.table.parameters.enumerated().map { place, parameter in
            ParameterNorms(
                name: parameter.name, weightNorm: weights[place],
                gradientNorm: gradients[place],
                usualGradientNorm: spikeGuard?.usualNorm(ofParameter: place),
                change: spikeGuard?.change(ofParameter: place, norm: gradients[place]))
        }
    }

    /// The parameter to name for a skipped step.
    func conspicuousParameter(_ norms: [ParameterNorms]) -> String? {
        if let bad = norms.first(where: { !$0.gradientNorm.isFinite }) { return bad.name }
        return norms.filter { $0.change != nil }.max { ($0.change ?? 0) < ($1.change ?? 0) }?.name
    }
}
