import ArgumentParser
import FalconModel
import FalconRecipe
import FalconSystem
import FalconTrain

struct CoordCheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "coordcheck",
        abstract: "Check that activations keep their size when a model gets wider.",
        discussion: """
            Trains each width for a few steps at the recipe's learning rate and fits log RMS of \
            activations against log width. Slopes near 0 mean that a learning rate tuned on a narrow \
            model suits a wide one. Exit status 1 if a slope exceeds --tolerance, up or down. \
            With learnable multipliers, their slopes are printed too.
            """)

    @OptionGroup var recipe: RecipeOptions

    @Option(help: "Hidden sizes, such as 64,128,256; heads and widths grow in proportion.")
    var widths: CountList

    @Option(help: "Steps before activations are measured.")
    var steps = 10

    @Option(help: "Seeds to average over.")
    var seeds = 3

    @Option(help: "The largest slope of an activation that passes.")
    var tolerance = 0.25

    @OptionGroup var common: CommonOptions

    /// The most steps, and the most seeds; a check needs few.
    private static let countLimit = 100_000

    func validate() throws {
        if Set(widths.counts).count < 2 {
            throw ValidationError("--widths: got \(widths.counts), want at least two widths")
        }
        for (name, value) in [("steps", steps), ("seeds", seeds)]
        where !(1...Self.countLimit).contains(value) {
            throw ValidationError("--\(name) is \(value), want 1 to \(Self.countLimit)")
        }
        guard tolerance > 0, tolerance.isFinite else {
            throw ValidationError("--tolerance is \(tolerance), want a number above 0")
        }
    }

    /// The output of `--json`.
    private struct Output: Encodable {
        let passes: Bool
        let tolerance: Double
        let check: CoordinateCheck
    }

    func run() throws {
        let document = try RecipeDocument(recipe: recipe.recipe, settings: recipe.overrides)
        let recipes = try CoordinateCheck.recipes(
            of: document, widths: widths.counts, seeds: seeds, steps: steps)
        for recipe in recipes where recipe.seed == 0 {
            try MemoryPlan.requireFit(recipe, threadCount: common.threadCount)
        }
        let check = try CoordinateCheck(recipes, steps: steps, threadCount: common.threadCount) {
            if $0 % seeds == 0 {
                common.talk("width \(recipes[$0].model.hiddenSize), \(seeds) seeds")
            }
        }
        let passes = check.passes(tolerance: tolerance)
        if common.json {
            try printJSON(Output(passes: passes, tolerance: tolerance, check: check))
        } else {
            show(check)
        }
        guard passes else {
            let steepest =
                check.steepest.map { "\($0.name) \(signed($0.slope))" } ?? "nothing measured"
            common.talk(
                "activations change with the width: \(steepest), want at most "
                    + "\(decimal(tolerance, places: 2)) up or down")
            throw ExitCode(ExitStatus.checkFailed.rawValue)
        }
    }

    private func show(_ check: CoordinateCheck) {
        var table = Table(
            ["RMS after \(check.steps) steps"] + check.widths.map { "\($0)" }
                + ["slope", "at start"])
        for line in check.activations {
            table.add(
                [line.name] + line.values.map { scientific($0, places: 2) } + [
                    signed(line.slope), line.initialSlope.map(signed) ?? "-",
                ])
        }
        table.printed()
        guard !check.multipliers.isEmpty else { return }
        print("")
        var learned = Table(
            ["multiplier, mean"] + check.widths.map { "\($0)" } + ["slope"])
        for line in check.multipliers {
            learned.add(
                [line.name] + line.values.map { decimal($0, places: 4) } + [signed(line.slope)])
        }
        learned.printed()
    }

    private func signed(_ number: Double) -> String {
        (number < 0 ? "" : "+") + decimal(number, places: 3)
    }
}
