import FalconGGUF
import FalconJSON
import FalconTokenizer

/// The vocabulary of a tokenizer in the metadata of a GGUF file.
///
/// A SentencePiece model becomes the tokenizer "llama" of llama.cpp, byte-level BPE "gpt2".
enum GGUFVocabulary {
    private static let prefix = "tokenizer.ggml."

    /// The metadata of a tokenizer.
    ///
    /// - Parameters:
    ///   - tokenizer: of the model.
    ///   - embeddingCount: rows of the embedding, not fewer than tokens; the rest is padded.
    /// - Returns: keys and values.
    /// - Throws: `InterchangeError.tokenizer` if llama.cpp would give other ids.
    static func fields(
        of tokenizer: any Tokenizer, embeddingCount: Int
    ) throws -> [(key: String, value: GGUFValue)] {
        guard tokenizer.vocabularyCount <= embeddingCount else {
            throw InterchangeError.model(
                reason: "the tokenizer has \(tokenizer.vocabularyCount) pieces, but the model only "
                    + "\(embeddingCount) embeddings",
                advice: "export the model with the tokenizer that it was trained with")
        }
        var fields: [(String, GGUFValue)]
        switch tokenizer {
        case let tokenizer as SentencePieceTokenizer:
            fields = try sentencePiece(tokenizer, embeddingCount: embeddingCount)
        case let tokenizer as BytePairTokenizer:
            fields = try bytePairs(tokenizer, embeddingCount: embeddingCount)
        default:
            throw InterchangeError.tokenizer(
                reason: "\(tokenizer.path) is of a kind that has no name in GGUF",
                advice: "export for Hugging Face")
        }
        let ids = [
            ("bos", tokenizer.bosID), ("eos", tokenizer.eosID), ("unknown", tokenizer.unkID),
            ("padding", tokenizer.padID),
        ]
        for case (let name, let id?) in ids {
            fields.append((name + "_token_id", .uint32(UInt32(id))))
        }
        return fields.map { (prefix + $0.0, $0.1) }
    }

    /// Texts and kinds up to the number of embeddings; those without a token are unused.
    private static func padded(
        _ texts: [String], _ kinds: [Int], to count: Int
    ) -> (texts: [String], kinds: [Int32]) {
        let unused = SentencePieceModel.PieceKind.unused.rawValue
        let padding = (texts.count..<max(texts.count, count)).map { "[PAD\($0)]" }
        return (
            texts + padding,
            (kinds + padding.map { _ in unused }).map { Int32($0) }
        )
    }

    private static func sentencePiece(
        _ tokenizer: SentencePieceTokenizer, embeddingCount: Int
    ) throws(InterchangeError) -> [(String, GGUFValue)] {
        let model = tokenizer.model
        let advice = "train a tokenizer with `falcon tokenizer train --model-type bpe`"
        guard model.algorithm == .bpe else {
            throw .tokenizer(
                reason: "llama.cpp's tokenizer merges pairs; this one is of another kind (unigram)",
                advice: advice)
        }
        guard !model.hasCharacterMap, !model.removesExtraWhitespaces else {
            throw .tokenizer(
                reason: "the tokenizer normalizes text (\(model.normalizationName)), which "
                    + "llama.cpp does not", advice: advice)
        }
        let (texts, kinds) = padded(
            model.pieces.map(\.text), model.pieces.map(\.kind.rawValue), to: embeddingCount)
        let scores =
            model.pieces.map(\.score)
            + [Float](repeating: 0, count: texts.count - model.pieces.count)
        return [
            ("model", .string("llama")), ("pre", .string("default")),
            ("tokens", .array(.string(texts))), ("scores", .array(.float32(scores))),
            ("token_type", .array(.int32(kinds))),
            (
                "add_bos_token",
                .boolean(tokenizer.promptPrefix.first.map { $0 == tokenizer.bosID } ?? false)
            ),
            ("add_eos_token", .boolean(false)),
            ("add_space_prefix", .boolean(model.addsDummyPrefix)),
        ]
    }

