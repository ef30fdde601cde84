import FalconData
import FalconModel
import FalconOptim
import FalconRecipe
import FalconRunRecord
import FalconTensor

#if canImport(Glibc)
    import Glibc
#endif

/// The sizes of activations and multipliers as functions of the width of a model.
///
/// A parametrisation that transfers between widths keeps activations the same size after a few steps
/// with the same learning rate: log RMS against log width has slope 0 (the coordinate check of Yang et
/// al., arXiv 2203.03466, appendix D.1).
public struct CoordinateCheck: Encodable, Sendable {
    /// One quantity over the widths.
    public struct Line: Encodable, Sendable {
        /// The measured quantity: `logits`, `ssm`, …, or a kind of multiplier.
        public let name: String
        /// Geometric means over blocks and seeds, by width.
        public let values: [Double]
        /// The least-squares slope of log value against log width.
        public let slope: Double
        /// The same before the first step; nil for multipliers.
        public let initialSlope: Double?

        /// The key of each field.
        public enum CodingKeys: String, CodingKey {
            case name, values, slope
            case initialSlope = "initial_slope"
        }
    }

    /// The `hidden_size` of each model.
    public let widths: [Int]
    /// Steps before activations were measured.
    public let steps: Int
    /// Root mean squares of activations.
    public let activations: [Line]
    /// Absolute means of learnable multipliers; empty if there are none.
    public let multipliers: [Line]

    /// The largest slope of an activation, up or down.
    public var steepest: Line? { activations.max { abs($0.slope) < abs($1.slope) } }

    /// Whether every activation keeps its size.
    ///
    /// - Parameter tolerance: the largest slope that passes, up or down.
    /// - Returns: false also if no activation was measured.
    public func passes(tolerance: Double) -> Bool {
        !activations.isEmpty && activations.allSatisfy { abs($0.slope) <= tolerance }
    }

    /// The recipes of a check: one per width and seed, with a few steps at the full rates.
    ///
    /// - Parameters:
    ///   - document: any recipe of a run or a sweep.
    ///   - widths: hidden sizes; everything else grows in proportion.
    ///   - seeds: of each width, from 0.
    ///   - steps: of each.
    /// - Returns: width by width, the seeds of each next to each other.
    /// - Throws: `TrainError.widthDoesNotScale`; `RecipeError`.
    public static func recipes(
        of document: RecipeDocument, widths: [Int], seeds: Int, steps: Int
    ) throws -> [TrainingRecipe] {
        let document = document.removing("sweep")
        let recipe = try document.decode(TrainingRecipe.self)
        return try widths.flatMap { width in
            let settings = try recipe.settings(scaledToWidth: width)
            return try (0..<seeds).map { seed in
                // Warm-up and decay are those of a run of these few steps: none.
                let run = [
                    "seed=\(seed)", "train.steps=\(steps)", "schedule.warmup_tokens=0",
                    "schedule.decay_tokens=0",
                ]
                return try document.applying(settings + run).decode(TrainingRecipe.self)
            }
        }
    }

    /// Trains a few steps at each width and measures.
    ///
    /// - Parameters:
    ///   - recipes: one per width and seed, alike in everything else.
    ///   - steps: at least 1.
    ///   - threadCount: threads that compute.
    ///   - onProgress: takes the number of recipes that are done.
    /// - Throws: errors of training; `TrainError.diverged` if a step is not finite.
    public init(
        _ recipes: [TrainingRecipe], steps: Int, threadCount: Int, onProgress: (Int) -> Void
    ) throws {
        let widths = Array(Set(recipes.map(\.model.hiddenSize))).sorted()
        var initial = Samples(widths: widths)
        var final = Samples(widths: widths)
        var learned = Samples(widths: widths)
        for (done, recipe) in recipes.enumerated() {
            onProgress(done)
            let device = Device(threadCount: threadCount, precision: recipe.train.precision)
            let trainer = try Trainer(recipe, on: device)
            let loader = BatchLoader(
                try recipe.openedData(trainer.plan),
                batchTokens: trainer.plan.batches.microBatchTokens)
            let monitor = Monitor(trainer: trainer)
            let width = recipe.model.hiddenSize
            var first: Batch?
            for _ in 0..<steps {
                let batches = try (0..<trainer.nextStep.microBatches).map { _ in
                    try loader.next()
                }
                if first == nil {
                    first = batches[0]
                    initial.add(named(monitor.activations(batches[0])), width: width)
                }
                let result = try trainer.step(batches)
                if let reason = result.skipReason, reason != .noTargets {
                    throw TrainError.diverged(
                        Divergence(
                            step: trainer.step, cause: .skippedSteps(1, reason),
                            parameter: result.parameter))
                }
            }
            if trainer.optimizer.stepCount == 0 {
                throw TrainError.nothingToLearn(
                    path: recipe.data.paths.joined(separator: ", "), steps: steps)
            }
            if let problem = try trainer.stateProblem(probing: first) {
                throw TrainError.diverged(
                    Divergence(step: trainer.step, cause: .badState(problem)))
            }
            if let first { final.add(named(monitor.activations(first)), width: width) }
            for (matrix, metrics) in try monitor.matrices() {
                guard let label = ParameterName(matrix)?.label else { continue }
                let means = (metrics.multipliers ?? [:]).map { kind, numbers in
                    (label + "." + kind, abs(numbers.mean))
                }
                learned.add(means, width: width)
            }
        }
        self.widths = widths
        self.steps = steps
        activations = final.lines(initial: initial)
        multipliers = learned.lines(initial: nil)
    }
}

/// Activations by their kind: those of all blocks have one name.
private func named(_ activations: [ActivationPlace: Double]) -> [(name: String, value: Double)] {
    activations.map { ($0.key.kind.rawValue, $0.value) }
}

/// Sums of logarithms by quantity and width.
private struct Samples {
    let widths: [Int]
    private var sums: [String: [(sum: Double, count: Int)]] = [:]

    init(widths: [Int]) { self.widths = widths }

    /// Adds measurements; those of one name count as one quantity.
    mutating func add(_ values: [(name: String, value: Double)], width: Int) {
        guard let place = widths.firstIndex(of: width) else { return }
        for (name, value) in values where value > 0 {
            var list = sums[name] ?? Array(repeating: (0, 0), count: widths.count)
            list[place].sum += log(value)
            list[place].count += 1
            sums[name] = list
        }
    }

    private func slope(_ name: String) -> Double? {
        guard let list = sums[name], list.allSatisfy({ $0.count > 0 }) else { return nil }
        let x = widths.map { log(Double($0)) }
        let y = list.map { $0.sum / Double($0.count) }
        let (meanX, meanY) = (
            x.reduce(0, +) / Double(x.count), y.reduce(0, +) / Double(y.count)
        )
        let covariance = zip(x, y).reduce(0) { $0 + ($1.0 - meanX) * ($1.1 - meanY) }
        return covariance / x.reduce(0) { $0 + ($1 - meanX) * ($1 - meanX) }
    }

    func lines(initial: Samples?) -> [CoordinateCheck.Line] {
        sums.keys.sorted().compactMap { name in
            guard let slope = slope(name), let list = sums[name] else { return nil }
            return CoordinateCheck.Line(
                name: name, values: list.map { exp($0.sum / Double($0.count)) }, slope: slope,
                initialSlope: initial?.slope(name))
        }
    }
}
