/// An impossible value of a recipe, found by the type that owns it.
///
/// The recipe decoder adds the file, line and column. An `init(from:)` may throw one.
public struct RecipeProblem: Error, Equatable, Sendable {
    /// The key inside the section that the problem belongs to; nil for the section as a whole.
    public var key: String?
    /// The problem and what was wanted: "got 0, wanted at least 1".
    public var message: String

    /// Creates a problem.
    ///
    /// - Parameters:
    ///   - key: the recipe's key inside the section, as written in YAML; nil for the whole section.
    ///   - message: the value found and the values wanted.
    public init(key: String? = nil, _ message: String) {
        self.key = key
        self.message = message
    }
}

/// A part of a recipe that knows which of its values are possible.
///
/// A section is an ordinary `Decodable` struct whose `CodingKeys` are `CaseIterable`: the decoder
/// refuses keys that are not among them. `problems()` is asked after all values have been read.
public protocol RecipeSection: Decodable, Sendable {
    /// Checks ranges and combinations of values.
    ///
    /// - Returns: all problems; empty if the section can be used.
    func problems() -> [RecipeProblem]
}
