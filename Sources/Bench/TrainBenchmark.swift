import FalconData
import FalconModel
import FalconProfiling
import FalconSystem
import FalconTensor
import FalconTrain

/// Times real optimizer steps on random tokens.
public struct TrainBenchmark: Sendable {
    /// Untimed steps at the beginning: the first ones allocate memory.
    public var warmupSteps: Int
    /// Timed steps, at least 1.
    public var steps: Int
    /// Threads of the device.
    public var threadCount: Int
    /// Whether every kernel call is recorded.
    public var isProfiled: Bool

    /// A benchmark.
    ///
    /// - Parameters:
    ///   - warmupSteps: at least 0.
    ///   - steps: at least 1.
    ///   - threadCount: at least 1.
    ///   - isProfiled: whether every kernel call is recorded.
    public init(warmupSteps: Int, steps: Int, threadCount: Int, isProfiled: Bool = false) {
        self.warmupSteps = warmupSteps
        self.steps = steps
        self.threadCount = threadCount
        self.isProfiled = isProfiled
    }

    /// Trains the model of a subject for some steps, then frees its memory.
    ///
    /// - Parameter subject: the subject to measure.
    /// - Returns: times of the steps, costs and memory.
    /// - Throws: errors of `BenchSubject.resolved`; `TrainError.doesNotFit` for too large a model.
    public func run(_ subject: BenchSubject) throws -> TrainMeasurement {
        let recipe = try subject.resolved()
        try MemoryPlan.requireFit(recipe, threadCount: threadCount)
        let knowsPeak = resetResidentPeak()
        let profile = Profile()
        let plain = Device(threadCount: threadCount, precision: recipe.train.precision)
        let device = isProfiled ? Device(profiling: plain, in: profile) : plain
        let trainer = try Trainer(recipe, on: device)
        let batches = (0..<trainer.plan.microBatches).map {
            Self.randomBatch(recipe, number: $0)
        }
        for _ in 0..<warmupSteps { try trainer.step(batches) }
        profile.reset()
        var times: [Double] = []
        var losses: [Double] = []
        for _ in 0..<steps {
            let start = monotonicSeconds()
            losses.append(try trainer.step(batches).loss)
            times.append(monotonicSeconds() - start)
        }
        return TrainMeasurement(
            subject: subject, recipe: recipe, plan: trainer.plan, stepSeconds: times,
            losses: losses, precision: device.precision.rawValue,
            peakMemoryBytes: knowsPeak ? residentPeakByteCount() : nil,
            peakTensorBytes: device.peakByteCount, profile: profile.rows)
    }

    /// A batch of whole sequences without document ends, the same for every run.
    static func randomBatch(_ recipe: TrainingRecipe, number: Int) -> Batch {
        let (rows, length) = (recipe.train.microBatchSequences, recipe.data.sequenceLength)
        let stream = RandomStream(seed: recipe.seed, name: "bench tokens \(number)")
        let vocabulary = recipe.model.vocabSize
        let sequences = (0..<rows).map { row in
            (0...length).map { place in
                let uniform = stream.uniform(at: UInt64(row * (length + 1) + place))
                return min(Int32(vocabulary - 1), Int32(uniform * Float(vocabulary)))
            }
        }
        return Batch(sequences: sequences, endOfDocumentID: -1)
    }
}

/// The result of timed steps.
public struct TrainMeasurement: Sendable {
    /// The subject that was measured.
    public let subject: BenchSubject
    /// Its whole recipe.
    public let recipe: TrainingRecipe
    /// Parameters, FLOPs and tokens of a step.
    public let plan: RunPlan
    /// The time of each step.
    public let stepSeconds: [Double]
    /// The loss of each step, in nats.
    public let losses: [Double]
    /// The label of the format that products ran in: "f32" or "bf16".
    public let precision: String
    /// The most memory that the process held meanwhile; nil if the system does not tell.
    public let peakMemoryBytes: Int?
    /// The most bytes of tensors alive at one time.
    public let peakTensorBytes: Int
    /// The kernel calls of all steps; empty if not profiled.
    public let profile: [ProfileRow]

    /// The mean time of a step.
    public var meanSeconds: Double { stepSeconds.reduce(0, +) / Double(stepSeconds.count) }
    /// The median time of a step.
    public var medianSeconds: Double { median(stepSeconds) }
    /// The time of the fastest step.
    public var bestSeconds: Double { stepSeconds.min() ?? .infinity }
    /// Tokens per second at the median time of a step.
    public var tokensPerSecond: Double { Double(plan.stepTokens) / medianSeconds }
    /// Floating-point operations that the mathematics of a step needs; nothing counts twice.
    public var flopsPerStep: Double { plan.flopsPerToken * Double(plan.stepTokens) }
    /// The model's operations per second at the median time of a step.
    public var flopsPerSecond: Double { flopsPerStep / medianSeconds }

    /// The share of the product peak reached at the median time of a step.
    ///
    /// - Parameter peak: measured in the same run.
    /// - Returns: 0 to about 1.
    public func shareOfPeak(_ peak: MachinePeak) -> Double {
        flopsPerSecond / peak.productRate(precision: precision)
    }
}
