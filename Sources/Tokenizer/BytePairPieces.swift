import FalconJSON

/// A byte-level tokenizer as it is stored in GGUF files.
public struct BytePairPieces: Sendable {
    /// The text of every token, in the order of ids (`tokenizer.ggml.tokens`).
    public var tokens: [String]
    /// The kind of every token, in the numbers of `SentencePieceModel.PieceKind` (`….token_type`).
    public var kinds: [Int]
    /// Pairs of tokens with a space between, the first to be merged first (`….merges`).
    public var merges: [String]
    /// The name of the way in which words are cut (`….pre`).
    public var preTokenizerName: String
    /// The ids of special tokens.
    public var specialIDs: SpecialTokenIDs
    /// Whether a prompt is to begin with the beginning token (`….add_bos_token`).
    public var addsBOS: Bool

    /// The pieces of a tokenizer.
    ///
    /// - Parameters:
    ///   - tokens: the text of every token, in the order of ids.
    ///   - kinds: the kind of every token.
    ///   - merges: pairs of tokens with a space between.
    ///   - preTokenizerName: one of `preTokenizerNames`.
    ///   - specialIDs: the ids of special tokens.
    ///   - addsBOS: whether a prompt is to begin with the beginning token.
    public init(
        tokens: [String], kinds: [Int], merges: [String], preTokenizerName: String,
        specialIDs: SpecialTokenIDs = SpecialTokenIDs(), addsBOS: Bool = false
    ) {
        self.tokens = tokens
        self.kinds = kinds
        self.merges = merges
        self.preTokenizerName = preTokenizerName
        self.specialIDs = specialIDs
        self.addsBOS = addsBOS
    }

    /// The ways to cut words that are known by name.
    public static let preTokenizerNames = [
        "gpt-2", "smollm", "llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "qwen2",
        "falcon",
    ]

    /// Whether prompts begin with the beginning token if a file does not say, as in llama.cpp.
    ///
    /// - Parameter preTokenizerName: the way in which words are cut.
    /// - Returns: true for that of Llama 3.
    public static func addsBOS(preTokenizerName: String) -> Bool {
        let pieces = BytePairPieces(
            tokens: [], kinds: [], merges: [], preTokenizerName: preTokenizerName)
        return (try? pieces.words().ignoresMerges) ?? false
    }

    /// The same tokenizer as `tokenizer.json` and `tokenizer_config.json`.
    ///
    /// - Parameter path: where the pieces came from, for messages.
    /// - Returns: files for `BytePairTokenizer`, which `tokenizers` reads as well.
    /// - Throws: `TokenizerError.unsupported` if the lists contradict each other or the way to cut
    ///   words is not known.
    public func files(path: String) throws(TokenizerError) -> TokenizerFiles {
        do throws(TokenizerFault) {
            let json = try tokenizerJSON().serialized() + "\n"
            let configuration = configuration().serialized(indentation: 2) + "\n"
            return TokenizerFiles(
                main: .init(name: TokenizerFiles.jsonName, bytes: Array(json.utf8)),
                companions: [
                    .init(
                        name: TokenizerFiles.configurationName, bytes: Array(configuration.utf8))
                ])
        } catch {
            throw error.at(path)
        }
    }

