import FalconConcurrency
import FalconRecipe
import FalconRecipeSection
import FalconRunRecord
import FalconSystem
import FalconTrain

/// The `sweep` part of a recipe: the runs to make of it.
///
/// A *configuration* is everything that a run sets except its learning rate and seed. Every
/// configuration gets the same treatment: its own grid of learning rates, and more seeds at its
/// best rate.
public struct SweepSection: RecipeSection {
    /// Values by key path; every combination is a configuration.
    public var grid: RecipeMapping<[RecipeFragment]>?
    /// Settings that change together; one more axis of the combinations.
    public var variants: [SweepVariant]?
    /// Drawn values; one more axis.
    public var random: SweepRandom?
    /// The rates of every configuration; nil for the recipe's own.
    public var learningRates: SweepLearningRates?
    /// Seeds of every run; nil for the recipe's own.
    public var seeds: [UInt64]?
    /// More seeds, at the best learning rate of each configuration only.
    public var bestSeeds: [UInt64]?
    /// Whether bad runs end early; nil for no.
    public var halving: SweepHalving?
    /// The objective; nil for `validation_loss`.
    public var objective: RunObjective?
    /// Runs at a time; nil for the usable processors over `threadsPerRun`.
    public var jobs: Int?
    /// Threads of each run; nil for 1.
    public var threadsPerRun: Int?

    /// The key of each field.
    public enum CodingKeys: String, CodingKey, CaseIterable {
        case grid, variants, random
        case learningRates = "learning_rates"
        case seeds
        case bestSeeds = "best_seeds"
        case halving, objective, jobs
        case threadsPerRun = "threads_per_run"
    }

    /// The key path of the learning rate.
    public static let rateKey = "optimizer.learning_rate"
    /// The key path of the seed.
    public static let seedKey = "seed"

    /// Checks that runs of a recipe have the objective.
    ///
    /// - Parameter recipe: of a run.
    /// - Throws: `SweepError.notScored`.
    func requireObjective(in recipe: TrainingRecipe) throws(SweepError) {
        guard case .score(let task, let metric)? = objective,
            let problem = recipe.evaluation.problem(scoreOf: task, metric)
        else { return }
        let name = "\(task).\(metric)"
        let losses = [RunObjective.validationLoss.name, RunObjective.loss.name]
        let hint = suggestion(for: name, among: losses).map { "; did you mean \($0)?" } ?? ""
        throw .notScored(objective: name, reason: problem + hint)
    }

    /// The problems with the values; empty if there are none.
    public func problems() -> [RecipeProblem] {
        var found: [RecipeProblem] = []
        for (key, values) in grid?.entries ?? [] {
            if values.isEmpty {
                found.append(RecipeProblem(key: "grid", "\(key) has no values, want at least one"))
            }
            if Set(values).count < values.count {
                found.append(RecipeProblem(key: "grid", "\(key) has a value twice"))
            }
        }
        let keys =
            (grid?.entries.map(\.key) ?? [])
            + (variants ?? []).flatMap { $0.settings.entries.map(\.key) }
            + (random?.ranges.entries.map(\.key) ?? [])
        for key in Set(keys).sorted() where isAxisTwice(key) {
            found.append(
                RecipeProblem(
                    "\(key) is in more than one of grid, variants and random; the last would win, "
                        + "so leave it in one of them"))
        }
        if keys.contains(Self.seedKey) {
            found.append(RecipeProblem("seed is an axis of its own; write seeds: [0, 1]"))
        }
        if keys.contains(Self.rateKey) {
            found.append(
                RecipeProblem("\(Self.rateKey) is an axis of its own; write learning_rates"))
        }
        for (key, list) in [("seeds", seeds), ("best_seeds", bestSeeds)] {
            guard let list else { continue }
            if list.isEmpty { found.append(RecipeProblem(key: key, "got none, want at least one")) }
            if Set(list).count < list.count {
                found.append(RecipeProblem(key: key, "a seed is listed twice"))
            }
        }
        if let seeds, let bestSeeds, !Set(seeds).isDisjoint(with: bestSeeds) {
            found.append(RecipeProblem(key: "best_seeds", "some of them are in seeds already"))
        }
        found += variantProblems()
        if runLimit < runCount {
            found.append(
                RecipeProblem(
                    "this makes \(runCount == .max ? "too many" : "\(runCount)") runs, want at most "
                        + "\(runLimit)"))
        }
        for (key, count) in [("jobs", jobs), ("threads_per_run", threadsPerRun)] {
            if let count, count < 1 {
                found.append(RecipeProblem(key: key, "got \(count), want at least 1"))
            }
        }
        if let threadsPerRun, threadsPerRun > WorkerThread.countLimit {
            found.append(
                RecipeProblem(
                    key: "threads_per_run",
                    "got \(threadsPerRun), want at most \(WorkerThread.countLimit)"))
        }
        if halving != nil && learningRates?.extend == true {
            found.append(
                RecipeProblem(
                    key: "halving", "it cannot be combined with learning_rates.extend: true"))
        }
        return found
    }
}

