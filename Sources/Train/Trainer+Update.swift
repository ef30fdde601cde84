import FalconData
import FalconModel
import FalconOptim
import FalconRunRecord
import FalconTensor

// What follows the backward passes of a step.
extension Trainer {
    /// Judges the accumulated gradients and applies them, or not; they are zero afterwards.
    ///
    /// - Parameters:
    ///   - batches: the micro-batches.
    ///   - losses: sums over the scored tokens of each.
    ///   - scored: their number in all, at least 1.
    /// - Returns: what happened.
    func update(_ batches: [Batch], losses: [Double], scored: Int) -> StepResult {
        let table = model.table
        table.splitGradients()
        let squares = device.backend.sumOfSquares(table.modelGradients)
        let multiplierSquares = table.multiplierGradients.map(device.backend.sumOfSquares)
        let norm =
            (squares + (recipe.parametrization.inClipNorm ? multiplierSquares ?? 0 : 0))
            .squareRoot()
        let loss = losses.reduce(0, +) / Double(scored)
        let isFinite = loss.isFinite && (squares + (multiplierSquares ?? 0)).isFinite
        let reason =
            isFinite ? spikeGuard?.reason(loss: loss, gradientNorm: norm) : .notFinite
        let planned = nextStep
        let isRecorded = reason != nil || wantsNorms
        let gradients = isRecorded || spikeGuard != nil ? gradientNorms() : []
        if reason == nil {
            let limit = recipe.train.clipNorm ?? .infinity
            optimizer.step(
                scheduleFactor: planned.learningRateFactor,
                weightDecayFactor: planned.weightDecayFactor,
                gradientScale: norm > limit ? limit / norm : 1)
            table.materialise()
        } else {
            // An update leaves the gradients zero.
            device.backend.fill(table.gradients, with: 0)
        }
        // Against the history before the step.
        let norms = isRecorded ? parameterNorms(gradients: gradients) : []
        if reason == nil {
            spikeGuard?.take(loss: loss, gradientNorm: norm, byParameter: gradients)
        }
        step += 1
        return StepResult(
            loss: loss, gradientNorm: norm,
            multiplierGradientNorm: multiplierSquares?.squareRoot(),
            learningRate: planned.learningRate, scoredTokens: scored, skipReason: reason,
            parameter: reason == nil ? nil : conspicuousParameter(norms),
            microBatches: zip(batches, losses).map { batch, loss in
                let targets = batch.targetCount
                return MicroBatchLoss(
                    loss: targets > 0 ? loss / Double(targets) : 0, targets: targets)
            }, norms: norms)
    }

    /// Counts a step that has nothing to learn from.
    func passOver(_ batches: [Batch]) -> StepResult {
        let planned = nextStep
        step += 1
        return StepResult(
            loss: .nan, gradientNorm: 0, multiplierGradientNorm: nil,
            learningRate: planned.learningRate, scoredTokens: 0, skipReason: .noTargets,
            parameter: nil,
            microBatches: batches.map { _ in MicroBatchLoss(loss: 0, targets: 0) }, norms: [])
    }
}