    private static func bytePairs(
        _ tokenizer: BytePairTokenizer, embeddingCount: Int
    ) throws -> [(String, GGUFValue)] {
        let pieces = try tokenizer.bytePairPieces()
        let (texts, kinds) = padded(pieces.tokens, pieces.kinds, to: embeddingCount)
        return [
            ("model", .string("gpt2")), ("pre", .string(pieces.preTokenizerName)),
            ("tokens", .array(.string(texts))), ("token_type", .array(.int32(kinds))),
            ("merges", .array(.string(pieces.merges))),
            ("add_bos_token", .boolean(pieces.addsBOS)), ("add_eos_token", .boolean(false)),
        ]
    }

    /// The tokenizer of a file.
    ///
    /// - Parameter reader: any file.
    /// - Returns: nil if the file has no vocabulary.
    /// - Throws: `GGUFError`, `TokenizerError` or `InterchangeError.tokenizer` for one that is wrong or of
    ///   another kind.
    static func tokenizer(of reader: GGUFReader) throws -> (any Tokenizer)? {
        let metadata = reader.metadata
        guard metadata[prefix + "model"] != nil else { return nil }
        let name = try metadata.string(prefix + "model")
        if name == "no_vocab" { return nil }
        var special = SpecialTokenIDs()
        special.bos = try id("bos", metadata)
        special.eos = try id("eos", metadata)
        special.unknown = try id("unknown", metadata)
        special.padding = try id("padding", metadata)
        let tokens = try metadata.strings(prefix + "tokens")
        let kinds =
            metadata[prefix + "token_type"] == nil
            ? tokens.map { _ in SentencePieceModel.PieceKind.normal.rawValue }
            : try metadata.integers(prefix + "token_type")
        func flag(_ key: String, default missing: Bool) throws -> Bool {
            metadata[prefix + key] == nil ? missing : try metadata.boolean(prefix + key)
        }
        switch name {
        case "gpt2":
            let words = try metadata.string(prefix + "pre")
            let pieces = BytePairPieces(
                tokens: tokens, kinds: kinds, merges: try metadata.strings(prefix + "merges"),
                preTokenizerName: words, specialIDs: special,
                addsBOS: try flag(
                    "add_bos_token", default: BytePairPieces.addsBOS(preTokenizerName: words)))
            return try pieces.files(path: reader.path).tokenizer(folder: reader.path)
        case "llama":
            let scores = try metadata.floats(prefix + "scores")
            let used = usedCount(tokens, kinds)
            let file = SentencePieceFile(
                texts: Array(tokens.prefix(used)), scores: Array(scores.prefix(used)),
                kinds: Array(kinds.prefix(used)), special: special,
                addsDummyPrefix: try flag("add_space_prefix", default: true))
            let main = TokenizerFiles.File(
                name: TokenizerFiles.modelName, bytes: try file.serialized(path: reader.path))
            let settings = configuration(
                tokens, special, addsBOS: try flag("add_bos_token", default: true))
            return try TokenizerFiles(main: main, companions: [settings]).tokenizer(
                folder: reader.path)
        default:
            throw InterchangeError.tokenizer(
                reason:
                    "\(reader.path): the tokenizer is of the kind \"\(name)\"; this program reads "
                    + "\"llama\" and \"gpt2\"", advice: "use a file with one of these")
        }
    }

    /// The number of tokens, not counting those at the end that only fill rows of the embedding.
    private static func usedCount(_ tokens: [String], _ kinds: [Int]) -> Int {
        var count = min(tokens.count, kinds.count)
        let unused = SentencePieceModel.PieceKind.unused.rawValue
        while count > 1, kinds[count - 1] == unused, tokens[count - 1] == "[PAD\(count - 1)]" {
            count -= 1
        }
        return count == min(tokens.count, kinds.count) ? tokens.count : count
    }

