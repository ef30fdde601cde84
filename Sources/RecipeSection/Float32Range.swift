/// A number of a recipe that float32 arithmetic turns into 0 or infinity.
///
/// Recipes and `config.json` are read in float64, kernels compute in float32: 1e-50 would silently
/// be 0 there.
///
/// - Parameters:
///   - key: the number's key.
///   - value: the number that is handed to a kernel.
///   - name: the name of the value, if it is not the key's own.
/// - Returns: the problem; nil for 0 and for numbers that float32 has.
public func float32Problem(
    _ key: some CodingKey, _ value: Double, as name: String? = nil
) -> RecipeProblem? {
    let single = Float(value)
    guard value != 0, single == 0 || !single.isFinite else { return nil }
    let got = name.map { "\($0) is \(value)" } ?? "got \(value)"
    return RecipeProblem(
        key: key.stringValue,
        "\(got), which is \(single) in float32; want a size between "
            + "\(Float.leastNonzeroMagnitude) and \(Float.greatestFiniteMagnitude)")
}