extension SweepSection {
    /// The most runs of a sweep; nobody would look through more.
    private var runLimit: Int { 10_000 }

    /// Configurations times rates times seeds, before anything is extended; at most `Int.max`.
    private var runCount: Int {
        let factors =
            (grid?.entries.map(\.value.count) ?? []) + [
                variants?.count ?? 1, random?.count ?? 1, learningRates?.steps ?? 1,
                (seeds?.count ?? 1) + (bestSeeds?.count ?? 0),
            ]
        return factors.reduce(1) { product, factor in
            let (result, isTooLarge) = product.multipliedReportingOverflow(by: max(0, factor))
            return isTooLarge ? .max : result
        }
    }

    private func isAxisTwice(_ key: String) -> Bool {
        [
            grid?.entries.contains { $0.key == key } == true,
            variants?.contains { $0.settings.entries.contains { $0.key == key } } == true,
            random?.ranges.entries.contains { $0.key == key } == true,
        ].count { $0 } > 1
    }

    private func variantProblems() -> [RecipeProblem] {
        guard let variants else { return [] }
        func problem(_ text: String) -> [RecipeProblem] { [RecipeProblem(key: "variants", text)] }
        if variants.isEmpty { return problem("got none, want at least one") }
        for (place, variant) in variants.enumerated() {
            for other in variants[..<place] {
                if other.name == variant.name {
                    return problem("two have the name \(variant.name)")
                }
                let (a, b) = (variant.settings.entries, other.settings.entries)
                if a.elementsEqual(b, by: { $0.key == $1.key && $0.value == $1.value }) {
                    return problem("\(other.name) and \(variant.name) have the same settings")
                }
            }
        }
        return []
    }
}

/// Settings that change together.
public struct SweepVariant: RecipeSection {
    /// A word for tables and names of runs.
    public var name: String
    /// Values by key path.
    public var settings: RecipeMapping<RecipeFragment>

    /// The key of each field.
    public enum CodingKeys: String, CodingKey, CaseIterable {
        case name, settings
    }

    /// The problems with the values; empty if there are none.
    public func problems() -> [RecipeProblem] {
        name.isEmpty ? [RecipeProblem(key: "name", "got nothing, want a word")] : []
    }
}

/// A learning-rate grid: center · ratio^k for k from −(steps − 1)/2.
public struct SweepLearningRates: RecipeSection {
    /// The middle rate.
    public var center: Double
    /// The number of rates; odd, so that `center` is one of them.
    public var steps: Int
    /// The ratio of a rate to the one before; nil for sqrt(2).
    public var ratio: Double?
    /// Whether a configuration whose best rate lies at the edge gets one more rate beyond it, until
    /// the best is inside; nil for no.
    public var extend: Bool?

    /// The key of each field.
    public enum CodingKeys: String, CodingKey, CaseIterable {
        case center, steps, ratio, extend
    }

    /// The most rates that `extend` adds to a configuration.
    static let extensionLimit = 6

    /// The problems with the values; empty if there are none.
    public func problems() -> [RecipeProblem] {
        var found: [RecipeProblem] = []
        if center <= 0 {
            found.append(RecipeProblem(key: "center", "got \(center), want a positive number"))
        }
        if steps < 1 || steps % 2 == 0 || steps > 99 {
            found.append(RecipeProblem(key: "steps", "got \(steps), want an odd number up to 99"))
        }
        if let ratio, ratio <= 1 {
            found.append(RecipeProblem(key: "ratio", "got \(ratio), want more than 1"))
        }
        if found.isEmpty { found += rateProblems() }
        return found
    }

    /// The problem if a rate, including those that `extend` may add, is not a normal number or equals
    /// another.
    private func rateProblems() -> [RecipeProblem] {
        let reach = (steps - 1) / 2 + (extend == true ? Self.extensionLimit : 0)
        let rates = (-reach...reach).map(rate)
        if !rates.allSatisfy({ $0.isNormal && $0 < 1e100 }) {
            return [RecipeProblem("rates reach from \(rates[0]) to \(rates[2 * reach])")]
        }
        guard Set(rates).count < rates.count else { return [] }
        return [RecipeProblem(key: "ratio", "got \(ratio ?? 0): rates of four digits are equal")]
    }

