/// A single value as written: its text, and the meaning of the text by YAML 1.2's core rules.
///
/// `yes`, `on` and numbers with leading zeros are text; digits may be grouped with underscores.
struct RecipeScalar: Sendable {
    enum Kind: Sendable, Equatable {
        case null
        case truth(Bool)
        case integer
        /// A number with a point or an exponent; it may still be whole: `1.0e8`.
        case decimal
        /// A spelling of infinity or "not a number".
        case notFinite
        case text
    }

    /// The text, without quotes.
    let text: String
    let isQuoted: Bool
    let kind: Kind

    init(text: String, isQuoted: Bool) {
        self.text = text
        self.isQuoted = isQuoted
        kind = isQuoted ? .text : Self.kind(of: text)
    }

    /// The digits of a number, without underscores and plus signs; nil if this is not a number.
    var number: String? {
        guard kind == .integer || kind == .decimal else { return nil }
        return text.filter { $0 != "_" && $0 != "+" }
    }

    private static func kind(of text: String) -> Kind {
        switch text {
        case "", "~", "null", "Null", "NULL": return .null
        case "true", "True", "TRUE": return .truth(true)
        case "false", "False", "FALSE": return .truth(false)
        default: break
        }
        let unsigned = text.first == "-" || text.first == "+" ? text.dropFirst() : text[...]
        switch unsigned.lowercased() {
        case ".inf", ".nan", "inf", "nan", "infinity": return .notFinite
        default: return numberKind(of: Array(unsigned.utf8))
        }
    }

    /// Reads `digits [. digits] [e [sign] digits]`; before a point the digits may be missing.
    private static func numberKind(of bytes: [UInt8]) -> Kind {
        var position = 0
        func skipDigits() -> Int {
            let start = position
            while position < bytes.count,
                isDigit(bytes[position]) || bytes[position] == UInt8(ascii: "_")
            {
                position += 1
            }
            return position - start
        }
        if bytes.first == UInt8(ascii: "_") { return .text }
        let whole = skipDigits()
        if whole > 1, bytes[0] == UInt8(ascii: "0") { return .text }
        if whole > 0, position == bytes.count { return .integer }
        var fraction = 0
        if position < bytes.count, bytes[position] == UInt8(ascii: ".") {
            position += 1
            fraction = skipDigits()
        }
        guard whole + fraction > 0 else { return .text }
        if position < bytes.count, bytes[position] | 0x20 == UInt8(ascii: "e") {
            position += 1
            if position < bytes.count,
                bytes[position] == UInt8(ascii: "-") || bytes[position] == UInt8(ascii: "+")
            {
                position += 1
            }
            guard skipDigits() > 0 else { return .text }
        }
        return position == bytes.count ? .decimal : .text
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
}
