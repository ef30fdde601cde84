import FalconSystem

/// Turns text into token ids and back with byte-pair merges, as a `tokenizer.json` describes them.
///
/// The ids are those of Hugging Face's `tokenizers` without special tokens added: nothing is put
/// before or after a text; the tokens that the part "post_processor" puts before one are
/// `promptPrefix`. A setting in the file that this program does not know is an error that names it.
///
/// Tokens of the list "added_tokens" are found in a text wherever they are spelled out, special ones too.
public final class BytePairTokenizer: Tokenizer {
    /// One entry of the vocabulary.
    public struct Piece: Sendable, Equatable {
        /// The text in the file; "" for an id that no token has.
        ///
        /// In byte-level vocabularies the characters of ordinary pieces stand for bytes, those of control
        /// and user-defined pieces for themselves.
        public fileprivate(set) var text = ""
        /// The kind of the piece; an id that no token has is unused.
        public fileprivate(set) var kind = SentencePieceModel.PieceKind.unused
        /// Whether decoding leaves the piece out.
        fileprivate var isSpecial = false
    }

    /// The file that the tokenizer came from, for messages.
    public let path: String
    /// The files that it was made from.
    public let files: TokenizerFiles
    /// The SHA-256 of `tokenizer.json`, in hexadecimal.
    public let digest: String
    /// The vocabulary in the order of ids.
    public let pieces: [Piece]
    /// The token that may start a document; nil if the files name none.
    public let bosID: Int32?
    /// The token that ends a document; nil if the files name none.
    public let eosID: Int32?
    /// The token that fills places without text; nil if the files name none.
    public let padID: Int32?
    /// The token for characters that the vocabulary does not have; nil if the files name none.
    public let unkID: Int32?
    /// The tokens that Hugging Face transformers puts before a prompt; `encode` leaves that to its
    /// caller.
    public let promptPrefix: [Int32]

    /// The text that `encode` takes for the token which ends a document; nil if there is none.
    public let endOfDocumentText: String?

    let model: BytePairModel
    let normalizer: TextNormalizer
    let preTokenizer: PreTokenizer
    private let decoder: BytePairDecoder
    // Looked for in the text as it is, and in the text after the normalizer.
    private let rawTokens: AddedTokens
    private let normalizedTokens: AddedTokens
    // Those without the token that ends a document, for the texts of documents.
    private let rawDocumentTokens: AddedTokens
    private let normalizedDocumentTokens: AddedTokens
    /// Whether the ids of a text are those of its parts when it is cut before spaces.
    let isCutBeforeSpaces: Bool

    /// Reads a tokenizer.
    ///
    /// - Parameters:
    ///   - files: `tokenizer.json` and the files that name special tokens.
    ///   - path: where `tokenizer.json` came from, for messages.
    ///   - specialIDs: ids of special tokens that the files do not name.
    /// - Throws: `TokenizerError.unsupported` for impossible or unknown settings.
    public init(
        files: TokenizerFiles, path: String = TokenizerFiles.jsonName,
        specialIDs: SpecialTokenIDs = SpecialTokenIDs()
    ) throws(TokenizerError) {
        self.files = files
        self.path = path
        digest = SHA256.hex(of: files.main.bytes)
        do throws(TokenizerFault) {
            let root = try files.main.parsed()
            model = try BytePairModel(root["model"])
            normalizer = try TextNormalizer(root["normalizer"])
            preTokenizer = try PreTokenizer(root["pre_tokenizer"])
            decoder = try BytePairDecoder(root["decoder"], mapsBytes: preTokenizer.mapsBytes)
            let added = try AddedToken.list(root["added_tokens"])
            pieces = try Self.pieces(model, decoder, added)
            let names = try TokenizerSettings(files)
            let ids = names.ids(in: pieces.map(\.text), otherwise: specialIDs)
            (bosID, eosID, padID) = (ids.bos, ids.eos, ids.padding)
            unkID = ids.unknown ?? model.unknownID
            promptPrefix = try PromptPrefix.tokens(
                root["post_processor"], vocabularyCount: pieces.count)
            endOfDocumentText = added.first { $0.id == ids.eos }?.text
            (rawTokens, normalizedTokens) = Self.found(added, normalizer)
            let inDocuments = added.filter { $0.id != ids.eos }
            (rawDocumentTokens, normalizedDocumentTokens) = Self.found(inDocuments, normalizer)
            isCutBeforeSpaces = TextCut.isBeforeSpaces(
                normalizer, preTokenizer, model, added.map(\.scalars))
        } catch {
            throw error.at(path)
        }
    }

    /// The number of ids: they run from 0 to this minus 1.
    public var vocabularyCount: Int { pieces.count }

    /// Whether an id has a token, so that it can be written.
    ///
    /// - Parameter id: any number.
    /// - Returns: false for ids outside the vocabulary and for places in it that are not used.
    public func hasToken(_ id: Int32) -> Bool {
        pieces.indices.contains(Int(id)) && pieces[Int(id)].kind != .unused
    }

