import FalconRecipes

/// The recipes that can be named without a path.
public struct RecipeLibrary: Sendable {
    /// The recipes that come with the program.
    public static let shipped = RecipeLibrary(ShippedRecipes.texts)

    /// The recipe that every other one extends in the end.
    static let defaultsName = "defaults.yaml"

    /// The file with the `model` section that replaces the one in the defaults.
    static func defaultsName(ofArchitecture name: String) -> String { "defaults-\(name).yaml" }

    private let texts: [String: String]

    /// Creates a library.
    ///
    /// - Parameter texts: YAML by name; names end in `.yaml`. Every recipe extends `defaults.yaml`,
    ///   if there is one; in recipes of an architecture, the `model` section of
    ///   `defaults-ARCHITECTURE.yaml` replaces the one there.
    public init(_ texts: [String: String]) {
        self.texts = texts
    }

    /// The names that a person can choose, sorted.
    public var names: [String] {
        texts.keys.filter { !$0.hasPrefix("defaults") }.sorted()
    }

    /// The YAML of a recipe.
    ///
    /// - Parameter name: with or without `.yaml`.
    /// - Returns: the full name and the text; nil if there is no such recipe.
    func recipe(named name: String) -> (name: String, text: String)? {
        for candidate in [name, name + ".yaml"] {
            if let text = texts[candidate] { return (candidate, text) }
        }
        return nil
    }
}