    /// The rate `index` steps above the centre, to four digits.
    func rate(_ index: Int) -> Double {
        var rate = center
        let ratio = ratio ?? 2.0.squareRoot()
        for _ in 0..<abs(index) { rate = index > 0 ? rate * ratio : rate / ratio }
        return rounded(rate, digits: 4)
    }
}

/// Values drawn from ranges.
public struct SweepRandom: RecipeSection {
    /// The number of draws.
    public var count: Int
    /// The seed of the draws.
    public var seed: UInt64
    /// The ranges by key path.
    public var ranges: RecipeMapping<SweepRange>

    /// The key of each field.
    public enum CodingKeys: String, CodingKey, CaseIterable {
        case count, seed, ranges
    }

    /// The problems with the values; empty if there are none.
    public func problems() -> [RecipeProblem] {
        var found: [RecipeProblem] = []
        if count < 1 { found.append(RecipeProblem(key: "count", "got \(count), want at least 1")) }
        if ranges.entries.isEmpty {
            found.append(RecipeProblem(key: "ranges", "got none, want at least one"))
        }
        return found
    }
}

/// The spacing of numbers in a range.
public enum SweepScale: String, Decodable, CaseIterable, Sendable {
    case linear, log
}

/// A range to draw from.
public struct SweepRange: RecipeSection {
    /// The smallest value.
    public var low: Double
    /// The largest value.
    public var high: Double
    /// The spacing of numbers between them.
    public var scale: SweepScale

    /// The key of each field.
    public enum CodingKeys: String, CodingKey, CaseIterable {
        case low, high, scale
    }

    /// The problems with the values; empty if there are none.
    public func problems() -> [RecipeProblem] {
        var found: [RecipeProblem] = []
        if low >= high { found.append(RecipeProblem("low is \(low), want less than \(high)")) }
        if !(high - low).isFinite { found.append(RecipeProblem("high - low is too large")) }
        if scale == .log && low <= 0 {
            found.append(RecipeProblem(key: "low", "got \(low), want more than 0 on a log scale"))
        }
        return found
    }
}

/// Successive halving: all runs train to the first rung, the best part to the next, and so on.
///
/// - SeeAlso: Jamieson & Talwalkar, arXiv 1502.07943.
public struct SweepHalving: RecipeSection {
    /// The number of rungs, including the full length.
    public var rungs: Int
    /// One run in `factor` continues, and rungs lie a factor apart.
    public var factor: Int
    /// Tokens of the first rung.
    public var minimumTokens: Int
    /// The runs that compete; nil for all runs of the sweep.
    public var within: SweepPeers?

    /// The key of each field.
    public enum CodingKeys: String, CodingKey, CaseIterable {
        case rungs, factor
        case minimumTokens = "minimum_tokens"
        case within
    }

    /// The problems with the values; empty if there are none.
    public func problems() -> [RecipeProblem] {
        var found: [RecipeProblem] = []
        for (key, value, least) in [
            ("rungs", rungs, 2), ("factor", factor, 2), ("minimum_tokens", minimumTokens, 1),
        ] where value < least {
            found.append(RecipeProblem(key: key, "got \(value), want at least \(least)"))
        }
        if found.isEmpty && rungs > Self.rungLimit {
            found.append(
                RecipeProblem(key: "rungs", "got \(rungs), want at most \(Self.rungLimit)"))
        } else if found.isEmpty && tokens(ofRung: rungs - 2) > Self.tokenLimit {
            found.append(
                RecipeProblem(
                    key: "factor", "the last rung but one is beyond \(Self.tokenLimit) tokens"))
        }
        return found
    }

    private static let rungLimit = 64
    /// The most tokens that a run may have.
    private static let tokenLimit = 1_000_000_000_000_000

    /// The place of a rung.
    ///
    /// - Parameter rung: from 0; the last one is the end of the run.
    /// - Returns: tokens; at most `Int.max`.
    func tokens(ofRung rung: Int) -> Int {
        (0..<max(0, rung)).reduce(minimumTokens) { tokens, _ in
            let (product, isTooLarge) = tokens.multipliedReportingOverflow(by: factor)
            return isTooLarge ? .max : product
        }
    }
}

/// Runs that halving compares.
public enum SweepPeers: String, Decodable, CaseIterable, Sendable {
    case sweep, configuration
}

/// A number with a few digits.
func rounded(_ number: Double, digits: Int) -> Double {
    // Beyond these limits the scale itself is not finite.
    guard number != 0, (1e-290..<1e290).contains(abs(number)) else { return number }
    let magnitude = abs(number)
    var (scale, limit) = (1.0, 1.0)
    for _ in 1..<digits { limit *= 10 }
    while magnitude * scale < limit { scale *= 10 }
    while magnitude * scale >= 10 * limit { scale /= 10 }
    return (number * scale).rounded() / scale
}