    /// Pairs of ids that are merged, the first pair first.
    public var merges: [(left: Int32, right: Int32)] { model.mergeList }

    /// The way in which the texts of tokens become one text.
    public var joining: TokenJoining {
        TokenJoining(
            leadingSpaces: decoder.dropsFirstSpace ? .firstDropped : .kept,
            replacement: decoder.mapsBytes ? .everySequence : .everyByte)
    }

    /// Cuts a text into tokens; no beginning or end token is added.
    ///
    /// - Parameter text: any text, up to `longestTextBytes`.
    /// - Returns: ids from 0 to `vocabularyCount - 1`.
    /// - Throws: `TokenizerError.failed` if the text is longer.
    public func encode(_ text: String) throws(TokenizerError) -> [Int32] {
        var cache = WordCache(textCount: text.utf8.count)
        var merger = BytePairMerger()
        var isInText = false
        return try encode(text, &cache, &merger, isDocument: false, isInText: &isInText)
    }

    /// An encoder for many texts on one thread, which remembers words that it has met.
    ///
    /// - Returns: an encoder that gives the ids of `encode`.
    public func makeEncoder() -> any TokenEncoder { BytePairEncoder(self) }

    /// Joins tokens to a text; special tokens give nothing.
    ///
    /// - Parameter ids: ids from 0 to `vocabularyCount - 1`.
    /// - Returns: the text; bytes that are not UTF-8 together give U+FFFD.
    /// - Throws: `TokenizerError.tokenOutOfRange` for an id outside the vocabulary.
    public func decode(_ ids: [Int32]) throws(TokenizerError) -> String {
        var decoder = StreamingDecoder(self)
        var text = ""
        for id in ids { text += try decoder.append(id) }
        return text + decoder.finish()
    }

    /// The text or bytes of one token.
    ///
    /// - Parameter id: from 0 to `vocabularyCount - 1`.
    /// - Returns: its text; nothing for special tokens.
    public func surface(of id: Int32) -> TokenSurface {
        precondition(
            id >= 0 && id < vocabularyCount,
            "BytePairTokenizer: id \(id), want 0 to \(vocabularyCount - 1)")
        let piece = pieces[Int(id)]
        if piece.isSpecial { return .nothing }
        switch piece.kind {
        case .unknown: return .placeholder(piece.text)
        case .control, .unused: return .nothing
        case .userDefined: return .text(piece.text)
        case .normal, .byte: return decoder.surface(of: piece.text)
        }
    }

    /// An encoder of documents, in which the text of the token that ends one is text.
    ///
    /// - Returns: an encoder whose ids differ from those of `encode` only there.
    public func makeDocumentEncoder() -> any TokenEncoder {
        BytePairEncoder(self, isForDocuments: true)
    }

    /// Encodes a text or a part of one; `isInText` says whether it continues a text that has begun,
    /// before and after.
    fileprivate func encode(
        _ text: String, _ cache: inout WordCache, _ merger: inout BytePairMerger,
        isDocument: Bool, isInText: inout Bool
    ) throws(TokenizerError) -> [Int32] {
        guard text.utf8.count <= longestTextBytes else {
            throw .failed(
                action: "encode a text",
                reason: "it is \(text.utf8.count) bytes long, "
                    + "want at most \(longestTextBytes)")
        }
        let raw = isDocument ? rawDocumentTokens : rawTokens
        let inNormalized = isDocument ? normalizedDocumentTokens : normalizedTokens
        var ids: [Int32] = []
        for piece in TextCut(text, isCutBeforeSpaces: isCutBeforeSpaces) {
            for part in raw.parts(of: piece) {
                switch part {
                case .token(let id):
                    ids.append(id)
                    isInText = false
                case .text(let range):
                    let normalized = normalizer.normalized(
                        range.count == piece.count ? piece : Array(piece[range]),
                        isContinued: isInText)
                    isInText = true
                    for part in inNormalized.parts(of: normalized) {
                        switch part {
                        case .token(let id): ids.append(id)
                        case .text(let range):
                            let text =
                                range.count == normalized.count
                                ? normalized : Array(normalized[range])
                            encodeWords(
                                preTokenizer.words(of: text, isMapped: false), &cache, &merger,
                                into: &ids)
                        }
                    }
                }
            }
        }
        return ids
    }

