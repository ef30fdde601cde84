import FalconRecipeSection

/// A decay rate of a recipe that float32 arithmetic rounds to 1, so that nothing new would count.
///
/// - Parameters:
///   - key: the number's key.
///   - value: at least 0 and below 1.
/// - Returns: what is wrong; nil if it stays below 1.
func float32RateProblem(_ key: some CodingKey, _ value: Double) -> RecipeProblem? {
    guard value < 1, Float(value) >= 1 else { return nil }
    return RecipeProblem(
        key: key.stringValue,
        "got \(value), which is 1.0 in float32; want at most \(Float(1).nextDown)")
}
