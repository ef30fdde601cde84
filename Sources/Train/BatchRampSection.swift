import FalconRecipeSection

/// The `train.batch_ramp` part of a recipe: steps that grow at the beginning of a run.
///
/// - SeeAlso: `BatchPlan` for the rule.
public struct BatchRampSection: RecipeSection, Codable, Equatable {
    /// Tokens of the first step.
    public var startTokens: Int
    /// Tokens of the run after which steps have their full size.
    public var tokens: Int

    /// The key of each field.
    public enum CodingKeys: String, CodingKey, CaseIterable {
        case startTokens = "start_tokens"
        case tokens
    }

    /// The most sizes that a ramp may have: plans keep an entry for each.
    static let sizeLimit = 1 << 16

    /// The problems with the values; empty if there are none.
    public func problems() -> [RecipeProblem] {
        let counts: [(CodingKeys, Int?)] = [(.startTokens, startTokens), (.tokens, tokens)]
        return counts.compactMap(countProblem)
    }

    /// The conflict with the rest of the recipe.
    ///
    /// - Parameters:
    ///   - batchTokens: of a full step, a multiple of `microBatchTokens`.
    ///   - microBatchTokens: tokens that the model takes at once.
    /// - Returns: a message, or nil if there is no conflict.
    func problem(batchTokens: Int, microBatchTokens: Int) -> String? {
        if startTokens >= batchTokens {
            return
                "start_tokens is \(startTokens), want less than batch_tokens = \(batchTokens), or "
                + "null for no ramp"
        }
        if startTokens % microBatchTokens != 0 {
            return "start_tokens is \(startTokens), want a multiple of micro_batch_sequences · "
                + "data.sequence_length = \(microBatchTokens)"
        }
        let sizes = (batchTokens - startTokens) / microBatchTokens
        return sizes > Self.sizeLimit
            ? "the batch would grow in \(sizes) micro-batches, want at most \(Self.sizeLimit): raise "
                + "micro_batch_sequences or start_tokens" : nil
    }
}
