import FalconSystem

/// The contents of a serialized SentencePiece model: its pieces and the settings for encoding.
///
/// - SeeAlso: `sentencepiece_model.proto` of google/sentencepiece, whose field numbers stand below.
public struct SentencePieceModel: Sendable, Equatable {
    /// The kind of a piece; the numbers are those of the model file, and of GGUF.
    public enum PieceKind: Int, Sendable {
        case normal = 1
        case unknown = 2
        case control = 3
        case userDefined = 4
        case unused = 5
        case byte = 6
    }

    /// One entry of the vocabulary.
    public struct Piece: Sendable, Equatable {
        /// The text, with "▁" (U+2581) for a space.
        public let text: String
        /// The score: for BPE, a higher one merges earlier.
        public let score: Float
        /// The kind of the piece.
        public let kind: PieceKind

        /// Whether a space stands behind another character: "a▁b", "▁a▁".
        var hasSpaceAfterText: Bool {
            let isSpace: (Unicode.Scalar) -> Bool = { $0 == "\u{2581}" || $0 == " " }
            return text.unicodeScalars.drop(while: isSpace).contains(where: isSpace)
        }
    }

    /// The algorithm that cuts a text into pieces.
    public enum Algorithm: Int, Sendable {
        case unigram = 1
        case bpe = 2
        case word = 3
        case char = 4
    }

    /// The vocabulary in the order of ids.
    public private(set) var pieces: [Piece] = []
    /// The algorithm that cuts a text into pieces.
    public private(set) var algorithm = Algorithm.unigram
    /// Whether characters outside the vocabulary become byte pieces.
    public private(set) var hasByteFallback = false
    /// Whether a space is put before every text.
    public private(set) var addsDummyPrefix = true
    /// Whether leading, trailing and repeated spaces are dropped.
    public private(set) var removesExtraWhitespaces = true
    /// The name of the normalization, for instance "identity" or "nmt_nfkc".
    public private(set) var normalizationName = ""
    /// Whether characters are replaced by others before a text is cut.
    public private(set) var hasCharacterMap = false
    /// The SHA-256 of the map of characters; "" if there is none.
    public private(set) var characterMapDigest = ""
    /// Whether the ids of a text with `addsDummyPrefix`'s space, if any, are those of its parts when it is
    /// cut before a space that no space stands before: true for BPE models that change no character and have
    /// no piece that reaches across such a place.
    private(set) var isCutBehindFirstSpace = false
    /// Whether that is so, and no space is put before every text.
    public var isCutBeforeSpaces: Bool { isCutBehindFirstSpace && !addsDummyPrefix }
    /// The text that an unknown piece decodes to.
    public private(set) var unknownSurface = " \u{2047} "
    private var bosPiece = "<s>"
    private var eosPiece = "</s>"
    private var padPiece = "<pad>"

    /// The id of the unknown piece.
    public private(set) var unkID: Int32?
    /// The id of the piece that may start a document.
    public private(set) var bosID: Int32?
    /// The id of the piece that ends a document.
    public private(set) var eosID: Int32?
    /// The id of the padding piece.
    public private(set) var padID: Int32?

    /// The reason why bytes are not a model.
    struct Malformed: Error {
        let reason: String
    }

    /// Reads a model.
    ///
    /// - Parameter serialized: the bytes of a `tokenizer.model`.
    /// - Throws: `Malformed` if they are not a model.
    init(serialized: [UInt8]) throws(Malformed) {
        var fields = ProtobufFields(serialized[...])
        while let field = try fields.next() {
            switch (field.number, field.value) {
            case (1, .bytes(let bytes)): pieces.append(try Self.piece(bytes))
            case (2, .bytes(let bytes)): try readTrainerSettings(bytes)
            case (3, .bytes(let bytes)): try readNormalizerSettings(bytes)
            case (5, .bytes(let bytes)): try Self.checkCharacterMaps(ofNormalizer: bytes)
            default: break
            }
        }
        if pieces.isEmpty { throw Malformed(reason: "it has no pieces") }
        // Merges depend on neighbours only, so those left and right of such a place are apart. Runs
        // of unknown pieces would be joined across it, so there must be bytes for them.
        isCutBehindFirstSpace =
            algorithm == .bpe && hasByteFallback && !removesExtraWhitespaces && !hasCharacterMap
            && pieces.allSatisfy { $0.kind != .unused && !$0.hasSpaceAfterText }
        for (id, piece) in pieces.enumerated() {
            switch piece.kind {
            case .unknown: unkID = Int32(id)
            case .control where piece.text == bosPiece: bosID = Int32(id)
            case .control where piece.text == eosPiece: eosID = Int32(id)
            case .control where piece.text == padPiece: padID = Int32(id)
            default: break
            }
        }
    }

    private static func piece(_ bytes: ArraySlice<UInt8>) throws(Malformed) -> Piece {
        var text = ""
        var score: Float = 0
        var kind = PieceKind.normal
        var fields = ProtobufFields(bytes)
        while let field = try fields.next() {
            switch (field.number, field.value) {
            case (1, .bytes(let value)): text = try string(value)
            case (2, .fixed32(let bits)): score = Float(bitPattern: bits)
            case (3, .integer(let value)):
                guard let known = PieceKind(rawValue: Int(truncatingIfNeeded: value)) else {
                    throw Malformed(reason: "piece \"\(text)\" is of the unknown kind \(value)")
                }
                kind = known
            default: break
            }
        }
        return Piece(text: text, score: score, kind: kind)
    }

    private mutating func readTrainerSettings(_ bytes: ArraySlice<UInt8>) throws(Malformed) {
        var fields = ProtobufFields(bytes)
        while let field = try fields.next() {
            switch (field.number, field.value) {
            case (3, .integer(let value)):
                guard let known = Algorithm(rawValue: Int(truncatingIfNeeded: value)) else {
                    throw Malformed(reason: "its algorithm has the unknown number \(value)")
                }
                algorithm = known
            case (35, .integer(let value)): hasByteFallback = value != 0
            case (44, .bytes(let value)): unknownSurface = try Self.string(value)
            case (46, .bytes(let value)): bosPiece = try Self.string(value)
            case (47, .bytes(let value)): eosPiece = try Self.string(value)
            case (48, .bytes(let value)): padPiece = try Self.string(value)
            default: break
            }
        }
    }

    /// Checks the map of characters of a normalizer: that before encoding or that after decoding.
    private static func checkCharacterMaps(
        ofNormalizer bytes: ArraySlice<UInt8>
    ) throws(Malformed) {
        var fields = ProtobufFields(bytes)
        while let field = try fields.next() {
            if case (2, .bytes(let map)) = (field.number, field.value) { _ = try CharacterMap(map) }
        }
    }

    private mutating func readNormalizerSettings(_ bytes: ArraySlice<UInt8>) throws(Malformed) {
        try Self.checkCharacterMaps(ofNormalizer: bytes)
        var fields = ProtobufFields(bytes)
        while let field = try fields.next() {
            switch (field.number, field.value) {
            case (1, .bytes(let value)): normalizationName = try Self.string(value)
            case (3, .integer(let value)): addsDummyPrefix = value != 0
            case (2, .bytes(let value)):
                hasCharacterMap = !value.isEmpty
                characterMapDigest = value.isEmpty ? "" : SHA256.hex(of: Array(value))
            case (4, .integer(let value)): removesExtraWhitespaces = value != 0
            default: break
            }
        }
    }

    private static func string(_ bytes: ArraySlice<UInt8>) throws(Malformed) -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw Malformed(reason: "a text in it is not UTF-8")
        }
        return text
    }
}
