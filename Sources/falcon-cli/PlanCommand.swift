import ArgumentParser
import FalconModel
import FalconOptim
import FalconRecipe
import FalconSystem
import FalconTrain

struct PlanCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract:
            "Print the resolved recipe and what it costs; exit status 1 if it cannot fit here.")

    @OptionGroup var recipe: RecipeOptions

    @OptionGroup var common: CommonOptions

    /// What `--json` prints.
    private struct Output: Encodable {
        let version = 1
        let name: String
        let plan: RunPlan
        let memory: MemoryPlan
        let memory_total_bytes: Int
        let available_memory_bytes: Int
        let remedies: [MemoryRemedy]
        let recipe: String
        let recipe_sha256: String
    }

    func run() throws {
        let document = try RecipeDocument(recipe: recipe.recipe, settings: recipe.overrides)
        let decoded = try document.decode(TrainingRecipe.self)
        try Optimizer.groupPlaces(
            of: decoded.parametrization.makeModel(decoded.model).table,
            decoded.optimizerWithMultipliers)
        let plan = RunPlan(decoded)
        let memoryPlan = try MemoryPlan(decoded, threadCount: common.threadCount)
        let available = availableMemoryByteCount()
        let fits = available == 0 || memoryPlan.totalBytes <= available
        let remedies =
            fits ? [] : try MemoryRemedy.all(for: decoded, threadCount: common.threadCount)
        if common.json {
            try printJSON(
                Output(
                    name: decoded.name, plan: plan, memory: memoryPlan,
                    memory_total_bytes: memoryPlan.totalBytes, available_memory_bytes: available,
                    remedies: remedies, recipe: document.resolvedYAML(),
                    recipe_sha256: document.digest))
        } else {
            show(document, plan, memoryPlan, available: available)
        }
        if !fits {
            common.talk(
                "this machine has too little memory for the run;\n"
                    + MemoryRemedy.text(remedies, available: available))
            throw ExitCode(ExitStatus.checkFailed.rawValue)
        }
    }

    private func show(
        _ document: RecipeDocument, _ plan: RunPlan, _ memoryPlan: MemoryPlan, available: Int
    ) {
        print(document.resolvedYAML())
        let rows: [(String, String)] = [
            ("parameters", grouped(plan.parameterCount)),
            ("in products", grouped(plan.productParameterCount)),
            ("FLOPs per token", scientific(plan.flopsPerToken, places: 2)),
            ("tokens", grouped(plan.totalTokens)),
            ("steps", "\(grouped(plan.steps)) of \(grouped(plan.stepTokens)) tokens"),
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
        for (label, value) in rows {
            print("# \(label)\(String(repeating: " ", count: 30 - label.count))\(value)")
        }
    }
}
