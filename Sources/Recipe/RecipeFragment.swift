/// A value of any type in a recipe, kept as YAML on one line.
public struct RecipeFragment: Decodable, Hashable, Sendable {
    /// The value as a setting writes it: `0.1`, `[0.9, 0.95]`.
    public let yaml: String

    /// A fragment.
    ///
    /// - Parameter yaml: a value in YAML's flow style.
    public init(yaml: String) { self.yaml = yaml }

    /// Reads a text; the recipe decoder keeps values of other types as they are written.
    ///
    /// - Parameter decoder: any decoder.
    /// - Throws: errors of the decoder for a value that is not text.
    public init(from decoder: any Decoder) throws {
        yaml = try decoder.singleValueContainer().decode(String.self)
    }
}

/// A map whose keys are not known beforehand, in the order in which they are written.
public struct RecipeMapping<Value: Decodable & Sendable>: Decodable, Sendable {
    /// The keys with their values.
    public let entries: [(key: String, value: Value)]

    /// Reads all keys.
    ///
    /// - Parameter decoder: of a map.
    /// - Throws: errors of the decoder.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: RecipeKey.self)
        entries = try container.allKeys.map {
            ($0.stringValue, try container.decode(Value.self, forKey: $0))
        }
    }
}

extension RecipeDocument {
    /// Whether the recipe has a section.
    ///
    /// - Parameter key: a key at the top.
    /// - Returns: whether there is such a key.
    public func contains(_ key: String) -> Bool { root.map?[key] != nil }

    /// The recipe without one of its sections.
    ///
    /// - Parameter key: a key at the top.
    /// - Returns: everything else.
    public func removing(_ key: String) -> RecipeDocument {
        var root = root
        guard var map = root.map else { return self }
        map[key] = nil
        root.content = .map(map)
        return RecipeDocument(root: root)
    }
}
