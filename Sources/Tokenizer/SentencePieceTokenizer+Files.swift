import FalconSystem

// Changes made by the files beside a `tokenizer.model`.
extension SentencePieceTokenizer {
    /// The settings in the files, if the model has the tokens that they name.
    static func settings(
        of files: TokenizerFiles, _ pieces: [SentencePieceModel.Piece], _ path: String
    ) throws(TokenizerError) -> TokenizerSettings {
        do throws(TokenizerFault) {
            let settings = try TokenizerSettings(files)
            try files.requireNamedTokens(in: pieces, settings)
            return settings
        } catch {
            throw error.at(path)
        }
    }

    /// The tokens before a prompt: a `tokenizer.json` decides if there is one.
    static func promptPrefix(
        _ files: TokenizerFiles, _ settings: TokenizerSettings, _ bosID: Int32?,
        _ model: SentencePieceModel, _ path: String
    ) throws(TokenizerError) -> [Int32] {
        guard let json = files.companions.first(where: { $0.name == TokenizerFiles.jsonName })
        else { return settings.addsBOS ? bosID.map { [$0] } ?? [] : [] }
        do throws(TokenizerFault) {
            return try PromptPrefix.tokens(
                json.parsed()["post_processor"], vocabularyCount: model.pieces.count)
        } catch {
            throw error.at(path)
        }
    }
}

extension SentencePieceModel {
    /// The bytes that make a model put a space before every text, or none.
    ///
    /// They go to its end: `normalizer_spec` (3) with `add_dummy_prefix` (3).
    static func settingOfDummyPrefix(_ adds: Bool) -> [UInt8] {
        ProtobufFields.encoded(3, [3 << 3, adds ? 1 : 0])
    }

    /// A serialized model without the name of the format that its sentences were given in: field 7 of
    /// `trainer_spec` (2).
    static func withoutInputFormat(_ serialized: [UInt8]) throws(Malformed) -> [UInt8] {
        try ProtobufFields.edited(serialized[...]) { (number, value) throws(Malformed) in
            guard number == 2, case .bytes(let settings) = value else { return nil }
            return ProtobufFields.encoded(
                2, try ProtobufFields.edited(settings) { number, _ in number == 7 ? [] : nil })
        }
    }

    /// The fingerprint of the behaviour of a tokenizer with this model.
    ///
    /// - Parameters:
    ///   - bos: the token that may start a document.
    ///   - eos: the token that ends a document.
    /// - Returns: a SHA-256 in hexadecimal.
    func fingerprint(bos: Int32?, eos: Int32?) -> String {
        var digest = SHA256()
        digest.update(
            "sentencepiece \(algorithm.rawValue) \(hasByteFallback) \(addsDummyPrefix) "
                + "\(removesExtraWhitespaces) \(characterMapDigest) \(bos ?? -1) \(eos ?? -1)\n")
        let used = pieces.prefix(1 + (pieces.lastIndex { $0.kind != .unused } ?? -1))
        for piece in used {
            digest.update(
                "\(piece.kind.rawValue) \(piece.score.bitPattern) \(piece.text.utf8.count) "
                    + piece.text)
        }
        return digest.finalizeHex()
    }
}

extension BytePairTokenizer {
    /// The fingerprint of the tokenizer's behaviour.
    public var fingerprint: String {
        var digest = SHA256()
        digest.update(
            "byte pairs \(normalizer) \(preTokenizer) \(model.ignoresMerges) "
                + "\(model.hasByteFallback) \(model.fusesUnknown) \(model.unknownID ?? -1) "
                + "\(bosID ?? -1) \(eosID ?? -1)\n")
        let used = pieces.prefix(1 + (pieces.lastIndex { $0.kind != .unused } ?? -1))
        for piece in used {
            digest.update("\(piece.kind.rawValue) \(piece.text.utf8.count) " + piece.text)
        }
        for merge in merges { digest.update("\(merge.left) \(merge.right)\n") }
        return digest.finalizeHex()
    }
}
