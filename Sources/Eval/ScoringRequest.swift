/// A text to be scored after another one, as tokens.
struct ScoringRequest {
    /// The tokens before and the scored ones behind them; at least two.
    let tokens: [Int32]
    /// How many tokens at the end are scored.
    let scoredCount: Int

    /// The tokens that a model reads: all but the last.
    var inputs: ArraySlice<Int32> { tokens.dropLast() }
    /// The first row whose next token is scored.
    var firstScoredRow: Int { tokens.count - 1 - scoredCount }

    /// A text after another one.
    ///
    /// A text longer than the model's context loses its beginning.
    ///
    /// - Parameters:
    ///   - before: the tokens before, at least one.
    ///   - scored: the scored tokens.
    ///   - limit: tokens that a model can read at most.
    init(before: [Int32], scored: [Int32], limit: Int) {
        tokens = (before + scored).suffix(limit + 1)
        scoredCount = min(scored.count, tokens.count - 1)
    }
}