    private func tokenizerJSON() throws(TokenizerFault) -> JSONValue {
        guard kinds.count == tokens.count else {
            throw TokenizerFault(
                place: "token_type", got: "\(kinds.count) numbers",
                wanted: "\(tokens.count), one per token")
        }
        var vocabulary = JSONObject()
        var added: [JSONValue] = []
        for (id, text) in tokens.enumerated() {
            // A row of the embedding without a token.
            if kinds[id] == SentencePieceModel.PieceKind.unused.rawValue, text == "[PAD\(id)]" {
                continue
            }
            guard vocabulary[text] == nil else {
                throw TokenizerFault(
                    place: "tokens[\(id)]", got: "\"\(text)\" again", wanted: "a text of its own")
            }
            vocabulary[text] = .integer(id)
            switch SentencePieceModel.PieceKind(rawValue: kinds[id]) {
            case .normal, .unused: break
            case .control, .unknown: added.append(Self.addedToken(text, id, isSpecial: true))
            case .userDefined: added.append(Self.addedToken(text, id, isSpecial: false))
            case .byte, nil:
                throw TokenizerFault(
                    place: "token_type[\(id)]", got: "\(kinds[id])",
                    wanted: "1, 2, 3, 4 or 5 in a byte-level vocabulary")
            }
        }
        let (steps, ignoresMerges) = try words()
        let pairs = try mergePairs()
        return .object([
            "version": .string("1.0"), "truncation": .null, "padding": .null,
            "added_tokens": .array(added), "normalizer": .null,
            "pre_tokenizer": Self.typed("Sequence", ["pretokenizers": .array(steps)]),
            "post_processor": Self.promptPrefix(addsBOS ? specialIDs.bos : nil, tokens),
            "decoder": Self.byteLevel(usesExpression: true),
            "model": Self.typed(
                "BPE",
                [
                    "dropout": .null, "unk_token": .null, "continuing_subword_prefix": .null,
                    "end_of_word_suffix": .null, "fuse_unk": .bool(false),
                    "byte_fallback": .bool(false), "ignore_merges": .bool(ignoresMerges),
                    "vocab": .object(vocabulary), "merges": .array(pairs),
                ]),
        ])
    }

    private func mergePairs() throws(TokenizerFault) -> [JSONValue] {
        var pairs: [JSONValue] = []
        for (rank, text) in merges.enumerated() {
            let bytes = text.utf8
            // The left part has at least one character, which may be a space.
            guard let space = bytes.dropFirst().firstIndex(of: 0x20) else {
                throw TokenizerFault(
                    place: "merges[\(rank)]", got: "\"\(text)\"", wanted: "\"LEFT RIGHT\"")
            }
            pairs.append(
                .array([
                    .string(String(text[..<space])),
                    .string(String(text[bytes.index(after: space)...])),
                ]))
        }
        return pairs
    }

    /// The pre-tokenizers of the name, and whether a word that is a token is taken whole.
    fileprivate func words() throws(TokenizerFault) -> (steps: [JSONValue], ignoresMerges: Bool) {
        switch preTokenizerName {
        case "gpt-2": return ([Self.byteLevel(usesExpression: true)], false)
        case "smollm":
            let digits = Self.typed("Digits", ["individual_digits": .bool(true)])
            return ([digits, Self.byteLevel(usesExpression: true)], false)
        case "llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1":
            return ([Self.split(.llama3(digits: 3)), Self.byteLevel(usesExpression: false)], true)
        case "qwen2":
            return ([Self.split(.llama3(digits: 1)), Self.byteLevel(usesExpression: false)], false)
        case "falcon":
            return (
                [
                    Self.typed("Punctuation", ["behavior": .string("Contiguous")]),
                    Self.byteLevel(usesExpression: true),
                    Self.typed("Digits", ["individual_digits": .bool(false)]),
                    Self.split(.threeDigits),
                ], false
            )
        default:
            throw TokenizerFault(
                place: "tokenizer.ggml.pre", got: "\"\(preTokenizerName)\"",
                wanted: "one of \(Self.preTokenizerNames.joined(separator: ", "))")
        }
    }

    /// The way in which words are cut.
    func preTokenizer() throws(TokenizerError) -> PreTokenizer {
        do throws(TokenizerFault) {
            let steps = Self.typed("Sequence", ["pretokenizers": .array(try words().steps)])
            return try PreTokenizer(TokenizerField(value: steps, place: ""))
        } catch {
            throw error.at(preTokenizerName)
        }
    }

    private func configuration() -> JSONValue {
        var object: JSONObject = [
            "tokenizer_class": .string("PreTrainedTokenizerFast"), "add_bos_token": .bool(addsBOS),
            "clean_up_tokenization_spaces": .bool(false),
        ]
        let special = [
            ("bos_token", specialIDs.bos), ("eos_token", specialIDs.eos),
            ("unk_token", specialIDs.unknown), ("pad_token", specialIDs.padding),
        ]
        for (key, id) in special {
            if let id, tokens.indices.contains(Int(id)) { object[key] = .string(tokens[Int(id)]) }
        }
        return .object(object)
    }

