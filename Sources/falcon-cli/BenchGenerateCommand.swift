import ArgumentParser
import FalconBench
import FalconInterchange
import FalconModel
import FalconRecipe
import FalconSystem
import FalconTensor
import FalconTrain

struct BenchGenerate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "generate",
        abstract: "Time reading a context and writing tokens after it.",
        discussion: """
            Each context is read from scratch, 512 tokens at a time; then tokens are written one \
            by one. The weights are those of MODEL, or newly drawn ones for the model of --recipe.
            """)

    @Argument(help: "A checkpoint, a run folder, a Hugging Face folder or a GGUF file.")
    var model: String?

    @Option(help: "Instead of MODEL: a recipe, for whose model weights are drawn.")
    var recipe: String?

    @Option(
        name: .customLong("set"), parsing: .singleValue,
        help: ArgumentHelp("Override one value of the recipe.", valueName: "key.path=value"))
    var overrides: [String] = []

    @Option(help: "Lengths of the context in tokens, separated by commas.")
    var contexts = CountList([512])

    @Option(help: "Tokens to write after each context.")
    var tokens = 64

    @Option(help: "The type of the factors in matrix products: f32 or bf16.")
    var precision = Precision.f32

    @OptionGroup var common: CommonOptions

    func validate() throws {
        if (model == nil) == (recipe == nil) {
            throw ValidationError("give one of MODEL and --recipe")
        }
        if tokens < 1 { throw ValidationError("--tokens is \(tokens), want at least 1") }
    }

    func run() throws {
        let device = common.makeDevice(precision: precision)
        let benchmark: GenerationBenchmark
        if let recipe {
            let decoded = try RecipeDocument(recipe: recipe, settings: overrides)
                .decode(TrainingRecipe.self)
            benchmark = GenerationBenchmark(
                decoded.parametrization.resolved(decoded.model), on: device)
        } else {
            benchmark = GenerationBenchmark(
                try LoadedModel(path: model ?? "", on: device).model, on: device)
        }
        let report = benchmark.run(contexts: contexts.counts, tokens: tokens) {
            common.talk("context \(grouped($0.context)) done")
        }
        if common.json { return try printJSON(report) }
        print(
            "\(grouped(report.parameters)) parameters, \(device.threadCount) threads, \(precision)")
        var table = Table(
            "context", "read, tokens/s", "written, tokens/s", "a token", "state", "work")
        for line in report.lines {
            table.add([
                grouped(line.context), decimal(line.promptTokensPerSecond, places: 1),
                decimal(1 / line.secondsPerToken, places: 1), shortTime(line.secondsPerToken),
                memory(line.stateBytes), memory(line.workingBytes),
            ])
        }
        table.printed()
    }
}
