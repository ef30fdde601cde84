import FalconData
import FalconModel
import FalconOptim
import FalconProfiling
import FalconSystem
import FalconTensor
import FalconTrain

/// What a run takes on several ranks: memory, traffic, and the time of a full step.
///
/// With W ranks on hosts of H ranks each, L leaves, N bytes of weights, of which E are complete only at the end
/// of the backward pass (the embedding), a link of B bytes/s that the ranks of a host share, and m micro-batches of
/// t seconds at the rank that has most:
///
///     gradients of a leaf over the link:  G = H · N · (1 − H/W) / B    (0 if all are on one host)
///     hidden behind the passes:           2/3 t, the backward pass of the leaf's last micro-batch
///     step = m · t + Σ over rounds max(0, G − hidden) + E/N · G + G + u · N / W
///
/// The second G are the updated weights, and u the time of an update for a byte of weights. A rank waits for its
/// network in each of its ⌈L/W⌉ rounds, as nothing but 32 MiB goes on in the next pass.
public struct RankPlan: Sendable {
    /// What was measured on this machine, or given.
    public struct Rates: Codable, Equatable, Sendable {
        /// Seconds of the forward and backward pass of a micro-batch.
        public var microBatchSeconds: Double
        /// Seconds of the update of all parameters in one process.
        public var updateSeconds: Double
        /// Whether both were timed here; else they follow from the machine's peaks.
        public var isMeasured: Bool

        /// The key of each field.
        public enum CodingKeys: String, CodingKey {
            case microBatchSeconds = "micro_batch_seconds"
            case updateSeconds = "update_seconds"
            case isMeasured = "is_measured"
        }
    }

    /// The plan for one number of ranks.
    public struct Row: Codable, Equatable, Sendable {
        /// The number of ranks.
        public let ranks: Int
        /// Leaves that the recipe must have for so many, or has.
        public let leaves: Int
        /// The most memory of a rank, in bytes.
        public let memoryBytes: Int
        /// Bytes that a rank sends in a step: gradients and weights.
        public let sentBytes: Int
        /// Seconds of the passes of a full step, at the rank that has most.
        public let computeSeconds: Double
        /// Seconds of the exchange that nothing hides.
        public let communicationSeconds: Double
        /// Seconds of the update of a share.
        public let updateSeconds: Double
        /// Seconds of a full step.
        public var stepSeconds: Double { computeSeconds + communicationSeconds + updateSeconds }
        /// Tokens a second.
        public let tokensPerSecond: Double
        /// The speed over that of as many processes that would need no exchange.
        public let efficiency: Double

        /// The key of each field.
        public enum CodingKeys: String, CodingKey {
            case ranks, leaves
            case memoryBytes = "memory_bytes"
            case sentBytes = "sent_bytes"
            case computeSeconds = "compute_seconds"
            case communicationSeconds = "communication_seconds"
            case updateSeconds = "update_seconds"
            case tokensPerSecond = "tokens_per_second"
            case efficiency
        }
    }

    private let recipe: TrainingRecipe
    private let threadCount: Int
    private let networkBitsPerSecond: Double?
    private let ranksPerHost: Int
    private let rates: Rates
    private let microBatches: Int
    private let weightBytes: Double
    private let lateShare: Double

    /// A plan.
    ///
    /// - Parameters:
    ///   - recipe: a decoded recipe.
    ///   - threadCount: of each rank.
    ///   - networkBitsPerSecond: of the link of a host, in each direction at the same time; nil for no limit.
    ///   - ranksPerHost: at least 1.
    ///   - rates: of one rank.
    /// - Throws: `OptimizerError` if the groups do not fit the model.
    public init(
        _ recipe: TrainingRecipe, threadCount: Int, networkBitsPerSecond: Double?,
        ranksPerHost: Int, rates: Rates
    ) throws {
        (self.recipe, self.threadCount, self.rates) = (recipe, threadCount, rates)
        (self.networkBitsPerSecond, self.ranksPerHost) = (networkBitsPerSecond, ranksPerHost)
        microBatches = RunPlan(recipe).microBatches
        let table = recipe.parametrization.makeModel(recipe.model).table
        let units = try UpdateUnit.all(of: table, recipe.optimizerWithMultipliers)
        let late = units.filter { $0.stage == .end }.reduce(0) { $0 + $1.count }
        weightBytes = 4 * Double(table.flatCount)
        lateShare = Double(late) / Double(table.flatCount)
    }

