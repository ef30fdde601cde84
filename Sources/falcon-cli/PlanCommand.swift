import ArgumentParser
import FalconData
import FalconModel
import FalconOptim
import FalconRecipe
import FalconSweep
import FalconSystem
import FalconTrain

struct PlanCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract:
            "Print the resolved recipe and its cost; exit status 1 if it does not fit here.",
        discussion: """
            The schedule is drawn with braille characters (UTF-8, in files too); --json has its \
            points. For a recipe with a sweep part, the plan lists the runs and what they cost, \
            each and in all.

            The memory and the time that evaluation.tasks take are counted if their files and the data set are \
            there; otherwise a note says that they are not.
            """)

    @OptionGroup var recipe: RecipeOptions

    @OptionGroup var ranks: RankPlanOptions

    @OptionGroup var common: CommonOptions

    /// The output of `--json`.
    private struct Output: Encodable {
        let name: String
        let plan: RunPlan
        let memory: MemoryPlan
        let memory_total_bytes: Int
        let available_memory_bytes: Int
        let remedies: [MemoryRemedy]
        let tasks: TaskCost?
        let tasks_note: String?
        let ranks: RankPlanOptions.Output?
        let sources: [PlannedSource]
        let schedule: [StepPlan]
        let recipe: String
        let recipe_sha256: String
    }

    func run() throws {
        let document = try RecipeDocument(recipe: recipe.recipe, settings: recipe.overrides)
        if document.contains("sweep") {
            if ranks.ranks != nil {
                throw ValidationError("--ranks is for the recipe of one run, and this is a sweep")
            }
            return try showSweep(document)
        }
        let decoded = try document.decode(TrainingRecipe.self)
        try Optimizer.groupPlaces(
            of: decoded.parametrization.makeModel(decoded.model).table,
            decoded.optimizerWithMultipliers)
        let plan = RunPlan(decoded, document: document)
        let planned = PlannedTasks(decoded)
        let fit = try MemoryFit(decoded, threadCount: common.threadCount, tasks: planned.tasks)
        let cost = try planned.tasks?.cost(in: decoded)
        let (sources, missing) = try plannedSources(decoded, plan)
        let ranked = try ranks.plan(decoded, threadCount: common.threadCount)
        if common.json {
            try printJSON(
                Output(
                    name: decoded.name, plan: plan, memory: fit.plan,
                    memory_total_bytes: fit.plan.totalBytes, available_memory_bytes: fit.available,
                    remedies: fit.remedies, tasks: cost, tasks_note: planned.note,
                    ranks: ranked, sources: sources,
                    schedule: points(decoded, plan),
                    recipe: document.resolvedYAML(),
                    recipe_sha256: document.digest))
        } else {
            show(document, plan, fit, cost, sources)
            let lines =
                (ranked.map { ranks.lines($0, decoded) } ?? [])
                + ScheduleReport(decoded, plan).lines
            for line in lines { print(line.isEmpty ? "#" : "# \(line)") }
            for note in plan.notes + [planned.note, missing].compactMap({ $0 }) {
                print("#\n# note: \(note)")
            }
        }
        // A plan for several ranks is for other machines.
        if !fit.isEnough && ranked == nil {
            common.talk(
                "this machine has too little memory for the run;\n"
                    + MemoryRemedy.text(fit.remedies, available: fit.available))
            throw ExitCode(ExitStatus.checkFailed.rawValue)
        }
    }

    /// The output of `--json` for a sweep.
    private struct SweepOutput: Encodable {
        let name: String
        let sweep: SweepPlan
        let available_memory_bytes: Int
        let recipe: String
        let recipe_sha256: String
    }

    private func showSweep(_ document: RecipeDocument) throws {
        let report = SweepPlanReport(
            plan: try SweepPlan(document), available: availableMemoryByteCount())
        if common.json {
            try printJSON(
                SweepOutput(
                    name: try document.decode(String.self, at: "name"), sweep: report.plan,
                    available_memory_bytes: report.available, recipe: document.resolvedYAML(),
                    recipe_sha256: document.digest))
        } else {
            print(document.resolvedYAML())
            for line in report.lines { print(line.isEmpty ? "#" : "# \(line)") }
        }
        if !report.isEnough {
            common.talk(
                "this machine has too little memory for \(report.plan.jobs) runs at a time; lower "
                    + "sweep.jobs, or see what falcon plan says about the recipe of one run")
            throw ExitCode(ExitStatus.checkFailed.rawValue)
        }
    }

    /// The schedule at 101 places, each step once.
    private func points(_ recipe: TrainingRecipe, _ plan: RunPlan) -> [StepPlan] {
        var points: [StepPlan] = []
        for point in StepPlan.samples(of: recipe, plan.batches, count: 101)
        where point != points.last {
            points.append(point)
        }
        return points
    }

    /// What the run reads of each data set; while one of a mixture is not there, the reason why that is not
    /// known.
    private func plannedSources(
        _ recipe: TrainingRecipe, _ plan: RunPlan
    ) throws -> (sources: [PlannedSource], missing: String?) {
        do {
            return (PlannedSource.all(of: try recipe.openedData(plan), plan), nil)
        } catch TrainError.noData(_, let path) {
            return ([], recipe.data.isMixed ? "epochs are not known: \(path) is not there" : nil)
        }
    }

    private func show(
        _ document: RecipeDocument, _ plan: RunPlan, _ fit: MemoryFit, _ tasks: TaskCost?,
        _ sources: [PlannedSource]
    ) {
        let (memoryPlan, available) = (fit.plan, fit.available)
        print(document.resolvedYAML())
        var rows: [(String, String)] = [
            ("parameters", grouped(plan.parameterCount)),
            ("in products", grouped(plan.productParameterCount)),
            ("FLOPs per token", scientific(plan.flopsPerToken, places: 2)),
            ("tokens", grouped(plan.totalTokens)),
            ("steps", "\(grouped(plan.steps)) of \(stepTokensText(plan)) tokens"),
            ("micro-batches a step", "\(plan.microBatches)"),
            ("FLOPs in all", scientific(plan.totalFLOPs, places: 2)),
            ("memory at most", memory(memoryPlan.totalBytes)),
            ("  weights", memory(memoryPlan.parameterBytes)),
            ("  gradients", memory(memoryPlan.gradientBytes)),
            ("  moments", memory(memoryPlan.momentBytes)),
            ("  activations", memory(memoryPlan.activationBytes)),
            ("  scratch of kernels", memory(memoryPlan.scratchBytes)),
            ("  other", memory(memoryPlan.otherBytes)),
            ("memory available here", available > 0 ? memory(available) : "unknown"),
            ("one checkpoint", memory(plan.checkpointBytes)),
            ("checkpoints on disk", memory(plan.diskBytes)),
        ]
        if plan.stageStarts.count > 1 {
            rows += plan.stageStarts.enumerated().map {
                ("stage \($0)", "from token \(grouped($1))")
            }
        }
        rows += sources.map { ("data " + $0.path, $0.description) }
        if let tasks {
            rows.append(
                (
                    "tasks, each time",
                    "\(grouped(tasks.tokens)) tokens read, \(tasks.scorings) times"
                ))
            rows.append(("tasks, of the run's FLOPs", percent(tasks.share)))
        }
        for (label, value) in rows {
            print("# \(label)\(String(repeating: " ", count: max(1, 30 - label.count)))\(value)")
        }
    }
}
