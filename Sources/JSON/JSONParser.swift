/// Text that is not the JSON that was wanted, and where.
public struct JSONError: Error, Equatable, CustomStringConvertible, Sendable {
    /// The problem.
    public let message: String
    /// The byte at which it was noticed, counted from 0.
    public let offset: Int

    /// A fault.
    ///
    /// - Parameters:
    ///   - message: the problem.
    ///   - offset: the byte at which it was noticed, counted from 0.
    public init(message: String, offset: Int) {
        self.message = message
        self.offset = offset
    }

    /// The message for a person.
    public var description: String { "not valid JSON at byte \(offset): \(message)" }
}

extension JSONValue {
    /// The deepest nesting that is read; deeper text is refused instead of exhausting the stack.
    static let deepestNesting = 64

    /// Reads JSON text.
    ///
    /// Stricter than most readers in one way (a key may not occur twice in an object) and wider in
    /// another (`Infinity`, `-Infinity` and `NaN` are numbers, as Python writes them).
    ///
    /// - Parameter bytes: UTF-8 text; white space around the value and a byte order mark before it are
    ///   allowed, nothing more.
    /// - Throws: `JSONError` with the place of the first fault.
    public init(parsing bytes: [UInt8]) throws(JSONError) {
        var parser = JSONParser(bytes: bytes)
        self = try parser.parseDocument()
    }

    /// Reads JSON text.
    ///
    /// - Parameter text: as for `init(parsing:)` of bytes.
    /// - Throws: `JSONError` with the place of the first fault.
    public init(parsing text: String) throws(JSONError) {
        try self.init(parsing: Array(text.utf8))
    }

    /// Reads one string in a longer text.
    ///
    /// - Parameters:
    ///   - bytes: UTF-8 text.
    ///   - place: the place of the quotation mark before the string.
    /// - Returns: the text in the quotation marks, escapes resolved.
    /// - Throws: `JSONError` with the place of the first fault.
    public static func string(in bytes: [UInt8], at place: Int) throws(JSONError) -> String {
        var parser = JSONParser(bytes: bytes)
        parser.position = place
        return try parser.parseString()
    }
}

/// A recursive-descent reader of JSON.
private struct JSONParser {
    let bytes: [UInt8]
    var position = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    mutating func parseDocument() throws(JSONError) -> JSONValue {
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
        // Every JSON text begins with two characters of the ASCII, or one and a blank.
        let start = bytes.prefix(2)
        if start == [0xFF, 0xFE] || start == [0xFE, 0xFF]
            || start.count == 2 && (start[0] == 0) != (start[1] == 0)
        {
            throw fault("UTF-16 or UTF-32, want UTF-8: convert it with iconv")
        }
        let value = try parseValue(depth: 0)
        skipBlanks()
        guard position == bytes.count else { throw fault("text after the end of the value") }
        return value
    }

    private func fault(_ message: String) -> JSONError {
        JSONError(message: message, offset: position)
    }

    private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipBlanks() {
        while let byte = next, byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D {
            position += 1
        }
    }

