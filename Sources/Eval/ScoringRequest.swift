import FalconTokenizer

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

extension Tokenizer {
    /// The token that stands before a text that has nothing before it.
    var scoringPrefix: Int32 { bosID ?? eosID ?? 0 }

    /// The tokens of a text at the start of a document, as lm-evaluation-harness forms them: behind what
    /// the tokenizer puts before a prompt, unless the text begins with the text of its first token.
    ///
    /// - Parameter text: any text.
    /// - Returns: its tokens.
    /// - Throws: `TokenizerError.failed` if it cannot be encoded.
    func encodePrompt(_ text: String) throws(TokenizerError) -> [Int32] {
        let tokens = try encode(text)
        if let first = promptPrefix.first, tokens.first == first { return tokens }
        return promptPrefix + tokens
    }

    /// Tokens of a context and of its continuation.
    ///
    /// White space at the end of the context moves to the continuation. Both are encoded together and cut at
    /// the length of the encoded context. An empty context is the token that begins or ends documents; if the
    /// continuation begins with it, it is the context itself.
    ///
    /// - Parameters:
    ///   - context: the text before.
    ///   - continuation: the scored text.
    /// - Returns: both, the context with what the tokenizer puts before a prompt.
    /// - Throws: `TokenizerError.failed` if a text cannot be encoded.
    func encodePair(
        _ context: String, _ continuation: String
    ) throws(TokenizerError) -> (before: [Int32], scored: [Int32]) {
        let trimmed = context.rightStrippedAsPython()
        if trimmed.isEmpty {
            let tokens = try encode(context + continuation)
            if tokens.first == scoringPrefix { return ([scoringPrefix], Array(tokens.dropFirst())) }
            return ([scoringPrefix], tokens)
        }
        let before = try encodePrompt(trimmed)
        return (before, Array(try encodePrompt(context + continuation).dropFirst(before.count)))
    }
}
