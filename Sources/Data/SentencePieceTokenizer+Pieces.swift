extension SentencePieceTokenizer {
    /// The number of ids: they run from 0 to this minus 1.
    public var vocabularyCount: Int { model.pieces.count }

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

    /// What a piece stands for.
    ///
    /// - Parameter id: from 0 to `vocabularyCount - 1`.
    /// - Returns: the kind.
    public func kind(_ id: Int32) -> SentencePieceModel.PieceKind { entry(id).kind }

    /// The id of the piece that may start a document; nil if the model has none.
    public var bosID: Int32? { model.bosID }
    /// The id of the piece that ends a document; nil if the model has none.
    public var eosID: Int32? { model.eosID }
    /// The id of the padding piece; nil if the model has none.
    public var padID: Int32? { model.padID }
    /// The id of the unknown piece; nil if the model has none.
    public var unkID: Int32? { model.unkID }

    /// The id that ends every document in shards.
    ///
    /// - Returns: the id of the end-of-sequence piece.
    /// - Throws: `DataError.missingPiece` if the model has none.
    public func requireEndOfDocumentID() throws(DataError) -> Int32 {
        guard let id = eosID else { throw .missingPiece(path: path, piece: "end-of-sequence") }
        return id
    }

    private func entry(_ id: Int32) -> SentencePieceModel.Piece {
        precondition(
            id >= 0 && id < vocabularyCount,
            "SentencePieceTokenizer: id \(id), want 0 to \(vocabularyCount - 1)")
        return model.pieces[Int(id)]
    }
}
