import FalconJSON
import FalconTokenizer

/// The tokenizer files of a Hugging Face folder, made from a SentencePiece model.
///
/// `tokenizer.json` alone is enough for transformers; it gives the ids of SentencePiece for every text
/// that does not spell out a special piece, and needs neither sentencepiece nor protobuf there.
public enum HuggingFaceTokenizer {
    /// `tokenizer.json`: byte-pair encoding with the merges in the order of SentencePiece.
    ///
    /// - Parameters:
    ///   - tokenizer: a BPE model without normalization.
    ///   - bosID: the token to put before a prompt; nil for none.
    /// - Returns: the text of the file.
    /// - Throws: `InterchangeError.tokenizer` for models whose ids the format cannot reproduce.
    public static func tokenizerJSON(
        _ tokenizer: SentencePieceModel, promptPrefix bosID: Int32? = nil
    ) throws(InterchangeError) -> String {
        try requireRepresentable(tokenizer)
        var normalizers: [JSONValue] = [replacement(of: " ", by: blank)]
        var decoders: [JSONValue] = [
            replacement(of: blank, by: " "), typed("ByteFallback"), typed("Fuse"),
        ]
        if tokenizer.addsDummyPrefix {
            normalizers.insert(typed("Prepend", ["prepend": .string(blank)]), at: 0)
            decoders.append(
                typed(
                    "Strip", ["content": .string(" "), "start": .integer(1), "stop": .integer(0)]))
        }
        let object: JSONObject = [
            "version": .string("1.0"),
            "truncation": .null,
            "padding": .null,
            "added_tokens": .array(addedTokens(tokenizer)),
            "normalizer": typed("Sequence", ["normalizers": .array(normalizers)]),
            "pre_tokenizer": .null,
            "post_processor": BytePairPieces.promptPrefix(bosID, tokenizer.pieces.map(\.text)),
            "decoder": typed("Sequence", ["decoders": .array(decoders)]),
            "model": model(tokenizer),
        ]
        return JSONValue.object(object).serialized(indentation: 2) + "\n"
    }

    /// `tokenizer_config.json`: the special tokens; none is added to a text automatically.
    ///
    /// - Parameters:
    ///   - tokenizer: the model behind `tokenizer.json`.
    ///   - maximumLength: the longest text that the language model takes, in tokens.
    /// - Returns: the text of the file.
    public static func configurationJSON(
        _ tokenizer: SentencePieceModel, maximumLength: Int
    ) -> String {
        var object: JSONObject = [
            "tokenizer_class": .string("PreTrainedTokenizerFast"),
            "add_bos_token": .bool(false),
            "clean_up_tokenization_spaces": .bool(false),
            "model_max_length": .integer(maximumLength),
        ]
        let special = [
            ("bos_token", tokenizer.bosID), ("eos_token", tokenizer.eosID),
            ("unk_token", tokenizer.unkID), ("pad_token", tokenizer.padID),
        ]
        for (key, id) in special {
            if let text = text(of: id, in: tokenizer) { object[key] = .string(text) }
        }
        return JSONValue.object(object).serialized(indentation: 2) + "\n"
    }

    /// The character that SentencePiece writes for a space: U+2581.
    private static let blank = "\u{2581}"

    private static func requireRepresentable(
        _ tokenizer: SentencePieceModel
    ) throws(InterchangeError) {
        let advice = "train a tokenizer with `falcon tokenizer train --model-type bpe`"
        guard tokenizer.algorithm == .bpe else {
            throw .tokenizer(
                reason: "a tokenizer of type \(tokenizer.algorithm) cannot be written as "
                    + "tokenizer.json: its ids would differ, for Unigram in runs of repeated characters",
                advice: advice)
        }
        guard tokenizer.normalizationName == "identity" || tokenizer.normalizationName.isEmpty
        else {
            throw .tokenizer(
                reason: "the tokenizer normalizes text (\(tokenizer.normalizationName)), "
                    + "which tokenizer.json is not written for",
                advice: advice)
        }
        guard !tokenizer.removesExtraWhitespaces else {
            throw .tokenizer(
                reason:
                    "the tokenizer drops repeated spaces, which tokenizer.json is not written for",
                advice: advice)
        }
    }

