/// A JSON value whose objects keep the order of their keys.
///
/// Files of weights need more than a decoder gives: a header with a duplicate key must be refused,
/// and the bytes written must be the same every time.
public enum JSONValue: Equatable, Sendable {
    case null
    case bool(Bool)
    /// A number written without fraction or exponent that fits 64 bits.
    case integer(Int)
    /// Any other number.
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object(JSONObject)
}

/// The members of a JSON object, in the order of the file.
///
/// Keys are the same only if their bytes are: Swift's strings are also equal when they merely look the
/// same ("e" with an accent in one code point or two), which a tokenizer's pieces must not be.
public struct JSONObject: Equatable, Sendable, ExpressibleByDictionaryLiteral {
    /// The keys in order; no key occurs twice.
    public private(set) var keys: [String] = []
    private var values: [[UInt8]: JSONValue] = [:]

    /// An object without members.
    public init() {}

    /// An object with the given members, in that order.
    ///
    /// - Parameter elements: keys and values; a key that occurs twice keeps its last value.
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        for (key, value) in elements { self[key] = value }
    }

    /// The value of a key; setting a new key appends it, setting nil removes it.
    public subscript(key: String) -> JSONValue? {
        get { values[Array(key.utf8)] }
        set {
            let bytes = Array(key.utf8)
            if newValue == nil {
                if values[bytes] != nil { keys.removeAll { $0.utf8.elementsEqual(bytes) } }
            } else if values[bytes] == nil {
                keys.append(key)
            }
            values[bytes] = newValue
        }
    }

    /// The keys with their values, in order.
    public var members: [(key: String, value: JSONValue)] {
        keys.compactMap { key in self[key].map { (key, $0) } }
    }
}

extension JSONValue {
    /// The members, if this is an object.
    public var object: JSONObject? { if case .object(let value) = self { value } else { nil } }

    /// The elements, if this is an array.
    public var array: [JSONValue]? { if case .array(let value) = self { value } else { nil } }

    /// The text, if this is a string.
    public var string: String? { if case .string(let value) = self { value } else { nil } }

    /// The value, if this is true or false.
    public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }

    /// The value, if this is a whole number of at most 64 bits, also when written as `8.0`.
    public var integer: Int? {
        switch self {
        case .integer(let value): value
        case .number(let value): Int(exactly: value)
        default: nil
        }
    }

    /// The value, if this is a number, or the object `{"__float__": "Infinity"}` that Hugging Face
    /// transformers 5 writes for one that JSON cannot express.
    public var number: Double? {
        switch self {
        case .integer(let value): return Double(value)
        case .number(let value): return value
        case .object(let object) where object.keys == ["__float__"]:
            switch object["__float__"] {
            case .string("Infinity"): return .infinity
            case .string("-Infinity"): return -.infinity
            case .string("NaN"): return .nan
            default: return nil
            }
        default: return nil
        }
    }

    /// A word for the kind of value, for messages.
    public var kindName: String {
        switch self {
        case .null: "null"
        case .bool: "true or false"
        case .integer, .number: "a number"
        case .string: "a string"
        case .array: "a list"
        case .object: "an object"
        }
    }
}

extension JSONValue {
    /// The value as text.
    ///
    /// Numbers that are not finite become `{"__float__": "Infinity"}`, as transformers 5 writes them.
    ///
    /// - Parameter indentation: blanks per level, one member per line; nil for one line, no blanks.
    /// - Returns: JSON in UTF-8; only quotes, backslashes and control characters are escaped.
    public func serialized(indentation: Int? = nil) -> String {
        var bytes: [UInt8] = []
        append(to: &bytes, indentation: indentation, depth: 0)
        return String(decoding: bytes, as: UTF8.self)
    }

    private func append(to bytes: inout [UInt8], indentation: Int?, depth: Int) {
        switch self {
        case .null: bytes += "null".utf8
        case .bool(let value): bytes += (value ? "true" : "false").utf8
        case .integer(let value): bytes += String(value).utf8
        case .number(let value):
            if value.isFinite {
                bytes += value.description.utf8
            } else {
                let name = value.isNaN ? "NaN" : value > 0 ? "Infinity" : "-Infinity"
                JSONValue.object(["__float__": .string(name)])
                    .append(to: &bytes, indentation: indentation, depth: depth)
            }
        case .string(let value): Self.appendQuoted(value, to: &bytes)
        case .array(let values):
            Self.appendList(
                values, brackets: ("[", "]"), to: &bytes, indentation: indentation, depth: depth
            ) { value, bytes in
                value.append(to: &bytes, indentation: indentation, depth: depth + 1)
            }
        case .object(let object):
            Self.appendList(
                object.members, brackets: ("{", "}"), to: &bytes, indentation: indentation,
                depth: depth
            ) { member, bytes in
                Self.appendQuoted(member.key, to: &bytes)
                bytes += (indentation == nil ? ":" : ": ").utf8
                member.value.append(to: &bytes, indentation: indentation, depth: depth + 1)
            }
        }
    }

    private static func appendList<Element>(
        _ elements: [Element], brackets: (String, String), to bytes: inout [UInt8],
        indentation: Int?, depth: Int, element: (Element, inout [UInt8]) -> Void
    ) {
        bytes += brackets.0.utf8
        for (index, value) in elements.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            appendLineBreak(to: &bytes, indentation: indentation, depth: depth + 1)
            element(value, &bytes)
        }
        if !elements.isEmpty { appendLineBreak(to: &bytes, indentation: indentation, depth: depth) }
        bytes += brackets.1.utf8
    }

    private static func appendLineBreak(to bytes: inout [UInt8], indentation: Int?, depth: Int) {
        guard let indentation else { return }
        bytes.append(UInt8(ascii: "\n"))
        bytes += [UInt8](repeating: UInt8(ascii: " "), count: indentation * depth)
    }

    private static func appendQuoted(_ text: String, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""): bytes += "\\\"".utf8
            case UInt8(ascii: "\\"): bytes += "\\\\".utf8
            case 0x08: bytes += "\\b".utf8
            case 0x09: bytes += "\\t".utf8
            case 0x0A: bytes += "\\n".utf8
            case 0x0C: bytes += "\\f".utf8
            case 0x0D: bytes += "\\r".utf8
            case 0..<0x20:
                let digits = String(byte, radix: 16)
                bytes += ("\\u" + String(repeating: "0", count: 4 - digits.count) + digits).utf8
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}