    /// The plan for a number of ranks; nil if a full step has fewer micro-batches.
    ///
    /// - Parameter ranks: at least 1.
    /// - Returns: with as many leaves as ranks, if the recipe has fewer.
    /// - Throws: as `MemoryPlan.init`.
    public func row(ranks: Int) throws -> Row? {
        guard ranks <= microBatches else { return nil }
        var recipe = recipe
        recipe.train.leaves = max(recipe.train.leaves, ranks)
        let leaves = recipe.train.leaves
        let rounds = (leaves + ranks - 1) / ranks
        let most =
            (0..<min(ranks, leaves)).map { rank in
                stride(from: rank, to: leaves, by: ranks).reduce(0) { sum, leaf in
                    sum + (leaf + 1) * microBatches / leaves - leaf * microBatches / leaves
                }
            }.max() ?? microBatches
        let compute = Double(most) * rates.microBatchSeconds
        let perHost = Double(min(ranksPerHost, ranks))
        let wire =
            networkBitsPerSecond.map {
                perHost * weightBytes * (1 - perHost / Double(ranks)) * 8 / $0
            } ?? 0
        let early = wire * (1 - lateShare)
        let waits = max(0, early - 2 / 3 * rates.microBatchSeconds) * Double(rounds)
        let exchange = ranks == 1 ? 0 : waits + lateShare * wire + wire
        let update = rates.updateSeconds / Double(ranks)
        let step = compute + exchange + update
        let alone = Double(microBatches) * rates.microBatchSeconds + rates.updateSeconds
        let sent = weightBytes * (1 - 1 / Double(ranks)) * Double(rounds + 1)
        return Row(
            ranks: ranks, leaves: leaves,
            memoryBytes: try MemoryPlan(
                recipe, threadCount: threadCount, rankCount: ranks
            ).totalBytes,
            sentBytes: ranks == 1 ? 0 : Int(sent), computeSeconds: compute,
            communicationSeconds: exchange, updateSeconds: update,
            tokensPerSecond: Double(RunPlan(recipe).stepTokens) / step,
            efficiency: alone / Double(ranks) / step)
    }

    /// The numbers of ranks that a table shows: powers of two up to 1,024, as far as there are micro-batches.
    ///
    /// - Parameter other: one more.
    /// - Returns: ascending.
    public func shownRanks(and other: Int) -> [Int] {
        let powers = (0...10).map { 1 << $0 }
        return Set(powers + [other]).filter { $0 <= microBatches }.sorted()
    }
}

extension RankPlan.Rates {
    /// Times two short steps, if the run fits here; else estimates from the machine's peaks.
    ///
    /// - Parameters:
    ///   - recipe: a decoded recipe.
    ///   - threadCount: of a rank.
    /// - Throws: errors of `Trainer`.
    public init(timing recipe: TrainingRecipe, threadCount: Int) throws {
        var short = recipe
        short.train.leaves = 1
        guard try MemoryFit(short, threadCount: threadCount).isEnough else {
            self.init(estimating: recipe, threadCount: threadCount)
            return
        }
        let device = Device(threadCount: threadCount, precision: recipe.train.precision)
        let trainer = try Trainer(short, on: device)
        func seconds(_ count: Int) throws -> Double {
            let batches = (0..<count).map { TrainBenchmark.randomBatch(recipe, number: $0) }
            let start = monotonicSeconds()
            try trainer.step(batches)
            return monotonicSeconds() - start
        }
        // The first step takes memory from the system.
        _ = try seconds(1)
        let (one, three) = (try seconds(1), try seconds(3))
        let microBatch = (three - one) / 2
        self.init(
            microBatchSeconds: microBatch, updateSeconds: max(0, one - microBatch),
            isMeasured: true)
    }

    /// The share of the peak of products that a pass reaches, as measured at three sizes.
    private static let shareOfPeak = 0.6
    /// Bytes that an update moves for a weight: gradient norm, AdamW, and zeroing.
    private static let updateBytes = 36.0

    /// Estimates from the machine's peaks.
    ///
    /// - Parameters:
    ///   - recipe: a decoded recipe.
    ///   - threadCount: of a rank.
    public init(estimating recipe: TrainingRecipe, threadCount: Int) {
        let plan = RunPlan(recipe)
        let peak = MachinePeak(threadCount: threadCount)
        let products =
            recipe.train.precision == .bf16
            ? peak.bfloat16?.allThreads ?? peak.float32.allThreads : peak.float32.allThreads
        self.init(
            microBatchSeconds: plan.flopsPerToken * Double(plan.batches.microBatchTokens)
                / (Self.shareOfPeak * products),
            updateSeconds: Double(plan.parameterCount) * Self.updateBytes / peak.copy.allThreads,
            isMeasured: false)
    }
}