    private mutating func skip(_ character: Unicode.Scalar) -> Bool {
        guard next == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    private mutating func skip(word: String) -> Bool {
        let letters = Array(word.utf8)
        guard bytes.count - position >= letters.count,
            bytes[position..<position + letters.count].elementsEqual(letters)
        else { return false }
        position += letters.count
        return true
    }

    private mutating func parseValue(depth: Int) throws(JSONError) -> JSONValue {
        guard depth <= JSONValue.deepestNesting else {
            throw fault("nested deeper than \(JSONValue.deepestNesting) levels")
        }
        skipBlanks()
        switch next {
        case UInt8(ascii: "{"): return try .object(parseObject(depth: depth))
        case UInt8(ascii: "["): return try .array(parseArray(depth: depth))
        case UInt8(ascii: "\""): return try .string(parseString())
        case nil: throw fault("the text ends where a value is expected")
        default: break
        }
        if skip(word: "true") { return .bool(true) }
        if skip(word: "false") { return .bool(false) }
        if skip(word: "null") { return .null }
        if skip(word: "NaN") { return .number(.nan) }
        if skip(word: "Infinity") { return .number(.infinity) }
        if skip(word: "-Infinity") { return .number(-.infinity) }
        return try parseNumber()
    }

    private mutating func parseObject(depth: Int) throws(JSONError) -> JSONObject {
        var object = JSONObject()
        position += 1
        skipBlanks()
        if skip("}") { return object }
        while true {
            skipBlanks()
            guard next == UInt8(ascii: "\"") else { throw fault("expected a key in quotes") }
            let key = try parseString()
            guard object[key] == nil else { throw fault("the key \"\(key)\" occurs twice") }
            skipBlanks()
            guard skip(":") else { throw fault("expected ':' after the key \"\(key)\"") }
            object[key] = try parseValue(depth: depth + 1)
            skipBlanks()
            if skip("}") { return object }
            guard skip(",") else { throw fault("expected ',' or '}'") }
        }
    }

    private mutating func parseArray(depth: Int) throws(JSONError) -> [JSONValue] {
        var values: [JSONValue] = []
        position += 1
        skipBlanks()
        if skip("]") { return values }
        while true {
            values.append(try parseValue(depth: depth + 1))
            skipBlanks()
            if skip("]") { return values }
            guard skip(",") else { throw fault("expected ',' or ']'") }
        }
    }

    private mutating func parseNumber() throws(JSONError) -> JSONValue {
        let start = position
        var isWhole = true
        _ = skip("-")
        let firstDigit = position
        try skipDigits()
        if bytes[firstDigit] == UInt8(ascii: "0"), position > firstDigit + 1 {
            throw fault("a number may not start with 0")
        }
        if skip(".") {
            isWhole = false
            try skipDigits()
        }
        if skip("e") || skip("E") {
            isWhole = false
            if !skip("+") { _ = skip("-") }
            try skipDigits()
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if isWhole, let value = Int(text) { return .integer(value) }
        guard let value = Double(text) else { throw fault("cannot read the number \(text)") }
        return .number(value)
    }

    private mutating func skipDigits() throws(JSONError) {
        let start = position
        while let byte = next, (0x30...0x39).contains(byte) { position += 1 }
        guard position > start else { throw fault("expected a value or a digit") }
    }

    mutating func parseString() throws(JSONError) -> String {
        position += 1
        var text: [UInt8] = []
        while let byte = next {
            position += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let string = String(validating: text, as: UTF8.self) else {
                    throw fault("a string that is not UTF-8")
                }
                return string
            case UInt8(ascii: "\\"): try appendEscape(to: &text)
            case 0..<0x20: throw fault("a control character in a string")
            default: text.append(byte)
            }
        }
        throw fault("the text ends inside a string")
    }

    private mutating func appendEscape(to text: inout [UInt8]) throws(JSONError) {
        guard let byte = next else { throw fault("the text ends inside a string") }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            let start = position - 2
            var units = [try parseHexadecimalUnit()]
            if UTF16.isLeadSurrogate(units[0]), skip(word: "\\u") {
                units.append(try parseHexadecimalUnit())
            }
            guard let string = String(validating: units, as: UTF16.self) else {
                let digits = String(decoding: bytes[start..<start + 6], as: UTF8.self)
                throw JSONError(
                    message: "\(digits) is one half of a surrogate pair without the other, "
                        + "which no text can hold", offset: start)
            }
            text += string.utf8
        default:
            throw JSONError(message: "an unknown escape in a string", offset: position - 2)
        }
    }

    private mutating func parseHexadecimalUnit() throws(JSONError) -> UInt16 {
        guard bytes.count - position >= 4 else { throw fault("the text ends inside a string") }
        var unit: UInt16 = 0
        for byte in bytes[position..<position + 4] {
            guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue, byte < 0x80 else {
                throw fault("expected four hexadecimal digits after \\u")
            }
            unit = unit << 4 | UInt16(digit)
        }
        position += 4
        return unit
    }
}
