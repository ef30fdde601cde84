import FalconSystem

/// All problems with a recipe.
public struct RecipeError: FalconError, Equatable {
    /// One problem.
    public struct Problem: Hashable, Sendable, CustomStringConvertible {
        /// The place in the text; nil if nothing was read.
        public let origin: RecipeOrigin?
        /// The key it concerns, from the root: `model.hidden_size`; empty for the whole recipe.
        public let keyPath: String
        /// The message: the value found, the value wanted and a remedy.
        public let message: String

        /// The line shown to a person: `mine.yaml:3:5: model.hidden_size: got 0, wanted …`.
        public var description: String {
            var text = origin.map { "\($0): " } ?? ""
            if !keyPath.isEmpty { text += "\(keyPath): " }
            return text + message
        }
    }

    /// At least one problem, sorted by place within each text.
    public let problems: [Problem]

    init(_ problems: [Problem]) {
        self.problems = problems
    }

    init(_ origin: RecipeOrigin?, _ keyPath: String = "", _ message: String) {
        problems = [Problem(origin: origin, keyPath: keyPath, message: message)]
    }

    /// One line per problem.
    public var description: String {
        problems.map(\.description).joined(separator: "\n")
    }

    /// 78: the recipe is bad.
    public var exitStatus: ExitStatus { .badRecipe }
}
