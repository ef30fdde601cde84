import ArgumentParser

/// How a recipe is named on the command line.
struct RecipeOptions: ParsableArguments {
    @Option(help: "A recipe file, or the name of a shipped recipe.")
    var recipe: String

    @Option(
        name: .customLong("set"), parsing: .singleValue,
        help: ArgumentHelp("Override one value.", valueName: "key.path=value"))
    var overrides: [String] = []
}
