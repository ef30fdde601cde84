/// The kinds of characters that pre-tokenizers tell apart.
///
/// They are those of the programs that tokenizers are trained and published with, down to their versions
/// of Unicode: a character that is younger is not yet a letter to them.
///
/// - SeeAlso: Hugging Face tokenizers 0.23.3; compared there over all characters.
struct ScalarClass: OptionSet {
    let rawValue: UInt8

    /// `\p{L}` of the regular expressions.
    static let letter = ScalarClass(rawValue: 1)
    /// `\p{N}` of the regular expressions.
    static let number = ScalarClass(rawValue: 2)
    /// `\s` of the regular expressions.
    static let space = ScalarClass(rawValue: 4)
    /// The characters at which the pre-tokenizer Digits cuts.
    static let digit = ScalarClass(rawValue: 8)
    /// The characters at which the pre-tokenizer Punctuation cuts.
    static let punctuation = ScalarClass(rawValue: 16)

    /// The classes of a code point.
    static func of(_ value: UInt32) -> ScalarClass {
        if value < 0x80 { return ofASCII(value) }
        return value < 0x10000 ? basicPlane[Int(value)] : computed(value)
    }

    /// The same for most of all characters, without a table.
    private static func ofASCII(_ value: UInt32) -> ScalarClass {
        if (value | 0x20) &- 0x61 < 26 { return .letter }
        if value &- 0x30 < 10 { return [.number, .digit] }
        if value == 0x20 || value &- 0x09 < 5 { return .space }
        return value > 0x20 && value < 0x7F ? .punctuation : []
    }

    private static let basicPlane: [ScalarClass] = (0..<0x10000).map(computed)

    /// The same from Unicode's properties.
    static func computed(_ value: UInt32) -> ScalarClass {
        guard let scalar = Unicode.Scalar(value) else { return [] }
        let properties = scalar.properties
        let age = properties.age.map { $0.major } ?? .max
        var classes: ScalarClass = properties.isWhitespace ? .space : []
        switch properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter:
            if age <= 16 { classes.insert(.letter) }
        case .decimalNumber, .letterNumber, .otherNumber:
            classes.insert(.digit)
            if age <= 16 { classes.insert(.number) }
        case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation,
            .initialPunctuation, .finalPunctuation, .otherPunctuation:
            // The version of Unicode that Punctuation's table was made from.
            if age <= 8 { classes.insert(.punctuation) }
        default:
            // ASCII's "$+<=>^`|~", and two characters that have changed their category since.
            let isSymbol = value < 0x80 && value > 0x20 && value < 0x7F
            if isSymbol || value == 0x166D || value == 0x111C9 { classes.insert(.punctuation) }
        }
        return classes
    }
}
