import FalconTokenizer

/// Cuts prompts and scored texts into tokens, as lm-evaluation-harness forms them.
///
/// It remembers words, and the last context: the choices of a document share theirs.
final class PromptEncoder {
    private let tokenizer: any Tokenizer
    private let encoder: any TokenEncoder
    private let vocabularyCount: Int
    private var last: (text: String, tokens: [Int32]) = ("", [])

    /// An encoder.
    ///
    /// - Parameters:
    ///   - tokenizer: the model's.
    ///   - vocabularyCount: the tokens that the model has embeddings for.
    init(_ tokenizer: any Tokenizer, vocabularyCount: Int) {
        self.tokenizer = tokenizer
        self.vocabularyCount = vocabularyCount
        encoder = tokenizer.makeEncoder()
    }

    /// The token that stands before a text that has nothing before it.
    var prefix: Int32 { tokenizer.bosID ?? tokenizer.eosID ?? 0 }

    private func encode(_ text: String) throws(TokenizerError) -> [Int32] {
        let tokens = try encoder.encode(text)
        try requireEmbeddings(of: tokens, vocabularyCount: vocabularyCount)
        return tokens
    }

    /// The tokens of a text at the start of a document: behind what the tokenizer puts before a prompt, unless
    /// the text begins with the text of its first token.
    ///
    /// - Parameter text: any text.
    /// - Returns: its tokens.
    /// - Throws: `TokenizerError` if it cannot be encoded, or has tokens without an embedding.
    func prompt(_ text: String) throws(TokenizerError) -> [Int32] {
        let tokens = try encode(text)
        if let first = tokenizer.promptPrefix.first, tokens.first == first { return tokens }
        return tokenizer.promptPrefix + tokens
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
    /// - Throws: as `prompt`.
    func pair(
        _ context: String, _ continuation: String
    ) throws(TokenizerError) -> (before: [Int32], scored: [Int32]) {
        let trimmed = context.rightStrippedAsPython()
        if trimmed.isEmpty {
            let tokens = try encode(context + continuation)
            return ([prefix], tokens.first == prefix ? Array(tokens.dropFirst()) : tokens)
        }
        if last.text != trimmed { last = (trimmed, try prompt(trimmed)) }
        let whole = try prompt(context + continuation)
        return (last.tokens, Array(whole.dropFirst(last.tokens.count)))
    }
}

/// Checks that a model has embeddings for some tokens: a tokenizer may have more.
func requireEmbeddings(of ids: [Int32], vocabularyCount: Int) throws(TokenizerError) {
    if let id = ids.max(), id >= vocabularyCount {
        throw .tokenOutOfRange(id: id, vocabularyCount: vocabularyCount)
    }
}
