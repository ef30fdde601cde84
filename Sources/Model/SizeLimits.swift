import FalconRecipeSection

/// Limits far above any model: products of sizes and counts of bytes cannot overflow, and a few
/// bytes of JSON cannot ask for a table of parameters that takes much memory.
enum SizeLimits {
    private static let size = 1 << 22
    /// The most positions, which cost nothing until they are used.
    private static let positions = Int(Int32.max)
    private static let layers = 1000
    private static let parameters = 1e15

    /// The problems with counts.
    ///
    /// - Parameters:
    ///   - sizes: each at least 1.
    ///   - layerKey: the key of the number of blocks.
    ///   - roughParameterCount: the number of weights that they make.
    /// - Returns: the problems; empty if there are none.
    static func problems<Key: CodingKey & RawRepresentable<String>>(
        _ sizes: [(Key, Int)], layerKey: Key, roughParameterCount: Double
    ) -> [RecipeProblem] {
        let found = sizes.flatMap { key, value -> [RecipeProblem] in
            let limit =
                switch key.rawValue {
                case layerKey.rawValue: layers
                case "max_position_embeddings": positions
                default: size
                }
            if value < 1 {
                return [RecipeProblem(key: key.rawValue, "got \(value), want at least 1")]
            }
            return value <= limit
                ? [] : [RecipeProblem(key: key.rawValue, "got \(value), want at most \(limit)")]
        }
        if !found.isEmpty || roughParameterCount <= parameters { return found }
        return [
            RecipeProblem(
                key: "hidden_size",
                "the sizes make about \(roughParameterCount) parameters, want at most \(parameters)"
            )
        ]
    }
}
