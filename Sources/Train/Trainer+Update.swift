import FalconModel
import FalconOptim
import FalconRunRecord
import FalconTensor

// The part of a step after the backward passes.
extension Trainer {
    /// Judges the summed gradients and applies or skips them; they are zero afterwards.
    ///
    /// Norms are of the mean over the scored tokens; the gradients themselves are divided as they are applied.
    ///
    /// - Parameters:
    ///   - sums: of the step, with at least 1 scored token.
    ///   - microBatches: the result of each.
    /// - Returns: the result of the step.
    func update(_ sums: StepSums, _ microBatches: [MicroBatchLoss]) -> StepResult {
        let table = model.table
        let scored = Double(sums.scoredTokens)
        table.splitGradients()
        let sumOfSquares = device.backend.sumOfSquares(table.modelGradients)
        let sumOfMultiplierSquares = table.multiplierGradients.map(device.backend.sumOfSquares)
        let (squares, multiplierSquares) = (sumOfSquares.value, sumOfMultiplierSquares?.value)
        let norm =
            (squares + (recipe.parametrization.inClipNorm ? multiplierSquares ?? 0 : 0))
            .squareRoot() / scored
        let loss = sums.loss / scored
        let isFinite = loss.isFinite && (squares + (multiplierSquares ?? 0)).isFinite
        let reason =
            isFinite ? spikeGuard?.reason(loss: loss, gradientNorm: norm) : .notFinite
        let planned = nextStep
        let isRecorded = reason != nil || wantsNorms
        let gradients =
            isRecorded || spikeGuard != nil ? gradientNorms(scoredTokens: sums.scoredTokens) : []
        if reason == nil {
            let limit = recipe.train.clipNorm ?? .infinity
            optimizer.step(
                scheduleFactor: planned.learningRateFactor,
                weightDecayFactor: planned.weightDecayFactor, gradientDivisor: scored,
                clipScale: norm > limit ? limit / norm : 1)
            table.materialise()
        } else {
            // An update leaves the gradients zero.
            clearGradients()
        }
        // Compared with the history before the step.
        let norms = isRecorded ? parameterNorms(gradients: gradients) : []
        if reason == nil {
            spikeGuard?.take(loss: loss, gradientNorm: norm, byParameter: gradients)
        }
        step += 1
        return StepResult(
            loss: loss, gradientNorm: norm,
            multiplierGradientNorm: multiplierSquares.map { $0.squareRoot() / scored },
            learningRate: planned.learningRate, scoredTokens: sums.scoredTokens,
            skipReason: reason, parameter: reason == nil ? nil : conspicuousParameter(norms),
            microBatches: microBatches, norms: norms)
    }

    /// Counts a step without anything to learn from.
    func passOver(_ microBatches: [MicroBatchLoss]) -> StepResult {
        let planned = nextStep
        step += 1
        return StepResult(
            loss: .nan, gradientNorm: 0, multiplierGradientNorm: nil,
            learningRate: planned.learningRate, scoredTokens: 0, skipReason: .noTargets,
            parameter: nil, microBatches: microBatches, norms: [])
    }
}
