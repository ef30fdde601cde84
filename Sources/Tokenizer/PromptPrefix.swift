import FalconJSON

/// The tokens that Hugging Face transformers puts before a prompt.
enum PromptPrefix {
    /// The tokens that the part "post_processor" of a `tokenizer.json` puts before a text.
    ///
    /// Tokens after a text are left out: a prompt is to be continued. Parts that add nothing, or
    /// are not known, count as nothing.
    ///
    /// - Parameters:
    ///   - field: the part.
    ///   - vocabularyCount: ids are below it.
    /// - Returns: ids, the first one first.
    /// - Throws: `TokenizerFault` for a template that contradicts itself.
    static func tokens(
        _ field: TokenizerField, vocabularyCount: Int
    ) throws(TokenizerFault) -> [Int32] {
        var prefix: [Int32] = []
        // Each part works on what those before it have made.
        for part in try field.flattened("processors") {
            let name: TokenizerField
            switch part["type"].value.string {
            case "TemplateProcessing":
                prefix = try template(part, vocabularyCount) + prefix
                continue
            case "BertProcessing", "RobertaProcessing": name = part["cls"]
            default: continue
            }
            guard let pair = try? name.elements(), pair.count == 2 else {
                throw name.fault("a text and its id")
            }
            prefix.insert(Int32(try pair[1].wholeNumber(below: vocabularyCount)), at: 0)
        }
        return prefix
    }

    private static func template(
        _ field: TokenizerField, _ vocabularyCount: Int
    ) throws(TokenizerFault) -> [Int32] {
        var prefix: [Int32] = []
        for element in try field["single"].elements() {
            if !element["Sequence"].isNull { return prefix }
            let name = try element["SpecialToken"]["id"].text()
            for id in try field["special_tokens"][name]["ids"].elements() {
                prefix.append(Int32(try id.wholeNumber(below: vocabularyCount)))
            }
        }
        return prefix
    }
}
