import FalconRecipeSection

/// The `train.spike_guard` part of a recipe: when a step is too far from those before it to be applied.
///
/// - SeeAlso: `SpikeGuard` for the rule.
public struct SpikeGuardSection: RecipeSection, Codable, Equatable {
    /// Applied steps that a step is compared with; it is judged as soon as there is half of them.
    public var window: Int
    /// Standard deviations above their mean, in logarithms, beyond which it is not applied.
    public var limit: Double

    /// The key of each field.
    public enum CodingKeys: String, CodingKey, CaseIterable {
        case window, limit
    }

    /// The steps that a window may have: each costs a line of `state.json`.
    static let windows = 8...10_000

    /// What is impossible about the values; empty when all is well.
    public func problems() -> [RecipeProblem] {
        var found: [RecipeProblem] = []
        if !Self.windows.contains(window) {
            found.append(
                RecipeProblem(
                    key: "window",
                    "got \(window), want \(Self.windows.lowerBound) to \(Self.windows.upperBound) steps"
                ))
        }
        if limit <= 0 {
            found.append(
                RecipeProblem(
                    key: "limit",
                    "got \(limit), want more than 0 standard deviations; spike_guard: null is off"))
        }
        return found
    }
}