    /// The `tokenizer_config.json` with the settings that a `tokenizer.model` cannot hold.
    private static func configuration(
        _ tokens: [String], _ special: SpecialTokenIDs, addsBOS: Bool
    ) -> TokenizerFiles.File {
        var object: JSONObject = [
            "tokenizer_class": .string("PreTrainedTokenizerFast"), "add_bos_token": .bool(addsBOS),
            "clean_up_tokenization_spaces": .bool(false),
        ]
        let ids = [
            ("bos_token", special.bos), ("eos_token", special.eos),
            ("unk_token", special.unknown), ("pad_token", special.padding),
        ]
        for case (let key, let id?) in ids where tokens.indices.contains(Int(id)) {
            object[key] = .string(tokens[Int(id)])
        }
        return TokenizerFiles.File(
            name: TokenizerFiles.configurationName,
            bytes: Array((JSONValue.object(object).serialized(indentation: 2) + "\n").utf8))
    }

    private static func id(_ name: String, _ metadata: GGUFMetadata) throws -> Int32? {
        let key = prefix + name + "_token_id"
        return metadata[key] == nil ? nil : Int32(exactly: try metadata.integer(key))
    }
}

/// A SentencePiece model made from lists, as a protocol buffer.
///
/// - SeeAlso: `sentencepiece_model.proto` of google/sentencepiece, for the numbers of fields.
struct SentencePieceFile {
    let texts: [String]
    let scores: [Float]
    let kinds: [Int]
    let special: SpecialTokenIDs
    let addsDummyPrefix: Bool

    /// The bytes of a `tokenizer.model`.
    ///
    /// - Parameter path: where the lists came from, for messages.
    /// - Returns: pieces, then the settings of trainer and normalizer.
    /// - Throws: `InterchangeError.tokenizer` if the lists contradict each other.
    func serialized(path: String) throws(InterchangeError) -> [UInt8] {
        guard scores.count == texts.count, kinds.count == texts.count else {
            throw .tokenizer(
                reason: "\(path): the vocabulary has \(texts.count) tokens, \(scores.count) scores "
                    + "and \(kinds.count) types", advice: "get the file again")
        }
        var bytes: [UInt8] = []
        for place in texts.indices {
            var piece: [UInt8] = []
            append(texts[place], field: 1, to: &piece)
            piece.append(2 << 3 | 5)
            for shift in [0, 8, 16, 24] as [UInt32] {
                piece.append(UInt8(truncatingIfNeeded: scores[place].bitPattern >> shift))
            }
            append(UInt64(max(0, kinds[place])), field: 3, to: &piece)
            append(piece, field: 1, to: &bytes)
        }
        var trainer: [UInt8] = []
        append(UInt64(SentencePieceModel.Algorithm.bpe.rawValue), field: 3, to: &trainer)
        let hasBytes = kinds.contains(SentencePieceModel.PieceKind.byte.rawValue)
        append(hasBytes ? 1 : 0, field: 35, to: &trainer)
        for (id, field) in [(special.bos, 46), (special.eos, 47), (special.padding, 48)] {
            if let id, texts.indices.contains(Int(id)) {
                append(texts[Int(id)], field: field, to: &trainer)
            }
        }
        append(trainer, field: 2, to: &bytes)
        var normalizer: [UInt8] = []
        append("identity", field: 1, to: &normalizer)
        append(addsDummyPrefix ? 1 : 0, field: 3, to: &normalizer)
        append(0, field: 4, to: &normalizer)
        append(1, field: 5, to: &normalizer)
        append(normalizer, field: 3, to: &bytes)
        return bytes
    }

    private func varint(_ value: UInt64, to bytes: inout [UInt8]) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    private func append(_ value: UInt64, field: Int, to bytes: inout [UInt8]) {
        varint(UInt64(field << 3), to: &bytes)
        varint(value, to: &bytes)
    }

    private func append(_ text: String, field: Int, to bytes: inout [UInt8]) {
        append(Array(text.utf8), field: field, to: &bytes)
    }

    private func append(_ value: [UInt8], field: Int, to bytes: inout [UInt8]) {
        varint(UInt64(field << 3 | 2), to: &bytes)
        varint(UInt64(value.count), to: &bytes)
        bytes += value
    }
}
