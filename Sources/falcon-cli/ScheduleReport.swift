import FalconOptim
import FalconSystem
import FalconTrain

/// The schedule of a run for a person: curves over tokens, and values where something changes.
struct ScheduleReport {
    /// A quantity that is drawn.
    private struct Curve {
        let name: String
        let value: (StepPlan) -> Double
        let text: (StepPlan) -> String
    }

    private let recipe: TrainingRecipe
    private let plan: RunPlan
    private let curves: [Curve]
    private let samples: [StepPlan]

    init(_ recipe: TrainingRecipe, _ plan: RunPlan) {
        self.recipe = recipe
        self.plan = plan
        let samples = StepPlan.samples(of: recipe, plan.batches, count: BraillePlot.pointCount)
        var curves = [
            Curve(name: "learning rate", value: \.learningRate) {
                scientific($0.learningRate, places: 2)
            }
        ]
        if samples.contains(where: { $0.weightDecay != samples[0].weightDecay }) {
            curves.append(
                Curve(name: "weight decay", value: \.weightDecay) {
                    scientific($0.weightDecay, places: 2)
                })
        }
        if recipe.train.batchRamp != nil {
            curves.append(
                Curve(name: "batch tokens", value: { Double($0.batchTokens) }) {
                    grouped($0.batchTokens)
                })
        }
        self.curves = curves
        self.samples = samples
    }

    /// A plot of each quantity that changes, then a table of the values at the borders of the stages.
    var lines: [String] {
        let end = grouped(plan.totalTokens) + " tokens"
        let plots = curves.flatMap { curve in
            let highest = samples.max { curve.value($0) < curve.value($1) }
            return ["", curve.name]
                + BraillePlot.lines(
                    samples.map(curve.value), top: highest.map(curve.text) ?? "", end: end)
        }
        var table = Table(["", "step", "tokens"] + curves.map(\.name))
        for (name, step) in borders {
            table.add(
                [name, grouped(step.step), grouped(step.tokens)] + curves.map { $0.text(step) })
        }
        return plots + [""] + table.lines
    }

    /// The steps at which a stage begins or ends, in their order.
    private var borders: [(name: String, step: StepPlan)] {
        let (schedule, total) = (recipe.schedule, plan.totalTokens)
        let decayStart = schedule.decayStart(totalTokens: total)
        // Tokens, and the number of steps after reaching them.
        var places = [("first step", 1, 0), ("end of warm-up", schedule.warmupTokens, 0)]
        if let ramp = recipe.train.batchRamp { places.append(("full batch", ramp.tokens, 1)) }
        if let start = schedule.powerStartTokens {
            places.append((schedule.stable.rawValue + " begins", start, 0))
        }
        if decayStart >= schedule.warmupTokens { places.append(("decay begins", decayStart, 0)) }
        let steps = places.filter { (1..<total).contains($0.1) }.map { name, tokens, later in
            (name, min(plan.steps, plan.batches.step(reaching: tokens) + later))
        }
        let ordered = (steps + [("end", plan.steps)]).sorted { $0.1 < $1.1 }
        return ordered.map { ($0.0, StepPlan(step: $0.1, of: recipe, plan.batches)) }
    }
}

/// The tokens of a run's steps: "2,048", or with a batch ramp "512 to 2,048".
func stepTokensText(_ plan: RunPlan) -> String {
    let (first, last) = (
        plan.batches.batchTokens(atStep: 1), plan.batches.batchTokens(atStep: plan.steps)
    )
    return (first == last ? "" : grouped(first) + " to ") + grouped(last)
}
