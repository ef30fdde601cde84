import FalconData
import FalconEval
import FalconModel
import FalconOptim
import FalconTensor

/// What one optimizer step did.
public struct StepResult: Equatable, Sendable {
    /// The mean loss of the scored tokens, in nats, z-loss included.
    public let loss: Double
    /// The norm of all gradients together before clipping; those of multipliers count if the recipe
    /// says so.
    public let gradientNorm: Double
    /// The norm of the learnable multipliers' gradients; nil without these.
    public let multiplierGradientNorm: Double?
    /// The learning rate, before the groups' scales.
    public let learningRate: Double
    /// Tokens that were predicted.
    public let scoredTokens: Int
    /// Whether the weights moved: not when loss or gradient was not finite.
    public let isApplied: Bool
    /// The first parameter whose gradient is not finite, if any.
    public let badParameter: String?
}

/// A model, its optimizer and the schedule: one step at a time.
///
/// - Invariant: between steps all gradients are zero. The state after a step is a function of the state
///   before and of the batches alone, the same bits for any number of threads.
public final class Trainer {
    /// What is trained and how.
    public let recipe: TrainingRecipe
    /// What follows from the recipe.
    public let plan: RunPlan
    /// Where it runs.
    public let device: Device
    /// The model, allocated with gradients.
    public let model: any LanguageModel
    /// The update rule with its state.
    public let optimizer: Optimizer
    /// Steps done, applied or not.
    public private(set) var step = 0

    /// A trainer with fresh weights.
    ///
    /// - Parameters:
    ///   - recipe: a decoded recipe.
    ///   - device: where to train.
    ///   - initialize: whether weights are drawn; false when a checkpoint is loaded next.
    /// - Throws: `OptimizerError` if the groups do not fit the model.
    public init(_ recipe: TrainingRecipe, on device: Device, initialize: Bool = true) throws {
        self.recipe = recipe
        self.device = device
        plan = RunPlan(recipe)
        model = recipe.parametrization.makeModel(recipe.model)
        try Optimizer.groupPlaces(of: model.table, recipe.optimizerWithMultipliers)
        model.allocate(on: device, withGradients: true)
        if initialize { model.table.initialize(seed: recipe.seed) }
        optimizer = try Optimizer(recipe.optimizerWithMultipliers, table: model.table, on: device)
    }

    /// Moves the counters to where a checkpoint was taken.
    ///
    /// - Parameters:
    ///   - step: steps done.
    ///   - appliedSteps: steps that moved the weights.
    public func restoreCounters(step: Int, appliedSteps: Int) {
        self.step = step
        optimizer.stepCount = appliedSteps
    }

    /// What the next step is to do: its micro-batches and rates.
    public var nextStep: StepPlan { StepPlan(step: step + 1, of: recipe, plan.batches) }

    /// Tokens gone through, in steps applied or not.
    public var tokens: Int { plan.batches.tokens(afterStep: step) }

    /// One optimizer step: forward and backward for each batch, then clip and update.
    ///
    /// - Parameter batches: the micro-batches, as many as `nextStep` says in a run, with at least one scored token.
    /// - Returns: what happened; with a loss or gradient that is not finite nothing is updated.
    public func step(_ batches: [Batch]) -> StepResult {
        guard let result = step(batches, proceed: { _ in true }) else {
            preconditionFailure("Trainer.step: given up by nobody")
        }
        return result
    }

    /// One optimizer step that can be given up between micro-batches.
    ///
    /// - Parameters:
    ///   - batches: as for `step(_:)`.
    ///   - proceed: asked before each micro-batch, with the number of those done; false gives the step
    ///     up. Weights and moments are then still those of the step before, and may be saved.
    /// - Returns: what happened; nil for a step that was given up, of which nothing is left.
    /// - Throws: what `proceed` throws; nothing is left of the step then either.
    public func step(
        _ batches: [Batch], proceed: (_ microBatchesDone: Int) throws -> Bool
    ) rethrows -> StepResult? {
        let scored = batches.reduce(0) { $0 + $1.targetCount }
        precondition(scored > 0, "Trainer.step: no token to predict in \(batches.count) batches")
        let table = model.table
        var lossSum = 0.0
        var isWhole = false
        defer { if !isWhole { device.backend.fill(table.gradients, with: 0) } }
        for (done, batch) in batches.enumerated() {
            guard try proceed(done) else { return nil }
            lossSum += accumulate(batch, gradientScale: 1 / Float(scored))
        }
        isWhole = true
        table.splitGradients()
        let squares = device.backend.sumOfSquares(table.modelGradients)
        let multiplierSquares = table.multiplierGradients.map(device.backend.sumOfSquares)
        let norm =
            (squares + (recipe.parametrization.inClipNorm ? multiplierSquares ?? 0 : 0))
            .squareRoot()
        let loss = lossSum / Double(scored)
        let planned = nextStep
        let isFinite = loss.isFinite && (squares + (multiplierSquares ?? 0)).isFinite
        if isFinite {
            let limit = recipe.train.clipNorm ?? .infinity
            optimizer.step(
                scheduleFactor: planned.learningRateFactor,
                weightDecayFactor: planned.weightDecayFactor,
                gradientScale: norm > limit ? limit / norm : 1)
            table.materialise()
        }
        let badParameter = isFinite ? nil : firstBadParameter()
        // An update leaves the gradients zero.
        if !isFinite { device.backend.fill(table.gradients, with: 0) }
        step += 1
        return StepResult(
            loss: loss, gradientNorm: norm,
            multiplierGradientNorm: multiplierSquares?.squareRoot(),
            learningRate: planned.learningRate,
            scoredTokens: scored, isApplied: isFinite, badParameter: badParameter)
    }

    private func accumulate(_ batch: Batch, gradientScale: Float) -> Double {
        var tape = Tape(on: device)
        let hidden = model.hidden(
            device.indices(batch.tokens), segments: Segments(batch.documentOffsets),
            recompute: recipe.train.recompute, on: &tape)
        let losses = model.losses(
            hidden, targets: device.indices(batch.targets), zLoss: Float(recipe.train.zLoss),
            gradientScale: gradientScale, on: &tape)
        var gradients = Gradients(on: device)
        tape.backward(&gradients)
        return losses.total()
    }

    private func firstBadParameter() -> String? {
        model.table.parameters.first {
            !device.backend.sumOfSquares($0.gradient.reshaped([$0.count])).isFinite
        }?.name
    }
}
