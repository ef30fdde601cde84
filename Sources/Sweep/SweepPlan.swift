import FalconOptim
import FalconRecipe
import FalconSystem
import FalconTrain

#if canImport(Glibc)
    import Glibc
#endif

/// The runs and the cost of a sweep, worked out before anything runs.
///
/// The runs that a sweep needs depend on its results; the plan assumes that the best learning rate
/// is always the centre of its grid.
public struct SweepPlan: Encodable, Sendable {
    /// The runs of one configuration.
    public struct Configuration: Encodable, Sendable {
        /// Values of its axes by key path.
        public let configuration: [String: SweepValue]
        /// The number of runs, over all rates and seeds.
        public let runs: Int
        /// Weights of the model.
        public let parameterCount: Int
        /// Tokens of a run that is trained to its end.
        public let tokensPerRun: Int
        /// FLOPs of a run that is trained to its end.
        public let flopsPerRun: Double
        /// Tokens of all its runs; those that halving stops early count up to there.
        public let tokens: Int
        /// FLOPs of all its runs.
        public let flops: Double
        /// The most memory that one of its runs needs.
        public let memoryBytes: Int
        /// Bytes of the checkpoints that one run leaves.
        public let diskBytes: Int
        /// What scoring tasks takes in a run; nil if none are scored, or it is not known.
        public let tasks: TaskCost?

        /// The key of each field.
        public enum CodingKeys: String, CodingKey {
            case configuration, runs, tasks
            case parameterCount = "parameters"
            case tokensPerRun = "tokens_per_run"
            case flopsPerRun = "flops_per_run"
            case tokens, flops
            case memoryBytes = "memory_bytes"
            case diskBytes = "disk_bytes"
        }
    }

    /// The number of runs needed.
    public let runs: Int
    /// The most runs that may be added where a best rate lies at an edge of its grid.
    public let extraRuns: Int
    /// Runs at a time.
    public let jobs: Int
    /// Threads of each run.
    public let threadsPerRun: Int
    /// The configurations, in the order of the recipe.
    public let configurations: [Configuration]
    /// Tokens of all runs needed.
    public let totalTokens: Int
    /// FLOPs of all runs needed.
    public let totalFLOPs: Double
    /// The most memory that the runs at a time need together.
    public let memoryBytes: Int
    /// Bytes of the checkpoints of all runs.
    public let diskBytes: Int
    /// What is not counted; empty if there is nothing.
    public let notes: [String]

    /// The key of each field.
    public enum CodingKeys: String, CodingKey {
        case runs, notes
        case extraRuns = "extra_runs"
        case jobs
        case threadsPerRun = "threads_per_run"
        case configurations
        case totalTokens = "total_tokens"
        case totalFLOPs = "total_flops"
        case memoryBytes = "memory_bytes"
        case diskBytes = "disk_bytes"
    }

