/// The longest text that is encoded, in bytes of UTF-8: all of it and its tokens are in memory at one time.
public let longestTextBytes = 64 << 20

/// Turns text into token ids and back.
///
/// Any number of threads may use one tokenizer at the same time.
public protocol Tokenizer: Sendable {
    /// The file that it came from, for messages.
    var path: String { get }
    /// The files that it was made from, byte for byte, as checkpoints and exports store them.
    var files: TokenizerFiles { get }
    /// The SHA-256 of the main file, in hexadecimal; shards and checkpoints compare it.
    var digest: String { get }
    /// The number of ids: they run from 0 to this minus 1.
    var vocabularyCount: Int { get }
    /// The id of the token that may start a document; nil if there is none.
    var bosID: Int32? { get }
    /// The id of the token that ends a document; nil if there is none.
    var eosID: Int32? { get }
    /// The id of the padding token; nil if there is none.
    var padID: Int32? { get }
    /// The id of the unknown token; nil if there is none.
    var unkID: Int32? { get }
    /// The tokens that Hugging Face transformers puts before a prompt; `encode` leaves that to its
    /// caller.
    var promptPrefix: [Int32] { get }
    /// The fingerprint of the tokenizer's behaviour: the same for two that give the same ids for
    /// every text, in whatever files they are kept.
    var fingerprint: String { get }
    /// The way in which the texts of tokens become one text.
    var joining: TokenJoining { get }

    /// Whether an id has a token, so that it can be written.
    ///
    /// - Parameter id: any number.
    /// - Returns: false for ids outside the vocabulary and for places in it that are not used.
    func hasToken(_ id: Int32) -> Bool

    /// Cuts a text into tokens; no beginning or end token is added.
    ///
    /// - Parameter text: any text, up to `longestTextBytes`.
    /// - Returns: ids from 0 to `vocabularyCount - 1`.
    /// - Throws: `TokenizerError.failed` if the text cannot be encoded.
    func encode(_ text: String) throws(TokenizerError) -> [Int32]

    /// Joins tokens to a text; control tokens give nothing.
    ///
    /// - Parameter ids: ids from 0 to `vocabularyCount - 1`.
    /// - Returns: the text; bytes that are not UTF-8 together give U+FFFD.
    /// - Throws: `TokenizerError.tokenOutOfRange` for an id outside the vocabulary.
    func decode(_ ids: [Int32]) throws(TokenizerError) -> String

    /// The text or bytes of one token.
    ///
    /// - Parameter id: from 0 to `vocabularyCount - 1`.
    /// - Returns: its text, without regard to its neighbours.
    func surface(of id: Int32) -> TokenSurface

    /// An encoder for many texts on one thread, which remembers words that it has met.
    ///
    /// - Returns: an encoder that gives the ids of `encode`.
    func makeEncoder() -> any TokenEncoder

    /// An encoder for the documents of a corpus.
    ///
    /// It gives the ids of `encode`, except that the text of the token which ends a document is
    /// text like any other: no words of a document end it.
    ///
    /// - Returns: an encoder for many texts on one thread.
    func makeDocumentEncoder() -> any TokenEncoder

    /// The text that `encode` takes for the token which ends a document; nil if there is none.
    var endOfDocumentText: String? { get }
}

/// Cuts many texts into tokens, on one thread.
public protocol TokenEncoder: AnyObject {
    /// Whether a text may be given in parts that begin with a space behind a visible ASCII character.
    var isCutBeforeSpaces: Bool { get }

    /// Cuts a text, or a part of one, into tokens, as the tokenizer's own `encode` does.
    ///
    /// - Parameters:
    ///   - text: any text, up to `longestTextBytes`.
    ///   - isContinued: whether it continues the text of the last call; only if
    ///     `isCutBeforeSpaces`, and at such a place.
    /// - Returns: ids from 0 to the tokenizer's `vocabularyCount - 1`; those of the parts, one after the
    ///   other, are those of the whole.
    /// - Throws: `TokenizerError.failed` if the text cannot be encoded.
    func encode(_ text: String, isContinued: Bool) throws(TokenizerError) -> [Int32]
}

extension TokenEncoder {
    /// Cuts a text into tokens, as the tokenizer's own `encode` does.
    ///
    /// - Parameter text: any text, up to `longestTextBytes`.
    /// - Returns: ids from 0 to the tokenizer's `vocabularyCount - 1`.
    /// - Throws: `TokenizerError.failed` if the text cannot be encoded.
    public func encode(_ text: String) throws(TokenizerError) -> [Int32] {
        try encode(text, isContinued: false)
    }
}

/// The text or bytes of a token.
public enum TokenSurface: Sendable, Equatable {
    /// Whole characters.
    case text(String)
    /// Bytes of UTF-8; a character may begin or end in a neighbouring token.
    case bytes([UInt8])
    /// The text shown for characters that the vocabulary does not have.
    case placeholder(String)
    /// Nothing: a control token.
    case nothing

    /// UTF-8 bytes of text that the token stands for; 0 where the text is not known.
    public var textByteCount: Int {
        switch self {
        case .text(let text): text.utf8.count
        case .bytes(let bytes): bytes.count
        case .placeholder, .nothing: 0
        }
    }
}

/// The way in which the texts of tokens become one text.
public struct TokenJoining: Sendable, Equatable {
    /// The treatment of spaces at the start of the text.
    public enum LeadingSpaces: Sendable {
        case kept
        /// The first token loses one space.
        case firstDropped
        /// The first token with other characters, and all before it, lose one space each.
        case allDropped
    }

    /// The replacement of bytes that are not UTF-8.
    public enum Replacement: Sendable {
        /// One U+FFFD for every byte.
        case everyByte
        /// One U+FFFD for every longest start of a character, as the Unicode standard recommends.
        case everySequence
    }

    /// The treatment of spaces at the start of the text.
    public let leadingSpaces: LeadingSpaces
    /// The replacement of bytes that are not UTF-8.
    public let replacement: Replacement
}

extension Tokenizer {
    /// An encoder for the documents of a corpus, if no text is taken for the token that ends one.
    ///
    /// - Returns: an encoder that gives the ids of `encode`.
    public func makeDocumentEncoder() -> any TokenEncoder { makeEncoder() }

    /// No text is taken for the token that ends a document.
    public var endOfDocumentText: String? { nil }

    /// The id that ends every document in shards.
    ///
    /// - Returns: the id of the end-of-sequence token.
    /// - Throws: `TokenizerError.missingPiece` if there is none.
    public func requireEndOfDocumentID() throws(TokenizerError) -> Int32 {
        guard let id = eosID else { throw .missingPiece(path: path, piece: "end-of-sequence") }
        return id
    }
}
