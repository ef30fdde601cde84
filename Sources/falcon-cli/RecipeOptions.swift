import ArgumentParser

/// The options that name a recipe.
struct RecipeOptions: ParsableArguments {
    @Option(help: "A recipe file, or the name of a shipped recipe.")
    var recipe: String

    @Option(
        name: .customLong("set"), parsing: .singleValue,
        help: ArgumentHelp("Override one value.", valueName: "key.path=value"))
    var overrides: [String] = []
}