    private func encodeWords(
        _ words: WordList, _ cache: inout WordCache, _ merger: inout BytePairMerger,
        into ids: inout [Int32]
    ) {
        unsafe words.scalars.withUnsafeBufferPointer { text in
            var mapped: [UInt32] = []
            var start = 0
            for end in words.ends {
                let word = unsafe UnsafeBufferPointer(rebasing: text[start..<end])
                let isKept = end - start <= WordCache.longestWord
                let hash = isKept ? unsafe WordCache.hash(of: word) : 0
                let isKnown = unsafe isKept && cache.append(word, hash: hash, to: &ids)
                if !isKnown {
                    let first = ids.count
                    mapped.removeAll(keepingCapacity: true)
                    if preTokenizer.endsInBytes {
                        PreTokenizer.appendMapped(words.scalars[start..<end], to: &mapped)
                    } else {
                        mapped += words.scalars[start..<end]
                    }
                    if isKept {
                        model.encode(mapped, 0, mapped.count, &merger, into: &ids)
                        unsafe cache.store(word, hash: hash, ids: ids[first...])
                    } else {
                        LongWord(mapped, pieces, model).encode(
                            0, mapped.count, &merger, into: &ids)
                    }
                }
                start = end
            }
        }
    }

    private static func found(
        _ added: [AddedToken], _ normalizer: TextNormalizer
    ) -> (raw: AddedTokens, normalized: AddedTokens) {
        var (raw, normalized) = (AddedTokens(), AddedTokens())
        for token in added {
            if token.isNormalized {
                let text = normalizer.normalized(token.scalars)
                if !text.isEmpty { normalized.insert(text, id: token.id) }
            } else {
                raw.insert(token.scalars, id: token.id)
            }
        }
        return (raw, normalized)
    }
}

/// Encodes many texts with one tokenizer on one thread.
private final class BytePairEncoder: TokenEncoder {
    private let tokenizer: BytePairTokenizer
    private let isForDocuments: Bool
    private var cache = WordCache(textCount: .max)
    private var merger = BytePairMerger()
    private var isInText = false

    init(_ tokenizer: BytePairTokenizer, isForDocuments: Bool = false) {
        self.tokenizer = tokenizer
        self.isForDocuments = isForDocuments
    }

    var isCutBeforeSpaces: Bool { tokenizer.isCutBeforeSpaces }

    func encode(_ text: String, isContinued: Bool) throws(TokenizerError) -> [Int32] {
        isInText = isInText && isContinued
        return try tokenizer.encode(
            text, &cache, &merger, isDocument: isForDocuments, isInText: &isInText)
    }
}

extension BytePairTokenizer {
    private static func pieces(
        _ model: BytePairModel, _ decoder: BytePairDecoder, _ added: [AddedToken]
    ) throws(TokenizerFault) -> [Piece] {
        let last = max(model.entries.map(\.id).max() ?? -1, added.map(\.id).max() ?? -1)
        var pieces = [Piece](repeating: Piece(), count: Int(last) + 1)
        for (text, id) in model.entries {
            let isByte =
                model.hasByteFallback && decoder.hasByteFallback
                && StreamingDecoder.byte(of: text) != nil
            pieces[Int(id)] = Piece(text: text, kind: isByte ? .byte : .normal)
        }
        guard !pieces.isEmpty else {
            throw TokenizerFault(place: "model.vocab", got: "empty", wanted: "tokens")
        }
        let idOfText = Dictionary(
            model.entries.map { (Array($0.text.utf8), $0.id) }, uniquingKeysWith: { a, _ in a })
        for token in added {
            let id = Int(token.id)
            let known = idOfText[Array(token.text.utf8)]
            let isFree = pieces[id].kind == .unused
            guard
                known == token.id || known == nil && isFree
                    || pieces[id].text.utf8.elementsEqual(token.text.utf8)
            else {
                throw TokenizerFault(
                    place: token.place, got: "\"\(token.text)\" as token \(id)",
                    wanted: known.map { "\($0), its id in the vocabulary" }
                        ?? "an id of its own, not that of \"\(pieces[id].text)\"")
            }
            pieces[id] = Piece(
                text: token.text, kind: token.isSpecial ? .control : .userDefined,
                isSpecial: token.isSpecial)
        }
        if let unknown = model.unknownID { pieces[Int(unknown)].kind = .unknown }
        return pieces
    }
}

/// An entry of the list "added_tokens".
private struct AddedToken {
    let text: String
    let scalars: [UInt32]
    let id: Int32
    let isNormalized: Bool
    let isSpecial: Bool
    let place: String

    static func list(_ field: TokenizerField) throws(TokenizerFault) -> [AddedToken] {
        if field.isNull { return [] }
        return try field.elements().map { (element) throws(TokenizerFault) in
            try AddedToken(element)
        }
    }

    private init(_ field: TokenizerField) throws(TokenizerFault) {
        for name in ["single_word", "lstrip", "rstrip"] {
            if try field[name].flag(missing: false) { throw field[name].fault("false") }
        }
        place = field.place
        text = try field["content"].text()
        scalars = text.unicodeScalars.map(\.value)
        guard !scalars.isEmpty && scalars.count <= AddedTokens.longestText else {
            throw field["content"].fault("1 to \(AddedTokens.longestText) characters")
        }
        id = Int32(try field["id"].wholeNumber(below: BytePairModel.idLimit))
        isSpecial = try field["special"].flag(missing: false)
        isNormalized = try field["normalized"].flag(missing: !isSpecial)
    }
}