    fileprivate static func typed(_ type: String, _ fields: JSONObject) -> JSONValue {
        var object: JSONObject = ["type": .string(type)]
        for (key, value) in fields.members { object[key] = value }
        return .object(object)
    }

    /// The post-processor that puts a token before a prompt; null for none.
    ///
    /// - Parameters:
    ///   - id: the token.
    ///   - tokens: the text of every token.
    /// - Returns: the part "post_processor" of a `tokenizer.json`.
    public static func promptPrefix(_ id: Int32?, _ tokens: [String]) -> JSONValue {
        guard let id, tokens.indices.contains(Int(id)) else { return .null }
        let text = JSONValue.string(tokens[Int(id)])
        func sequence(_ name: String) -> JSONValue {
            .object(["Sequence": .object(["id": .string(name), "type_id": .integer(0)])])
        }
        let token = JSONValue.object([
            "SpecialToken": .object(["id": text, "type_id": .integer(0)])
        ])
        return typed(
            "TemplateProcessing",
            [
                "single": .array([token, sequence("A")]),
                "pair": .array([token, sequence("A"), token, sequence("B")]),
                "special_tokens": .object([
                    tokens[Int(id)]: .object([
                        "id": text, "ids": .array([.integer(Int(id))]), "tokens": .array([text]),
                    ])
                ]),
            ])
    }

    private static func byteLevel(usesExpression: Bool) -> JSONValue {
        typed(
            "ByteLevel",
            [
                "add_prefix_space": .bool(false), "trim_offsets": .bool(true),
                "use_regex": .bool(usesExpression),
            ])
    }

    private static func split(_ pattern: WordPattern) -> JSONValue {
        let text = WordPattern.expressions.first { $0.pattern == pattern }?.text ?? ""
        return typed(
            "Split",
            [
                "pattern": .object(["Regex": .string(text)]), "behavior": .string("Isolated"),
                "invert": .bool(false),
            ])
    }

    private static func addedToken(_ text: String, _ id: Int, isSpecial: Bool) -> JSONValue {
        .object([
            "id": .integer(id), "content": .string(text), "single_word": .bool(false),
            "lstrip": .bool(false), "rstrip": .bool(false), "normalized": .bool(false),
            "special": .bool(isSpecial),
        ])
    }
}

extension BytePairTokenizer {
    /// The tokenizer as it is stored in GGUF files.
    ///
    /// - Returns: tokens, merges, and the name of the way in which words are cut.
    /// - Throws: `TokenizerError.unsupported` if it is not byte-level, normalizes text, or cuts words
    ///   in a way that has no name there.
    public func bytePairPieces() throws(TokenizerError) -> BytePairPieces {
        let name = BytePairPieces.preTokenizerNames.first { name in
            let pieces = BytePairPieces(
                tokens: [], kinds: [], merges: [], preTokenizerName: name)
            guard let words = try? pieces.words() else { return false }
            let steps = BytePairPieces.typed("Sequence", ["pretokenizers": .array(words.steps)])
            return (try? PreTokenizer(TokenizerField(value: steps, place: ""))) == preTokenizer
                && words.ignoresMerges == model.ignoresMerges
        }
        guard let name, normalizer.steps.isEmpty else {
            throw TokenizerFault(
                place: "pre_tokenizer", got: "another way to cut or normalize words",
                wanted: "one of " + BytePairPieces.preTokenizerNames.joined(separator: ", ")
                    + " to be written into a GGUF file"
            ).at(path)
        }
        return BytePairPieces(
            // An id that no token has needs a text of its own.
            tokens: pieces.enumerated().map { $1.text.isEmpty ? "[PAD\($0)]" : $1.text },
            kinds: pieces.map(\.kind.rawValue),
            merges: merges.map { pieces[Int($0.left)].text + " " + pieces[Int($0.right)].text },
            preTokenizerName: name,
            specialIDs: SpecialTokenIDs(bos: bosID, eos: eosID, unknown: unkID, padding: padID),
            addsBOS: promptPrefix.first.map { $0 == bosID } ?? false)
    }
}
