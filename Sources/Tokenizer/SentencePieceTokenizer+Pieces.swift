extension SentencePieceTokenizer {
    /// The number of ids: they run from 0 to this minus 1.
    public var vocabularyCount: Int { model.pieces.count }

    /// Whether an id has a token, so that it can be written.
    ///
    /// - Parameter id: any number.
    /// - Returns: false for ids outside the vocabulary and for places in it that are not used.
    public func hasToken(_ id: Int32) -> Bool {
        model.pieces.indices.contains(Int(id)) && model.pieces[Int(id)].kind != .unused
    }

    /// The text of a piece, with "▁" for a space.
    ///
    /// - Parameter id: from 0 to `vocabularyCount - 1`.
    /// - Returns: the text as the model spells it, "<0x0A>" for a byte.
    public func piece(_ id: Int32) -> String { entry(id).text }

    /// The score of a piece.
    ///
    /// - Parameter id: from 0 to `vocabularyCount - 1`.
    /// - Returns: for BPE, a higher one merges earlier.
    public func score(_ id: Int32) -> Float { entry(id).score }

    /// The kind of a piece.
    ///
    /// - Parameter id: from 0 to `vocabularyCount - 1`.
    /// - Returns: the kind.
    public func kind(_ id: Int32) -> SentencePieceModel.PieceKind { entry(id).kind }

    /// The way in which the texts of pieces become one text.
    public var joining: TokenJoining {
        TokenJoining(
            leadingSpaces: model.removesExtraWhitespaces
                ? .allDropped : model.addsDummyPrefix ? .firstDropped : .kept,
            replacement: .everyByte)
    }

    /// The text or bytes of one piece.
    ///
    /// - Parameter id: from 0 to `vocabularyCount - 1`.
    /// - Returns: its text, with a space for "▁".
    public func surface(of id: Int32) -> TokenSurface {
        let piece = entry(id)
        switch piece.kind {
        case .control: return .nothing
        case .unknown: return .placeholder(model.unknownSurface)
        case .byte: if let byte = StreamingDecoder.byte(of: piece.text) { return .bytes([byte]) }
        default: break
        }
        var text = String.UnicodeScalarView()
        text.append(contentsOf: piece.text.unicodeScalars.map { $0 == "\u{2581}" ? " " : $0 })
        return .text(String(text))
    }

    /// An encoder for many texts on one thread, which remembers words that it has met.
    ///
    /// - Returns: an encoder that gives the ids of `encode`.
    public func makeEncoder() -> any TokenEncoder { WordCachingEncoder(self) }

    private func entry(_ id: Int32) -> SentencePieceModel.Piece {
        precondition(
            id >= 0 && id < vocabularyCount,
            "SentencePieceTokenizer: id \(id), want 0 to \(vocabularyCount - 1)")
        return model.pieces[Int(id)]
    }
}
