import FalconRecipe
import FalconSweep
import Testing

/// Which runs a sweep makes, without making any.
@Suite struct SweepScheduleTests {
    private func section(_ yaml: String) throws -> SweepSection {
        try RecipeDocument(yaml: "extends: demo\nsweep: \(yaml)", name: "sweep.yaml")
            .decode(SweepSection.self, at: "sweep")
    }

    private func schedule(_ yaml: String) throws -> SweepSchedule {
        SweepSchedule(try section(yaml), recipeRate: 0.5, recipeSeed: 7)
    }

    private func runs(_ yaml: String) throws -> [SweepRun] {
        try schedule(yaml).tasks { _ in nil }.map(\.run)
    }

    @Test func gridVariantsAndSeedsAreCombined() throws {
        let runs = try runs(
            """
            {grid: {optimizer.kind: [adamw, muon], train.clip_norm: [1.0, null]},
             variants: [{name: a, settings: {optimizer.weight_decay: 0.1}},
                        {name: b, settings: {optimizer.betas: [0.8, 0.9]}}], seeds: [3, 4]}
            """)
        #expect(runs.count == 16)
        #expect(Set(runs.map(\.id)).count == 16)
        #expect(
            runs[0].settings == [
                "optimizer.kind=adamw", "train.clip_norm=1.0", "optimizer.weight_decay=0.1",
                "optimizer.learning_rate=0.5", "seed=3",
            ])
        #expect(runs[3].settings.contains("optimizer.betas=[0.8, 0.9]"))
        #expect(runs[4].settings.contains("train.clip_norm=null"))
    }

    @Test func withoutAxesThereIsTheRecipe() throws {
        let runs = try runs("{jobs: 1}")
        #expect(runs.map(\.settings) == [["optimizer.learning_rate=0.5", "seed=7"]])
    }

    @Test func ratesLieAroundTheCentre() throws {
        let rates = try runs("{learning_rates: {center: 0.01, steps: 5}}").map(\.learningRate)
        #expect(Set(rates) == [0.005, 0.007071, 0.01, 0.01414, 0.02])
        #expect(rates[0] == 0.01)
        #expect(
            try runs("{learning_rates: {center: 0.01, steps: 3, ratio: 10}}").map(\.learningRate)
                == [0.01, 0.001, 0.1])
    }

    @Test func moreSeedsAtTheBestRateDoNotChangeIt() throws {
        func run(_ rate: Double, _ seed: UInt64, _ objective: Double) -> RatedRun {
            RatedRun(learningRate: rate, seed: seed, objective: objective)
        }
        let grid = [run(1, 0, 5.1), run(2, 0, 5.0), run(4, 0, 5.2)]
        let all = grid + [run(2, 1, 5.4), run(2, 2, .infinity)]
        let best = try #require(RatedRun.best(all, tried: [1, 2, 4]))
        #expect(best.learningRate == 2 && !best.isAtEdge)
        // Where a rate lacks the seed of the others, each has its own mean.
        let mixed = try #require(RatedRun.best([run(1, 0, 5), run(2, 1, 4)], tried: [1, 2]))
        #expect(mixed.learningRate == 2 && mixed.isAtEdge)
        #expect(RatedRun.best([run(1, 0, .infinity)], tried: [1]) == nil)
    }

    @Test func drawsDependOnTheirSeedAlone() throws {
        let yaml = """
            {random: {count: 20, seed: 1, ranges: {
              optimizer.weight_decay: {low: 0.01, high: 1.0, scale: log},
              train.clip_norm: {low: 1.0, high: 3.0, scale: linear}}}}
            """
        let settings = try runs(yaml).map(\.settings)
        #expect(settings == (try runs(yaml).map(\.settings)))
        #expect(settings != (try runs(yaml.replacing("seed: 1", with: "seed: 2")).map(\.settings)))
        let decays = try settings.map { list -> Double in
            try #require(list.first?.split(separator: "=").last.flatMap { Double($0) })
        }
        #expect(Set(decays).count == 20 && decays.allSatisfy { (0.01...1).contains($0) })
        #expect((5...15).contains(decays.filter { $0 < 0.1 }.count))
    }

    /// Follows a sweep whose objective is known, to its end.
    private func followed(
        _ yaml: String, objective: (SweepRun) -> Double?
    ) throws -> [SweepRun] {
        let schedule = try schedule(yaml)
        var outcomes: [SweepRun: SweepOutcome] = [:]
        var order: [SweepRun] = []
        for _ in 0..<200 {
            let open = schedule.tasks { outcomes[$0] }.map(\.run).filter { outcomes[$0] == nil }
            guard let next = open.first else { return order }
            order.append(next)
            outcomes[next] = .ended(objective(next))
        }
        return order
    }

    @Test func theGridGrowsUntilTheBestRateLiesInside() throws {
        let runs = try followed(
            """
            {learning_rates: {center: 0.01, steps: 3, ratio: 2, extend: true}, seeds: [0, 1],
             best_seeds: [2, 3]}
            """
        ) { run in abs(run.learningRate - 0.04) + 0.001 * Double(run.seed) }
        #expect(Set(runs.map(\.learningRate)) == [0.005, 0.01, 0.02, 0.04, 0.08])
        #expect(runs.suffix(2).map(\.learningRate) == [0.04, 0.04])
        #expect(runs.suffix(2).map(\.seed) == [2, 3])
        #expect(runs.count == 12 && Set(runs).count == 12)
    }

    @Test func growthHasALimitAndDivergedRunsAreNotBest() throws {
        let falling = try followed(
            "{learning_rates: {center: 1, steps: 1, ratio: 2, extend: true}}"
        ) { $0.learningRate }
        #expect(falling.count == 7)
        let divergent = try followed(
            "{learning_rates: {center: 1, steps: 3, ratio: 2, extend: true}, best_seeds: [1]}"
        ) { $0.learningRate > 1 ? nil : abs($0.learningRate - 1) }
        #expect(divergent.last?.learningRate == 1 && divergent.last?.seed == 1)
        let hopeless = try followed(
            "{learning_rates: {center: 1, steps: 3, extend: true}, best_seeds: [1]}"
        ) { _ in nil }
        #expect(hopeless.count == 3)
    }

    @Test func halvingKeepsTheBetterPartOfEachRung() throws {
        let schedule = try schedule(
            """
            {learning_rates: {center: 1, steps: 9}, halving: {rungs: 3, factor: 2,
             minimum_tokens: 100}}
            """)
        var rungs: [SweepRun: [Double]] = [:]
        func outcome(_ run: SweepRun) -> SweepOutcome? { rungs[run].map { .open(rungs: $0) } }
        var tasks = schedule.tasks(outcome)
        #expect(tasks.count == 9 && tasks.allSatisfy { $0.rung == 0 && !$0.isStopped })
        for task in tasks { rungs[task.run] = [task.run.learningRate] }
        tasks = schedule.tasks(outcome)
        #expect(tasks.filter(\.isStopped).count == 5)
        let second = tasks.filter { !$0.isStopped }
        #expect(second.allSatisfy { $0.rung == 1 && $0.run.learningRate < 0.8 })
        for task in second { rungs[task.run]?.append(-task.run.learningRate) }
        let last = schedule.tasks(outcome).filter { !$0.isStopped }
        #expect(last.count == 2 && last.allSatisfy { $0.rung == nil })
        #expect(last.map(\.run.learningRate).max() == second.map(\.run.learningRate).max())
    }

    @Test(arguments: [
        ("{grid: {optimizer.kind: []}}", "no values"),
        ("{grid: {optimizer.kind: [adamw, adamw]}}", "twice"),
        ("{grid: {seed: [1]}}", "seeds"), ("{grid: {optimizer.learning_rate: [1]}}", "axis of its"),
        ("{seeds: []}", "at least one"), ("{seeds: [1], best_seeds: [1]}", "in seeds already"),
        ("{learning_rates: {center: 0, steps: 3}}", "positive"),
        ("{learning_rates: {center: 1, steps: 4}}", "odd"),
        ("{learning_rates: {center: 1, steps: 3, ratio: 1}}", "more than 1"),
        ("{learning_rate: {center: 1, steps: 3}}", "did you mean learning_rates"),
        ("{variants: []}", "at least one"), ("{jobs: 0}", "at least 1"),
        ("{objective: accuracy}", "validation_loss"),
        (
            "{random: {count: 1, seed: 0, ranges: {a: {low: 0, high: 1, scale: log}}}}",
            "more than 0"
        ),
        (
            "{grid: {train.steps: [1, 2]}, variants: [{name: a, settings: {train.steps: 3}}]}",
            "more than one"
        ),
        ("{variants: [{name: a, settings: {x: 1}}, {name: a, settings: {x: 2}}]}", "the name a"),
        ("{variants: [{name: a, settings: {x: 1}}, {name: b, settings: {x: 1}}]}", "same settings"),
        ("{learning_rates: {center: 1, steps: 3, ratio: 1.00001}}", "are equal"),
        ("{learning_rates: {center: 1.0e-300, steps: 9, ratio: 100}}", "rates reach from"),
        ("{learning_rates: {center: 1, steps: 99, ratio: 1.0e+10}}", "rates reach from"),
        (
            "{random: {count: 1, seed: 0, ranges: {a: {low: -1.0e+308, high: 1.0e+308, scale: linear}}}}",
            "too large"
        ),
        (
            "{random: {count: 1000000000000, seed: 0, ranges: {a: {low: 0, high: 1, scale: linear}}}}",
            "runs, want at most"
        ),
        (
            "{random: {count: 9000000000000000000, seed: 0, ranges: {a: {low: 0, high: 1, scale: linear}}}, seeds: [1, 2, 3]}",
            "too many runs"
        ),
        ("{halving: {rungs: 9000000000000, factor: 2, minimum_tokens: 1}}", "at most 64"),
        ("{halving: {rungs: 5, factor: 9000000000000000000, minimum_tokens: 9}}", "beyond"),
        (
            "{learning_rates: {center: 1, steps: 3, extend: true}, halving: {rungs: 2, factor: 2, "
                + "minimum_tokens: 1}}", "cannot be combined"
        ),
    ])
    func badSweepsSayWhatIsWrong(yaml: String, words: String) throws {
        let error = #expect(throws: RecipeError.self) { try section(yaml) }
        #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
        #expect(error?.description.contains("sweep.yaml:2") == true)
    }

    /// Two draws of four digits may be one; it is then trained once.
    @Test func equalDrawsAreOneRun() throws {
        let drawn = try runs(
            """
            {random: {count: 9, seed: 3, ranges: {optimizer.weight_decay: {low: 0.1, high: 0.10001,
             scale: linear}}}}
            """)
        #expect(drawn.count == 1)
    }

    @Test func aPlanCountsRunsTokensAndFLOPs() throws {
        func plan(_ sweep: String) throws -> SweepPlan {
            try SweepPlan(
                RecipeDocument(
                    yaml: "extends: demo\ntrain: {steps: 10}\nsweep: \(sweep)", name: "sweep.yaml"))
        }
        let grid = try plan(
            """
            {grid: {train.steps: [10, 20]}, learning_rates: {center: 0.01, steps: 5, extend: true},
             seeds: [0], best_seeds: [1, 2], jobs: 3}
            """)
        // Five rates and two more seeds, each of two configurations; six more rates where it extends.
        #expect(grid.runs == 14 && grid.extraRuns == 12 && grid.jobs == 3)
        let (short, long) = (grid.configurations[0], grid.configurations[1])
        #expect(short.runs == 7 && long.tokensPerRun == 2 * short.tokensPerRun)
        #expect(grid.totalTokens == 21 * short.tokensPerRun)
        #expect(abs(grid.totalFLOPs / (21 * short.flopsPerRun) - 1) < 1e-12)
        #expect(grid.memoryBytes == 3 * short.memoryBytes)
        let tokens = try plan("{jobs: 1}").totalTokens
        // Eight to a fifth of the tokens, four of them to two fifths, two of these to the end.
        let fifth = tokens / 5
        let halved = try plan(
            """
            {seeds: [0, 1, 2, 3, 4, 5, 6, 7], halving: {rungs: 3, factor: 2, minimum_tokens: \(fifth)}}
            """)
        #expect(halved.runs == 8 && halved.totalTokens == 4 * fifth + 2 * 2 * fifth + 2 * tokens)
        #expect(throws: RecipeError.self) { try plan("{grid: {train.steps: [0]}}") }
    }
}
