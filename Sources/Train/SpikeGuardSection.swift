import FalconRecipeSection

/// The `train.spike_guard` part of a recipe: the limit beyond which a step is not applied.
///
/// - SeeAlso: `SpikeGuard` for the rule.
public struct SpikeGuardSection: RecipeSection, Codable, Equatable {
    /// Applied steps that a step is compared with; judging begins when there are half as many.
    public var window: Int
    /// Standard deviations above their mean, in logarithms, beyond which it is not applied.
    public var limit: Double

    /// The key of each field.
    public enum CodingKeys: String, CodingKey, CaseIterable {
        case window, limit
    }

    /// The allowed numbers of steps in a window: each costs a line of `state.json`.
    static let windows = 8...10_000

    /// The problems with the values; empty if there are none.
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