    private static func text(of id: Int32?, in tokenizer: SentencePieceModel) -> String? {
        id.map { tokenizer.pieces[Int($0)].text }
    }

    private static func typed(_ type: String, _ fields: JSONObject = [:]) -> JSONValue {
        var object: JSONObject = ["type": .string(type)]
        for (key, value) in fields.members { object[key] = value }
        return .object(object)
    }

    private static func replacement(of pattern: String, by content: String) -> JSONValue {
        typed(
            "Replace",
            ["pattern": .object(["String": .string(pattern)]), "content": .string(content)])
    }

    private static func addedTokens(_ tokenizer: SentencePieceModel) -> [JSONValue] {
        tokenizer.pieces.enumerated().compactMap { id, piece in
            guard [.unknown, .control, .userDefined].contains(piece.kind) else { return nil }
            return .object([
                "id": .integer(id),
                "content": .string(piece.text),
                "single_word": .bool(false),
                "lstrip": .bool(false),
                "rstrip": .bool(false),
                "normalized": .bool(false),
                "special": .bool(piece.kind != .userDefined),
            ])
        }
    }

    private static func model(_ tokenizer: SentencePieceModel) -> JSONValue {
        var vocabulary = JSONObject()
        for (id, piece) in tokenizer.pieces.enumerated() { vocabulary[piece.text] = .integer(id) }
        return typed(
            "BPE",
            [
                "dropout": .null,
                "unk_token": text(of: tokenizer.unkID, in: tokenizer).map { .string($0) } ?? .null,
                "continuing_subword_prefix": .null,
                "end_of_word_suffix": .null,
                "fuse_unk": .bool(true),
                "byte_fallback": .bool(tokenizer.pieces.contains { $0.kind == .byte }),
                "ignore_merges": .bool(false),
                "vocab": .object(vocabulary),
                "merges": .array(
                    merges(tokenizer).map { left, right in
                        .array([
                            .string(tokenizer.pieces[left].text),
                            .string(tokenizer.pieces[right].text),
                        ])
                    }),
            ])
    }

    /// Every way to make a normal piece from two others, in SentencePiece's order of merges.
    ///
    /// The order is that of the merged piece's score, not of its id: in models whose blank pieces were
    /// added later (Mistral's) the two differ.
    ///
    /// - Parameter tokenizer: a BPE model.
    /// - Returns: ids of the left and right parts.
    static func merges(_ tokenizer: SentencePieceModel) -> [(left: Int, right: Int)] {
        // Bytes, not strings: Swift's strings are equal if they merely look the same.
        var ids: [[UInt8]: Int] = [:]
        for (id, piece) in tokenizer.pieces.enumerated() { ids[Array(piece.text.utf8)] = id }
        var found: [(score: Float, id: Int, left: Int, right: Int)] = []
        for (id, piece) in tokenizer.pieces.enumerated() where piece.kind == .normal {
            let bytes = Array(piece.text.utf8)
            for cut in bytes.indices.dropFirst() where !isContinuation(bytes[cut]) {
                if let left = ids[Array(bytes[..<cut])], let right = ids[Array(bytes[cut...])] {
                    found.append((piece.score, id, left, right))
                }
            }
        }
        found.sort { first, second in
            first.score != second.score
                ? first.score > second.score
                : (first.id, first.left, first.right) < (second.id, second.left, second.right)
        }
        return found.map { ($0.left, $0.right) }
    }

    /// Whether a byte is inside a UTF-8 sequence, where a text cannot be cut.
    private static func isContinuation(_ byte: UInt8) -> Bool { byte & 0xC0 == 0x80 }
}