    /// Works out the numbers.
    ///
    /// - Parameter document: a recipe with a `sweep` part.
    /// - Throws: `RecipeError` for the first run whose recipe is wrong; `SweepError.notScored`;
    ///   `OptimizerError`.
    public init(_ document: RecipeDocument) throws {
        let section = try document.decode(SweepSection.self, at: "sweep")
        let recipe = document.removing("sweep")
        let base = try recipe.decode(TrainingRecipe.self)
        let schedule = SweepSchedule(
            section, recipeRate: base.optimizer.learningRate, recipeSeed: base.seed)
        threadsPerRun = section.threadsPerRun ?? 1
        var followed = FollowedSweep(section, schedule)
        try followed.follow { run in
            let recipe = try recipe.applying(run.settings).decode(TrainingRecipe.self)
            try section.requireObjective(in: recipe)
            return recipe
        }
        runs = followed.tokens.count
        let isGrowing = section.learningRates?.extend == true
        extraRuns =
            isGrowing
            ? followed.order.count * SweepLearningRates.extensionLimit
                * (section.seeds?.count ?? 1) : 0
        let threads = threadsPerRun
        jobs = section.jobs ?? max(1, usableProcessorCount() / threads)
        var notes: [String] = []
        var last: (recipe: TrainingRecipe, tasks: PlannedTasks)?
        configurations = try followed.order.map { configuration in
            guard let plan = followed.plans[configuration],
                let recipe = followed.recipes[configuration]
            else { preconditionFailure("SweepPlan: \(configuration.label) has no plan") }
            let tokens = followed.tokens.filter { $0.key.configuration == configuration }
            let sum = tokens.values.reduce(0, +)
            // Most configurations score the same tasks: their files are read once.
            let known = last.flatMap { $0.recipe.scoresTasks(like: recipe) ? $0.tasks : nil }
            let planned = known ?? PlannedTasks(recipe)
            last = (recipe, planned)
            if let note = planned.note, !notes.contains(note) { notes.append(note) }
            return Configuration(
                configuration: Dictionary(
                    configuration.axes.map { ($0.key, SweepValue(yaml: $0.value)) },
                    uniquingKeysWith: { $1 }),
                runs: tokens.count, parameterCount: plan.parameterCount,
                tokensPerRun: plan.totalTokens, flopsPerRun: plan.totalFLOPs, tokens: sum,
                flops: plan.totalFLOPs * Double(sum) / Double(plan.totalTokens),
                memoryBytes: try MemoryPlan(
                    recipe, threadCount: threads, tasks: planned.tasks
                ).totalBytes,
                diskBytes: plan.diskBytes, tasks: try planned.tasks?.cost(in: recipe))
        }
        self.notes = notes
        totalTokens = configurations.reduce(0) { $0 + $1.tokens }
        totalFLOPs = configurations.reduce(0) { $0 + $1.flops }
        let most = configurations.map(\.memoryBytes).max() ?? 0
        let (memory, isTooMuch) = most.multipliedReportingOverflow(by: min(jobs, runs))
        memoryBytes = isTooMuch ? .max : memory
        diskBytes = configurations.reduce(0) { sum, one in
            let (bytes, isTooMany) = one.diskBytes.multipliedReportingOverflow(by: one.runs)
            let (total, isOver) = sum.addingReportingOverflow(bytes)
            return isTooMany || isOver ? .max : total
        }
    }
}

/// A sweep followed to its end without training.
private struct FollowedSweep {
    private let section: SweepSection
    private let schedule: SweepSchedule
    private var outcomes: [SweepRun: SweepOutcome] = [:]
    private(set) var order: [SweepConfiguration] = []
    private(set) var plans: [SweepConfiguration: RunPlan] = [:]
    private(set) var recipes: [SweepConfiguration: TrainingRecipe] = [:]
    /// Tokens of each run.
    private(set) var tokens: [SweepRun: Int] = [:]

    init(_ section: SweepSection, _ schedule: SweepSchedule) {
        self.section = section
        self.schedule = schedule
    }

    mutating func follow(_ decode: (SweepRun) throws -> TrainingRecipe) throws {
        var isNews = true
        while isNews {
            isNews = false
            for task in schedule.tasks({ outcomes[$0] }) where !task.isStopped {
                if outcomes[task.run]?.isEnded == true { continue }
                var rungs: [Double] = []
                if case .open(let reached) = outcomes[task.run] { rungs = reached }
                if let rung = task.rung, rungs.count > rung { continue }
                isNews = true
                let configuration = task.run.configuration
                if plans[configuration] == nil {
                    let recipe = try decode(task.run)
                    order.append(configuration)
                    recipes[configuration] = recipe
                    plans[configuration] = RunPlan(recipe)
                }
                let total = plans[configuration]?.totalTokens ?? 0
                let end = task.rung.flatMap { section.halving?.tokens(ofRung: $0) } ?? total
                tokens[task.run] = min(end, total)
                outcomes[task.run] =
                    end >= total ? .ended(value(task.run)) : .open(rungs: rungs + [value(task.run)])
            }
        }
    }

    /// The centre of its grid is best.
    private func value(_ run: SweepRun) -> Double {
        section.learningRates.map { abs(log(run.learningRate / $0.center)) } ?? 0
    }
}
