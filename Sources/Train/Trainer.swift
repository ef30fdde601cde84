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
    /// The recipe of the run.
    public let recipe: TrainingRecipe
    /// The numbers that follow from the recipe.
    public let plan: RunPlan
    /// The device that it runs on.
    public let device: Device
    /// The model, allocated with gradients.
    public let model: any LanguageModel
    /// The update rule with its state.
    public let optimizer: Optimizer
    /// Steps done, applied or not.
    public internal(set) var step = 0
    /// The guard against steps far outside their history; nil if the recipe has none.
    public internal(set) var spikeGuard: SpikeGuard?
    /// Whether the next step gives sizes by parameter even if it is applied.
    public var wantsNorms = false
    private let communicator: any Communicator
    /// The gradients of the finished leaves of a step; nil if steps have one leaf.
    private let earlierLeaves: Tensor?

    /// A trainer before its first step.
    ///
    /// - Parameters:
    ///   - recipe: a decoded recipe.
    ///   - device: the device to train on.
    ///   - initialize: whether weights are drawn; false if a checkpoint is loaded next.
    ///   - communicator: adds up the parts of a step over the ranks of the run.
    /// - Throws: `OptimizerError` if the groups do not fit the model.
    public init(
        _ recipe: TrainingRecipe, on device: Device, initialize: Bool = true,
        communicator: any Communicator = SingleProcess()
    ) throws {
        self.recipe = recipe
        self.device = device
        self.communicator = communicator
        plan = RunPlan(recipe)
        spikeGuard = recipe.train.spikeGuard.map { SpikeGuard($0) }
        model = recipe.parametrization.makeModel(recipe.model)
        try Optimizer.groupPlaces(of: model.table, recipe.optimizerWithMultipliers)
        model.allocate(on: device, withGradients: true)
        earlierLeaves = recipe.train.leaves > 1 ? device.zeros([model.table.flatCount]) : nil
        if initialize { model.table.initialize(seed: recipe.seed) }
        optimizer = try Optimizer(recipe.optimizerWithMultipliers, table: model.table, on: device)
    }

    /// Sets the counters to those of a checkpoint.
    ///
    /// - Parameters:
    ///   - step: steps done.
    ///   - appliedSteps: steps that moved the weights.
    ///   - history: the memory of the spike guard; nil if there was none.
    public func restoreCounters(step: Int, appliedSteps: Int, history: SpikeHistory? = nil) {
        self.step = step
        optimizer.stepCount = appliedSteps
        spikeGuard = recipe.train.spikeGuard.map { SpikeGuard($0, history: history ?? .init()) }
    }

    /// The plan of the next step: its micro-batches and rates.
    public var nextStep: StepPlan { StepPlan(step: step + 1, of: recipe, plan.batches) }

    /// Tokens seen, in steps applied or not.
    public var tokens: Int { plan.batches.tokens(afterStep: step) }

    /// One optimizer step: forward and backward for each batch, then clip and update.
    ///
    /// - Parameter batches: the micro-batches; in a run, the number that `nextStep` says.
    /// - Returns: the result; nothing is updated if there is no token to predict, if the loss or
    ///   gradient is not finite, or if the spike guard objects.
    public func step(_ batches: [Batch]) -> StepResult {
        var place = 0
        let result = step(microBatches: batches.count) { _ in
            true
        } next: {
            defer { place += 1 }
            return batches[place]
        }
        guard let result else { preconditionFailure("Trainer.step: nobody asked to discard it") }
        return result
    }

    /// One optimizer step on micro-batches that are read as needed; it can be discarded between
    /// them.
    ///
    /// Gradients are those of the sum of losses until the update divides them by the number of scored tokens.
    ///
    /// - Parameters:
    ///   - count: the number of micro-batches; in a run, the one that `nextStep` says.
    ///   - proceed: asked before each micro-batch is read, with the number of those done; false
    ///     discards the step. Weights and moments are then still those of the step before, and may
    ///     be saved.
    ///   - next: reads a micro-batch.
    /// - Returns: the result; nil for a step that was discarded, of which nothing is left.
    /// - Throws: errors of `proceed` and `next`; nothing is left of the step then either.
    public func step(
        microBatches count: Int, proceed: (_ microBatchesDone: Int) throws -> Bool,
        next: () throws -> Batch
    ) rethrows -> StepResult? {
        var sums = StepSums()
        var leafLosses: [[(sum: DeviceNumber, targets: Int)]] = []
        var isWhole = false
        defer { if !isWhole { clearGradients() } }
        let leaves = Leaves.ranges(microBatches: count, leaves: recipe.train.leaves)
            .filter { !$0.isEmpty }
        summing: for (place, leaf) in leaves.enumerated() {
            leafLosses.append([])
            for done in leaf {
                guard try proceed(done) else {
                    sums.isStopRequested = true
                    break summing
                }
                let batch = try next()
                leafLosses[place].append((accumulate(batch), batch.targetCount))
                sums.scoredTokens += batch.targetCount
            }
            closeLeaf(place, of: leaves.count)
        }
        // Read when all work is queued: nothing waits for the device between two micro-batches.
        let losses = leafLosses.map { leaf in
            leaf.map { MicroBatchLoss(sum: $0.sum.value, targets: $0.targets) }
        }
        for leaf in losses { sums.loss += leaf.reduce(0) { $0 + $1.sum } }
        let reduced = communicator.reduce(sums, gradients: model.table.gradients)
        if reduced.isStopRequested { return nil }
        isWhole = true
        let microBatches = losses.flatMap { $0 }
        return reduced.scoredTokens > 0
            ? update(reduced, microBatches) : passOver(microBatches)
    }

    /// Adds the gradients of a micro-batch to the existing ones, and returns the sum of its losses.
    private func accumulate(_ batch: Batch) -> DeviceNumber {
        // Without targets there is nothing to add.
        guard batch.targetCount > 0 else { return DeviceNumber(0) }
        var tape = Tape(on: device)
        let hidden = model.hidden(
            device.indices(batch.tokens), segments: Segments(batch.documentOffsets),
            recompute: recipe.train.recompute, on: &tape)
        let losses = model.losses(
            hidden, targets: device.indices(batch.targets), zLoss: Float(recipe.train.zLoss),
            on: &tape)
        var gradients = Gradients(on: device)
        tape.backward(&gradients)
        return device.backend.total(losses.losses)
    }

    /// Adds the gradients of a leaf to those of the leaves before it; after the last leaf, the sum
    /// is in the gradients.
    private func closeLeaf(_ leaf: Int, of count: Int) {
        guard let earlierLeaves, count > 1 else { return }
        let gradients = model.table.gradients
        if leaf == count - 1 {
            device.backend.add(earlierLeaves, to: gradients, scale: 1)
            return
        }
        if leaf == 0 {
            device.backend.copy(from: gradients, to: earlierLeaves, scale: 1)
        } else {
            device.backend.add(gradients, to: earlierLeaves, scale: 1)
        }
        clearGradients()
    }

    func clearGradients() { device.backend.fill(model.table.gradients, with: 0) }
}
