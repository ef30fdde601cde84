import FalconRecipeSection

/// The `data` part of a recipe.
public struct DataSection: RecipeSection, Codable, Equatable {
    /// A folder written by `falcon tokenize`.
    public var path: String
    /// Tokens per training sequence.
    public var sequenceLength: Int

    /// The key of each field.
    public enum CodingKeys: String, CodingKey, CaseIterable {
        case path
        case sequenceLength = "sequence_length"
    }

    /// The problems with the values; empty if there are none.
    public func problems() -> [RecipeProblem] {
        let limit = Int(Int32.max)
        return (1...limit).contains(sequenceLength)
            ? []
            : [
                RecipeProblem(
                    key: "sequence_length", "got \(sequenceLength), want 1 to \(limit)")
            ]
    }
}
