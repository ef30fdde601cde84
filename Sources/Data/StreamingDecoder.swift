/// Turns tokens into text one by one, as they are generated.
///
/// What comes out is whole UTF-8 at any moment, and all of it together equals `decode` of all
/// tokens: a character spelled in several byte pieces waits until it is whole, and spaces at the
/// start of pieces are kept.
public struct StreamingDecoder: Sendable {
    private let tokenizer: SentencePieceTokenizer
    private let stripsPrefix: Bool
    private var pendingBytes: [UInt8] = []
    private var hasText = false
    private var prefixIsDone: Bool

    /// A decoder at the start of a text.
    ///
    /// - Parameters:
    ///   - tokenizer: the tokenizer that the ids belong to.
    ///   - continuesText: whether text stands before the first token, so that a leading space which
    ///     the tokenizer puts before every text must not be taken away.
    public init(_ tokenizer: SentencePieceTokenizer, continuesText: Bool = false) {
        self.tokenizer = tokenizer
        let model = tokenizer.model
        stripsPrefix = model.addsDummyPrefix || model.removesExtraWhitespaces
        prefixIsDone = continuesText
    }

    /// Takes the next token.
    ///
    /// - Parameter id: a token id.
    /// - Returns: the text that is now certain; it may be empty.
    /// - Throws: `DataError.tokenOutOfRange` for an id outside the vocabulary.
    public mutating func append(_ id: Int32) throws(DataError) -> String {
        guard id >= 0 && id < tokenizer.vocabularyCount else {
            throw .tokenOutOfRange(id: id, vocabularyCount: tokenizer.vocabularyCount)
        }
        let piece = tokenizer.model.pieces[Int(id)]
        if piece.kind == .byte, let byte = Self.byte(of: piece.text) {
            pendingBytes.append(byte)
            return emit(wholeCharacters(isLast: false))
        }
        var text = emit(wholeCharacters(isLast: true))
        text += emit(surface(of: piece))
        return text
    }

    /// Ends the text.
    ///
    /// - Returns: what was waiting: bytes of a character that never became whole, as U+FFFD.
    public mutating func finish() -> String { emit(wholeCharacters(isLast: true)) }

    private mutating func emit(_ text: String) -> String {
        if !text.isEmpty { hasText = true }
        return text
    }

    private mutating func surface(of piece: SentencePieceModel.Piece) -> String {
        if hasText { prefixIsDone = true }
        switch piece.kind {
        case .control: return ""
        case .unknown: return tokenizer.model.unknownSurface
        default: break
        }
        var characters = piece.text.unicodeScalars[...]
        if stripsPrefix && !prefixIsDone && characters.first == "\u{2581}" {
            characters = characters.dropFirst()
            // With extra spaces removed, all pieces of spaces at the start are dropped.
            if !tokenizer.model.removesExtraWhitespaces { prefixIsDone = true }
        }
        var text = String.UnicodeScalarView()
        text.append(contentsOf: characters.map { $0 == "\u{2581}" ? " " : $0 })
        return String(text)
    }

    /// Takes whole characters from the waiting bytes; each byte that cannot be part of one is
    /// U+FFFD, as in the library.
    private mutating func wholeCharacters(isLast: Bool) -> String {
        var text = ""
        var rest = pendingBytes[...]
        while let first = rest.first {
            let length =
                switch first {
                case 0..<0x80: 1
                case 0xC2..<0xE0: 2
                case 0xE0..<0xF0: 3
                case 0xF0..<0xF5: 4
                default: 0
                }
            let candidate = rest.prefix(length)
            if length > 0, candidate.count == length,
                let character = String(validating: candidate, as: UTF8.self)
            {
                text += character
                rest = rest.dropFirst(length)
            } else if !isLast && length > candidate.count && couldGoOn(candidate) {
                break
            } else {
                text += "\u{FFFD}"
                rest = rest.dropFirst()
            }
        }
        pendingBytes = Array(rest)
        return text
    }

    /// Whether bytes may be the start of a valid character: the rules of Unicode's table 3-7.
    private func couldGoOn(_ start: ArraySlice<UInt8>) -> Bool {
        guard let first = start.first else { return true }
        for (offset, byte) in start.dropFirst().enumerated() {
            let allowed: ClosedRange<UInt8> =
                switch (offset, first) {
                case (0, 0xE0): 0xA0...0xBF
                case (0, 0xED): 0x80...0x9F
                case (0, 0xF0): 0x90...0xBF
                case (0, 0xF4): 0x80...0x8F
                default: 0x80...0xBF
                }
            if !allowed.contains(byte) { return false }
        }
        return true
    }

    /// The value of a byte piece: "<0x0A>" is 10.
    static func byte(of piece: String) -> UInt8? {
        guard piece.hasPrefix("<0x"), piece.hasSuffix(">") else { return nil }
        return UInt8(piece.dropFirst(3).dropLast(), radix: 16)
    }
}
