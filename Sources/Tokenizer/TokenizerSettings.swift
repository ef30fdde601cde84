import FalconJSON

/// The settings beside a tokenizer, in `tokenizer_config.json` and `special_tokens_map.json`.
struct TokenizerSettings {
    private static let keys = ["bos_token", "eos_token", "unk_token", "pad_token"]

    /// Tokens with a meaning of their own, by key.
    private(set) var names: [String: String] = [:]
    /// Whether a prompt is to begin with `bos_token`; a `tokenizer.json` decides if there is one.
    private(set) var addsBOS = false
    /// Whether a space stands before every text; nil if the tokenizer's own file decides.
    private(set) var addsPrefixSpace: Bool?

    /// Reads the files.
    ///
    /// - Parameter files: the tokenizer's.
    /// - Throws: `TokenizerFault` for one that is not JSON.
    init(_ files: TokenizerFiles) throws(TokenizerFault) {
        for file in files.companions {
            guard
                file.name == TokenizerFiles.configurationName
                    || file.name == TokenizerFiles.specialTokensName
            else { continue }
            let root = try file.parsed()
            for key in Self.keys {
                // A text, or an object with one; tokenizer_config.json comes first and wins.
                let text = root[key].value.string ?? root[key]["content"].value.string
                if let text, names[key] == nil { names[key] = text }
            }
            if root["add_bos_token"].value.bool == true { addsBOS = true }
            // These classes do not ask the model.
            if let name = root["tokenizer_class"].value.string,
                name == "LlamaTokenizer" || name == "LlamaTokenizerFast"
            {
                addsPrefixSpace = root["add_prefix_space"].value.bool ?? true
            }
        }
    }

    /// The ids of the names; for names that are missing or unknown, those given.
    ///
    /// - Parameters:
    ///   - pieces: the texts of all tokens.
    ///   - given: ids from elsewhere.
    /// - Returns: ids of `pieces`.
    func ids(in pieces: [String], otherwise given: SpecialTokenIDs) -> SpecialTokenIDs {
        func id(_ key: String, _ given: Int32?) -> Int32? {
            if let name = names[key],
                let index = pieces.firstIndex(where: { $0.utf8.elementsEqual(name.utf8) })
            {
                return Int32(index)
            }
            return given.flatMap { pieces.indices.contains(Int($0)) ? $0 : nil }
        }
        return SpecialTokenIDs(
            bos: id("bos_token", given.bos), eos: id("eos_token", given.eos),
            unknown: id("unk_token", given.unknown), padding: id("pad_token", given.padding))
    }
}

extension TokenizerFiles.File {
    /// Reads the JSON of the file.
    func parsed() throws(TokenizerFault) -> TokenizerField {
        do throws(JSONError) {
            return TokenizerField(value: try JSONValue(parsing: bytes), place: "")
        } catch {
            throw TokenizerFault(place: name, got: error.description, wanted: "a JSON object")
        }
    }
}
