/// Turns tokens into text one by one, as they are generated.
///
/// The output is whole UTF-8 at any moment, and all of it together equals `decode` of all
/// tokens: a character spelled in several byte pieces waits until it is whole, and spaces at the
/// start of pieces are kept.
public struct StreamingDecoder: Sendable {
    private let tokenizer: any Tokenizer
    private let joining: TokenJoining
    private var pendingBytes: [UInt8] = []
    private var hasText = false
    private var prefixIsDone: Bool

    /// A decoder at the start of a text.
    ///
    /// - Parameters:
    ///   - tokenizer: the tokenizer that the ids belong to.
    ///   - continuesText: whether text stands before the first token, so that a leading space which
    ///     the tokenizer puts before every text must not be taken away.
    public init(_ tokenizer: any Tokenizer, continuesText: Bool = false) {
        self.tokenizer = tokenizer
        joining = tokenizer.joining
        prefixIsDone = continuesText || joining.leadingSpaces == .kept
    }

    /// Takes the next token.
    ///
    /// - Parameter id: a token id.
    /// - Returns: the text that is now certain; it may be empty.
    /// - Throws: `TokenizerError.tokenOutOfRange` for an id outside the vocabulary.
    public mutating func append(_ id: Int32) throws(TokenizerError) -> String {
        guard id >= 0 && id < tokenizer.vocabularyCount else {
            throw .tokenOutOfRange(id: id, vocabularyCount: tokenizer.vocabularyCount)
        }
        switch tokenizer.surface(of: id) {
        case .bytes(let bytes):
            pendingBytes += bytes
            return emit(wholeCharacters(isLast: false))
        case .text(let surface):
            var text = emit(wholeCharacters(isLast: true))
            text += emit(withoutPrefix(surface))
            return text
        case .placeholder(let surface):
            var text = emit(wholeCharacters(isLast: true))
            text += emit(surface)
            return text
        case .nothing:
            // Among bytes, a token without text is not there at all.
            return joining.replacement == .everySequence
                ? "" : emit(wholeCharacters(isLast: true))
        }
    }

    /// Ends the text.
    ///
    /// - Returns: the waiting bytes of a character that never became whole, as U+FFFD.
    public mutating func finish() -> String { emit(wholeCharacters(isLast: true)) }

    private mutating func emit(_ text: String) -> String {
        if !text.isEmpty { hasText = true }
        return text
    }

    private mutating func withoutPrefix(_ text: String) -> String {
        if hasText { prefixIsDone = true }
        guard !prefixIsDone, text.unicodeScalars.first == " " else { return text }
        // With extra spaces removed, all pieces of spaces at the start are dropped.
        if joining.leadingSpaces != .allDropped { prefixIsDone = true }
        return String(text.unicodeScalars.dropFirst())
    }

    /// Takes whole characters from the waiting bytes; bytes that cannot be part of one are U+FFFD.
    private mutating func wholeCharacters(isLast: Bool) -> String {
        if pendingBytes.isEmpty { return "" }
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
                rest = rest.dropFirst(
                    joining.replacement == .everyByte ? 1 : badPrefixCount(candidate))
            }
        }
        pendingBytes = Array(rest)
        return text
    }

    /// The length in bytes of the longest prefix that may begin a valid character, at least 1.
    private func badPrefixCount(_ bytes: ArraySlice<UInt8>) -> Int {
        var count = 1
        while count < bytes.count, couldGoOn(bytes.prefix(count + 1)) { count += 1 }
        return count
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
