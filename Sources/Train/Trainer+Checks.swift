import FalconCheckpoint
import FalconData
import FalconEval
import FalconModel
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

    /// The first tensor of the model or optimizer that is not finite; nil if there is none.
    ///
    /// - Complexity: reads the whole state once.
    public func firstTensorNotFinite() -> String? {
        let model = model.table.modelParameters.map { ($0.name, $0.value) }
        let trained = trainedTensors.map { ($0.description.name, $0.tensor) }
        let all = model + trained
        return zip(all, norms(of: all.map(\.1))).first { !$0.1.isFinite }?.0.0
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
    /// - Returns: a clause, such as "first_moment.X is not finite".
    public func stateProblem(probing batch: Batch?, isEnd: Bool = false) -> String? {
        if let name = firstTensorNotFinite() { return "\(name) is not finite" }
        guard let batch, let loss = probeLoss(batch) else { return nil }
        if !loss.isFinite { return "the loss of the model is \(decimal(loss, places: 2))" }
        let guessing = log(Double(recipe.model.vocabSize))
        if isEnd, loss > Self.hopelessRatio * max(1, guessing) {
            return "the loss of the model is \(decimal(loss, places: 2)), and that of guessing is "
                + decimal(guessing, places: 2)
        }
        return nil
    }

    /// The L2 norms of some tensors, read when all are on their way.
    private func norms(of tensors: [Tensor]) -> [Double] {
        tensors.map { device.backend.sumOfSquares($0.reshaped([$0.count])) }
            .map { $0.value.squareRoot() }
    }

    /// The norm of each parameter's mean gradient over the scored tokens, by parameter of the table.
    func gradientNorms(scoredTokens: Int) -> [Double] {
        norms(of: model.table.parameters.map(\.gradient)).map { $0 / Double(scoredTokens) }
    }

    /// Weights and gradients by parameter.
    func parameterNorms(gradients: [Double]) -> [ParameterNorms] {
        let weights = norms(of: model.table.parameters.map(\.master))
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
