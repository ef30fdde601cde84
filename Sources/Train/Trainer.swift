import FalconData
import FalconEval
import FalconModel
import FalconOptim
import FalconRanks
import FalconSystem
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
    /// The ranks of the run; this one updates its share of the parameters.
    public let ranks: RankGroup
    /// The units of the parameters, and the rank of each.
    let units: (all: [UpdateUnit], owners: [Int])
    /// What norms are summed over.
    let pieces: [UpdatePiece]
    private let gradientExchange: GradientExchange?
    private let weightExchange: WeightExchange?
    /// Of waiting and sending, as they were at the end of the last step.
    private var lastTraffic = RankTraffic()

    /// A trainer before its first step.
    ///
    /// - Parameters:
    ///   - recipe: a decoded recipe.
    ///   - device: the device to train on.
    ///   - initialize: whether weights are drawn; false if a checkpoint is loaded next.
    ///   - ranks: the ranks that train together, which all make one.
    /// - Throws: `OptimizerError` if the groups do not fit the model; `RankFailure` if a rank has failed.
    public init(
        _ recipe: TrainingRecipe, on device: Device, initialize: Bool = true,
        ranks: RankGroup = RankGroup()
    ) throws {
        self.recipe = recipe
        self.device = device
        self.ranks = ranks
        plan = RunPlan(recipe)
        spikeGuard = recipe.train.spikeGuard.map { SpikeGuard($0) }
        model = recipe.parametrization.makeModel(recipe.model)
        let table = model.table
        let all = try UpdateUnit.all(of: table, recipe.optimizerWithMultipliers)
        let owners = UpdateUnit.owners(of: all, rankCount: ranks.count)
        units = (all, owners)
        pieces = UpdateUnit.pieces(of: all, table)
        model.allocate(
            on: device, withGradients: true,
            share: ParameterShare(
                zip(all, owners).filter { $0.1 == ranks.rank }.flatMap(\.0.elements)),
            summing: recipe.train.leaves > 1 || ranks.count > 1)
        optimizer = try Optimizer(recipe.optimizerWithMultipliers, table: table, on: device)
        if ranks.count > 1 {
            gradientExchange = GradientExchange(
                ranks, units: all, owners: owners, table: table, on: device)
            weightExchange = WeightExchange(ranks, units: all, owners: owners)
        } else {
            (gradientExchange, weightExchange) = (nil, nil)
        }
        if initialize {
            table.initialize(seed: recipe.seed)
            try gatherWeights()
        }
    }

    /// Makes the weights that the model uses from masters, those of other ranks' shares too.
    ///
    /// - Throws: `RankFailure` if a rank has failed.
    func gatherWeights() throws {
        model.table.materialise()
        try weightExchange?.run(model.table)
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
    /// - Parameter batches: the micro-batches of all ranks; in a run, the number that `nextStep` says.
    /// - Returns: the result; nothing is updated if there is no token to predict, if the loss or
    ///   gradient is not finite, or if the spike guard objects.
    /// - Throws: `RankFailure` if a rank has failed.
    @discardableResult
    public func step(_ batches: [Batch]) throws -> StepResult {
        var own = ownMicroBatches(of: batches.count).makeIterator()
        let result = try step(microBatches: batches.count) { _ in
            true
        } next: {
            guard let place = own.next() else { preconditionFailure("Trainer.step: no more") }
            return batches[place]
        }
        guard let result else { preconditionFailure("Trainer.step: nobody asked to discard it") }
        return result
    }

    /// The micro-batches of a step that this rank computes: those of every W-th leaf.
    ///
    /// - Parameter count: micro-batches of the step.
    /// - Returns: ascending places in `0..<count`.
    public func ownMicroBatches(of count: Int) -> [Int] {
        ownLeaves(of: count).flatMap { $0.range }
    }

    private func ownLeaves(of count: Int) -> [(number: Int, range: Range<Int>)] {
        Leaves.own(
            ofRank: ranks.rank, of: ranks.count, microBatches: count, leaves: recipe.train.leaves)
    }

    /// One optimizer step on micro-batches that are read as needed; it can be discarded between
    /// them.
    ///
    /// Gradients are those of the sum of losses until the update divides them by the number of scored tokens.
    ///
    /// - Parameters:
    ///   - count: the number of micro-batches of all ranks; in a run, the one that `nextStep` says.
    ///   - proceed: asked before each micro-batch is read, with the number of this rank's that are done; false
    ///     discards the step on all ranks. Weights and moments are then still those of the step before, and
    ///     may be saved.
    ///   - next: reads the next of this rank's micro-batches.
    ///   - wantsSave: asked at the end; what one rank wants, all learn.
    /// - Returns: the result; nil for a step that was discarded, of which nothing is left.
    /// - Throws: errors of `proceed` and `next`, and `RankFailure`; nothing is left of the step then either.
    public func step(
        microBatches count: Int, proceed: (_ microBatchesDone: Int) throws -> Bool,
        next: () throws -> Batch, wantsSave: () -> Bool = { false }
    ) throws -> StepResult? {
        let ends = try sumGradients(
            microBatches: count, proceed: proceed, next: next, wantsSave: wantsSave)
        guard let ends else { return nil }
        let leaves = Leaves.ranges(microBatches: count, leaves: recipe.train.leaves)
        return try update(StepSums(ends, leaves: leaves), ends)
    }

    /// The part of a step before anything is decided; nil, and nothing is left of it, if a rank discards it.
    func sumGradients(
        microBatches count: Int, proceed: (_ microBatchesDone: Int) throws -> Bool,
        next: () throws -> Batch, wantsSave: () -> Bool = { false }
    ) throws -> [RankStepEnd]? {
        var end = RankStepEnd()
        var losses: [(sum: DeviceNumber, targets: Int)] = []
        var isWhole = false
        defer { if !isWhole { clearGradients(withSums: true) } }
        gradientExchange?.begin(leafCount: min(count, recipe.train.leaves))
        let (start, before) = (monotonicSeconds(), ranks.traffic.seconds)
        summing: for (number, leaf) in ownLeaves(of: count) {
            for place in leaf {
                guard try gradientExchange?.isDiscarded() != true, try proceed(losses.count) else {
                    end.isDiscarded = true
                    break summing
                }
                let readStart = monotonicSeconds()
                let batch = try next()
                end.dataWaitSeconds += monotonicSeconds() - readStart
                let isLast = place == leaf.upperBound - 1
                losses.append(
                    (accumulate(batch, ofLeaf: number, isLast: isLast), batch.targetCount))
            }
            try close(leaf: number)
        }
        // Read when all work is queued: nothing waits for the device between two micro-batches.
        end.microBatches = losses.map { MicroBatchLoss(sum: $0.sum.value, targets: $0.targets) }
        end.computeSeconds =
            monotonicSeconds() - start - end.dataWaitSeconds - (ranks.traffic.seconds - before)
        end.wantsSave = wantsSave()
        end.peakMemoryBytes = peakMemoryByteCount()
        let traffic = ranks.traffic
        end.communicationSeconds = traffic.seconds - lastTraffic.seconds
        end.sentBytes = traffic.sentBytes - lastTraffic.sentBytes
        lastTraffic = traffic
        let ends = try gradientExchange?.finish(end) ?? [end]
        if ends.contains(where: \.isDiscarded) { return nil }
        isWhole = true
        return ends
    }

    /// Adds the gradients of a micro-batch to the existing ones, and returns the sum of its losses; those of the
    /// last one of its leaf go to other ranks on the way.
    private func accumulate(_ batch: Batch, ofLeaf leaf: Int, isLast: Bool) -> DeviceNumber {
        // Without targets there is nothing to add.
        guard batch.targetCount > 0 else { return DeviceNumber(0) }
        var tape = Tape(on: device)
        let hidden = model.hidden(
            device.indices(batch.tokens), segments: Segments(batch.documentOffsets),
            recompute: recipe.train.recompute,
            onStage: gradientExchange.map { exchange in
                { stage in exchange.stageIsOver(stage, ofLeaf: leaf, isLast: isLast) }
            }, on: &tape)
        let losses = model.losses(
            hidden, targets: device.indices(batch.targets), zLoss: Float(recipe.train.zLoss),
            on: &tape)
        var gradients = Gradients(on: device)
        tape.backward(&gradients)
        return device.backend.total(losses.losses)
    }

    /// Adds the gradients of a leaf to the sums of the leaves before it.
    private func close(leaf: Int) throws {
        guard let sums = model.table.sums else { return }
        if let gradientExchange {
            try gradientExchange.close(leaf: leaf)
        } else {
            device.backend.add(model.table.gradients, to: sums, scale: 1)
        }
        clearGradients()
    }

    func clearGradients(withSums: Bool = false) {
        device.backend.fill(model.table.gradients, with: 0)
        if withSums, let sums = model.table.sums { device.backend.fill(sums, with: 0) }
    }
}
