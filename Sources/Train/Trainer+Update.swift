import FalconModel
import FalconOptim
import FalconRanks
import FalconRunRecord
import FalconTensor

// The part of a step after the backward passes.
extension Trainer {
    /// Judges the summed gradients and applies or skips them; they are zero afterwards.
    ///
    /// Norms are of the mean over the scored tokens; the gradients themselves are divided as they are applied.
    /// All that is decided here follows from numbers that every rank has, so that all decide the same.
    ///
    /// - Parameters:
    ///   - sums: of the step.
    ///   - ends: what each rank said about its part.
    /// - Returns: the result of the step.
    /// - Throws: `RankFailure` if a rank has failed.
    func update(_ sums: StepSums, _ ends: [RankStepEnd]) throws -> StepResult {
        let planned = nextStep
        guard sums.scoredTokens > 0 else { return passOver(sums, planned, ends) }
        let table = model.table
        let scored = Double(sums.scoredTokens)
        table.splitGradients()
        let squares = try squaresByParameter { table.summedGradients($0.elements) }
        let modelCount = table.modelParameters.count
        let modelSquares = squares[..<modelCount].reduce(0, +)
        let multiplierSquares =
            table.multipliers.isEmpty ? nil : squares[modelCount...].reduce(0, +)
        let norm =
            (modelSquares + (recipe.parametrization.inClipNorm ? multiplierSquares ?? 0 : 0))
            .squareRoot() / scored
        let loss = sums.loss / scored
        let isFinite = loss.isFinite && (modelSquares + (multiplierSquares ?? 0)).isFinite
        let reason =
            isFinite ? spikeGuard?.reason(loss: loss, gradientNorm: norm) : .notFinite
        let isRecorded = reason != nil || wantsNorms
        let gradients = squares.map { $0.squareRoot() / scored }
        if reason == nil {
            let limit = recipe.train.clipNorm ?? .infinity
            optimizer.step(
                scheduleFactor: planned.learningRateFactor,
                weightDecayFactor: planned.weightDecayFactor, gradientDivisor: scored,
                clipScale: norm > limit ? limit / norm : 1)
            try gatherWeights()
        } else {
            // An update leaves the gradients zero.
            clearGradients(withSums: true)
        }
        // Compared with the history before the step.
        let norms = isRecorded ? try parameterNorms(gradients: gradients) : []
        if reason == nil {
            spikeGuard?.take(loss: loss, gradientNorm: norm, byParameter: gradients)
        }
        step += 1
        return StepResult(
            loss: loss, gradientNorm: norm,
            multiplierGradientNorm: multiplierSquares.map { $0.squareRoot() / scored },
            learningRate: planned.learningRate, scoredTokens: sums.scoredTokens,
            skipReason: reason, parameter: reason == nil ? nil : conspicuousParameter(norms),
            microBatches: sums.microBatches, norms: norms, ranks: ends)
    }

    /// Counts a step without anything to learn from.
    private func passOver(
        _ sums: StepSums, _ planned: StepPlan, _ ends: [RankStepEnd]
    ) -> StepResult {
        step += 1
        return StepResult(
            loss: .nan, gradientNorm: 0, multiplierGradientNorm: nil,
            learningRate: planned.learningRate, scoredTokens: 0, skipReason: .noTargets,
            parameter: nil, microBatches: sums.microBatches, norms: [], ranks: ends)
    }

    /// The sums of squares of something by parameter of the table, added up piece by piece in the order of the
    /// elements, whoever holds them.
    ///
    /// - Parameter tensor: gives that of a piece of this rank's share.
    /// - Returns: the same bits on every rank.
    /// - Throws: `RankFailure` if a rank has failed.
    func squaresByParameter(_ tensor: (UpdatePiece) -> Tensor) throws -> [Double] {
        let queued = ownPieces.map { device.backend.sumOfSquares(tensor($0)) }
        return try sumsByParameter(queued.map(\.value))
    }

    /// The pieces of this rank's share.
    var ownPieces: [UpdatePiece] { pieces.filter(isOwn) }

    /// Adds numbers of pieces up by parameter of the table.
    ///
    /// - Parameter own: of this rank's pieces.
    /// - Returns: the same bits on every rank.
    /// - Throws: `RankFailure` if a rank has failed.
    func sumsByParameter(_ own: [Double]) throws -> [Double] {
        let all = try ranks.gather(own)
        var taken = [Int](repeating: 0, count: ranks.count)
        var sums = [Double](repeating: 0, count: model.table.parameters.count)
        for piece in pieces {
            let rank = units.owners[piece.unit]
            // A rank that only rehearses its part hears its own numbers.
            sums[piece.parameter] += taken[rank] < all[rank].count ? all[rank][taken[rank]] : 0
            taken[rank] += 1
        }
        return sums
    }
}
