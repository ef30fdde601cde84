import FalconData
import FalconEval
import FalconModel
import FalconOptim
import FalconTensor

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
    public internal(set) var step = 0
    /// Keeps steps far outside their history from being applied; nil if the recipe wants none.
    public internal(set) var spikeGuard: SpikeGuard?
    /// Whether the next step gives sizes by parameter whatever happens.
    public var wantsNorms = false

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
        spikeGuard = recipe.train.spikeGuard.map { SpikeGuard($0) }
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
    ///   - history: what the spike guard remembered; nil if there was none.
    public func restoreCounters(step: Int, appliedSteps: Int, history: SpikeHistory? = nil) {
        self.step = step
        optimizer.stepCount = appliedSteps
        spikeGuard = recipe.train.spikeGuard.map { SpikeGuard($0, history: history ?? .init()) }
    }

    /// What the next step is to do: its micro-batches and rates.
    public var nextStep: StepPlan { StepPlan(step: step + 1, of: recipe, plan.batches) }

    /// Tokens gone through, in steps applied or not.
    public var tokens: Int { plan.batches.tokens(afterStep: step) }

    /// One optimizer step: forward and backward for each batch, then clip and update.
    ///
    /// - Parameter batches: the micro-batches, as many as `nextStep` says in a run.
    /// - Returns: what happened; nothing is updated without a token to predict, with a loss or gradient
    ///   that is not finite, and where the spike guard objects.
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
        guard scored > 0 else { return passOver(batches) }
        var losses: [Double] = []
        var isWhole = false
        defer { if !isWhole { device.backend.fill(model.table.gradients, with: 0) } }
        for (done, batch) in batches.enumerated() {
            guard try proceed(done) else { return nil }
            losses.append(accumulate(batch, gradientScale: 1 / Float(scored)))
        }
        isWhole = true
        return update(batches, losses: losses, scored: scored)
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
}
