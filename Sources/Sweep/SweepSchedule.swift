/// The known state of a run.
public enum SweepOutcome: Equatable, Sendable {
    /// Not at its end; the objective at each rung that it has reached.
    case open(rungs: [Double])
    /// At its end; nil if it diverged or failed.
    case ended(Double?)

    var isEnded: Bool { if case .ended = self { true } else { false } }
}

/// The runs of a sweep, as a pure function of their known states: a sweep that was killed continues
/// by asking again.
public struct SweepSchedule: Sendable {
    /// A run and the place where it should stop.
    public struct Task: Equatable, Sendable {
        /// The run.
        public let run: SweepRun
        /// The rung to stop at, from 0; nil for the end.
        public let rung: Int?
        /// Whether it was stopped for good at a rung.
        public let isStopped: Bool
    }

    private let section: SweepSection
    private let configurations: [SweepConfiguration]
    private let recipeRate: Double
    private let recipeSeed: UInt64

    /// A schedule.
    ///
    /// - Parameters:
    ///   - section: without problems.
    ///   - recipeRate: the recipe's own learning rate.
    ///   - recipeSeed: the recipe's own seed.
    public init(_ section: SweepSection, recipeRate: Double, recipeSeed: UInt64) {
        self.section = section
        configurations = section.configurations()
        self.recipeRate = recipeRate
        self.recipeSeed = recipeSeed
    }

    private var seeds: [UInt64] { section.seeds ?? [recipeSeed] }

    /// All runs known to be needed, including those that have ended.
    ///
    /// - Parameter outcome: the known state of a run; nil if nothing is known.
    /// - Returns: in the order in which they should start.
    public func tasks(_ outcome: (SweepRun) -> SweepOutcome?) -> [Task] {
        let first = configurations.map { gridRuns($0, outcome) }
        var tasks = halved(first, outcome)
        for (configuration, runs) in zip(configurations, first) {
            let own = Set(runs)
            let isSettled = tasks.filter { own.contains($0.run) }.allSatisfy {
                $0.isStopped || outcome($0.run)?.isEnded == true
            }
            guard isSettled, let best = bestRate(of: runs, outcome) else { continue }
            tasks += (section.bestSeeds ?? []).map {
                Task(
                    run: SweepRun(configuration: configuration, learningRate: best, seed: $0),
                    rung: nil, isStopped: false)
            }
        }
        return tasks
    }

    /// The grid of a configuration, with the rates that `extend` has added so far.
    private func gridRuns(
        _ configuration: SweepConfiguration, _ outcome: (SweepRun) -> SweepOutcome?
    ) -> [SweepRun] {
        func runs(_ rate: Double) -> [SweepRun] {
            seeds.map { SweepRun(configuration: configuration, learningRate: rate, seed: $0) }
        }
        guard let rates = section.learningRates else { return runs(recipeRate) }
        var (low, high) = (-(rates.steps - 1) / 2, (rates.steps - 1) / 2)
        // From the centre outwards: a person who watches soon sees results from every region.
        var result = (low...high).sorted { abs($0) < abs($1) }.flatMap { runs(rates.rate($0)) }
        guard rates.extend == true else { return result }
        for _ in 0..<SweepLearningRates.extensionLimit {
            guard result.allSatisfy({ outcome($0)?.isEnded == true }),
                let best = bestRate(of: result, outcome)
            else { break }
            let next: Int
            if best == rates.rate(low) {
                low -= 1
                next = low
            } else if best == rates.rate(high) {
                high += 1
                next = high
            } else {
                break
            }
            result += runs(rates.rate(next))
        }
        return result
    }

    /// The best rate of runs that have ended; one without an objective counts as infinite.
    private func bestRate(
        of runs: [SweepRun], _ outcome: (SweepRun) -> SweepOutcome?
    ) -> Double? {
        RatedRun.best(
            runs.map { run in
                var objective = Double.infinity
                if case .ended(let value?) = outcome(run) { objective = value }
                return RatedRun(
                    learningRate: run.learningRate, seed: run.seed, objective: objective)
            }, tried: runs.map(\.learningRate))?.learningRate
    }

    /// The runs of the grids with the rung that each should reach next.
    private func halved(
        _ runs: [[SweepRun]], _ outcome: (SweepRun) -> SweepOutcome?
    ) -> [Task] {
        guard let halving = section.halving else {
            return runs.flatMap { $0 }.map { Task(run: $0, rung: nil, isStopped: false) }
        }
        let groups = halving.within == .configuration ? runs : [runs.flatMap { $0 }]
        return groups.flatMap { halved($0, halving, outcome) }
    }

    private func halved(
        _ group: [SweepRun], _ halving: SweepHalving, _ outcome: (SweepRun) -> SweepOutcome?
    ) -> [Task] {
        func value(_ run: SweepRun, at rung: Int) -> Double? {
            switch outcome(run) {
            case .open(let rungs): rung < rungs.count ? rungs[rung] : nil
            case .ended(let value): value ?? .infinity
            case nil: nil
            }
        }
        var tasks: [SweepRun: Task] = [:]
        var alive = group
        for rung in 0..<halving.rungs {
            let isLast = rung == halving.rungs - 1
            for run in alive {
                tasks[run] = Task(run: run, rung: isLast ? nil : rung, isStopped: false)
            }
            if isLast { break }
            let values = alive.map { value($0, at: rung) }
            guard values.allSatisfy({ $0 != nil }) else { break }
            let order = alive.indices.sorted {
                (values[$0] ?? .infinity, $0) < (values[$1] ?? .infinity, $1)
            }
            let keep = max(1, alive.count / halving.factor)
            for place in order.dropFirst(keep) {
                tasks[alive[place]] = Task(run: alive[place], rung: rung, isStopped: true)
            }
            alive = order.prefix(keep).sorted().map { alive[$0] }
        }
        return group.compactMap { tasks[$0] }
    }
}
