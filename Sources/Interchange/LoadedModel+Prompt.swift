import FalconModel
import FalconTokenizer

// Prompts.
extension LoadedModel {
    /// The tokens of a prompt, including those that the tokenizer puts before it.
    ///
    /// - Parameter text: any text; an empty one becomes the token after which documents begin.
    /// - Returns: at least one token, each with an embedding.
    /// - Throws: `InterchangeError` if there is no tokenizer, or one of another model;
    ///   `TokenizerError` if the text cannot be encoded.
    public func promptTokens(_ text: String) throws -> [Int32] {
        let tokenizer = try requireTokenizer()
        let ids = try tokenizer.promptPrefix + tokenizer.encode(text)
        let vocabularyCount = model.configuration.vocabSize
        if let wrong = ids.first(where: { $0 >= vocabularyCount }) {
            throw InterchangeError.model(
                reason:
                    "the tokenizer gives token \(wrong), but the model has only \(vocabularyCount) "
                    + "embeddings", advice: "use the tokenizer that the model was trained with")
        }
        if !ids.isEmpty { return ids }
        // Nothing to continue: begin as after the end of a document.
        return [tokenizer.bosID ?? tokenizer.eosID ?? 0]
    }

    /// Whether each row of the embedding is a token that can be written; nil without a tokenizer.
    public var writableTokens: [Bool]? {
        tokenizer.map { tokenizer in
            (0..<model.configuration.vocabSize).map { tokenizer.hasToken(Int32($0)) }
        }
    }
}
