import FalconJSON

// `tokenizer.model` beside `tokenizer.json`: Hugging Face transformers reads the latter.
extension TokenizerFiles {
    /// Whether `tokenizer.json` says more than the SentencePiece model beside it.
    ///
    /// If both hold the same tokens under the same ids, the model is read: the other file was made
    /// from it.
    ///
    /// - Parameters:
    ///   - json: the bytes of `tokenizer.json`.
    ///   - model: the bytes of `tokenizer.model`.
    /// - Returns: true if the vocabularies differ, or an added token is found in texts that the model
    ///   takes for ordinary; also if `tokenizer.json` cannot be read, which is then an error.
    static func says(_ json: [UInt8], moreThan model: [UInt8]) -> Bool {
        guard let pieces = try? SentencePieceModel(serialized: model).pieces else { return false }
        guard let root = try? JSONValue(parsing: json).object else { return true }
        var seen = Set<Int>()
        func isKnown(_ text: String, _ id: Int) -> Bool {
            seen.insert(id)
            return pieces.indices.contains(id) && pieces[id].text.utf8.elementsEqual(text.utf8)
        }
        switch root["model"]?.object?["vocab"] {
        case .object(let vocabulary)?:
            for (text, id) in vocabulary.members {
                guard let id = id.integer, isKnown(text, id) else { return true }
            }
        case .array(let vocabulary)?:
            // Unigram: texts with scores.
            for (id, entry) in vocabulary.enumerated() {
                guard let text = entry.array?.first?.string, isKnown(text, id) else { return true }
            }
        default: return true
        }
        for token in root["added_tokens"]?.array ?? [] {
            guard let id = token.object?["id"]?.integer,
                let text = token.object?["content"]?.string, isKnown(text, id),
                [.control, .unknown, .userDefined].contains(pieces[id].kind)
            else { return true }
        }
        return seen.count != pieces.count
    }

    /// Checks that a SentencePiece model alone has the tokens that the files beside it name.
    ///
    /// - Parameters:
    ///   - pieces: the model's.
    ///   - settings: the settings in the files.
    /// - Throws: `TokenizerFault` for a token that it does not have; tokens for padding do no harm.
    func requireNamedTokens(
        in pieces: [SentencePieceModel.Piece], _ settings: TokenizerSettings
    ) throws(TokenizerFault) {
        guard bytes(of: Self.jsonName) == nil else { return }
        let texts = Set(pieces.map { Array($0.text.utf8) })
        let padding = settings.names["pad_token"]
        func require(_ text: String, _ place: String) throws(TokenizerFault) {
            if text == padding || texts.contains(Array(text.utf8)) { return }
            throw TokenizerFault(
                place: place, got: "\"\(text)\"",
                wanted:
                    "a token of \(Self.modelName); a \(Self.jsonName) that has it is written by "
                    + "AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER)")
        }
        for key in ["bos_token", "eos_token"] {
            if let text = settings.names[key] { try require(text, key) }
        }
        if let file = companions.first(where: { $0.name == Self.addedTokensName }) {
            for text in try file.parsed().object().keys { try require(text, file.name) }
        }
        if let file = companions.first(where: { $0.name == Self.configurationName }) {
            let added = try file.parsed()["added_tokens_decoder"]
            for (id, token) in added.value.object?.members ?? [] {
                if let text = token.object?["content"]?.string {
                    try require(text, "added_tokens_decoder.\(id)")
                }
            }
        }
    }
}
