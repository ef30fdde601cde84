import FalconJSON
import FalconSystem

/// Lines of JSON whose last key is the beginning of the SHA-256 of the object without that key, so that a
/// digit that has changed is noticed.
///
/// Lines without the key, of earlier versions or by hand, are taken as they are.
public enum CheckedLine {
    /// A line that is not what was written.
    public struct Damaged: Error, CustomStringConvertible {
        /// The message for a person.
        public var description: String { "its check does not fit: a byte has changed" }
    }

    private static let start = Array(",\"check\":\"".utf8)
    private static let end = Array("\"}".utf8)
    /// Hexadecimal digits: one changed line in four billion is not noticed.
    private static let digitCount = 8

    /// The line of a value.
    ///
    /// - Parameter value: one that is encoded as an object with at least one key.
    /// - Returns: the bytes, without a line break.
    /// - Throws: what encoding throws.
    public static func bytes(of value: some Encodable) throws -> [UInt8] {
        bytes(ofObject: Array(try jsonText(value).utf8))
    }

    /// The line of an object that is text already.
    ///
    /// - Parameter object: a JSON object with at least one key.
    /// - Returns: the bytes, without a line break.
    public static func bytes(ofObject object: [UInt8]) -> [UInt8] {
        object.dropLast() + start + digits(of: object) + end
    }

    /// The value of a line.
    ///
    /// - Parameters:
    ///   - type: what to read.
    ///   - line: without its line break.
    /// - Returns: the value.
    /// - Throws: `Damaged` if the line has changed since it was written; a decoding error that names the key.
    public static func decoded<Value: Decodable>(
        _ type: Value.Type, from line: some Collection<UInt8>
    ) throws -> Value {
        let bytes = Array(line)
        guard isIntact(bytes) else { throw Damaged() }
        return try decodedJSON(type, from: bytes)
    }

    /// Whether a line is as it was written, as far as its check says.
    ///
    /// - Parameter bytes: without a line break.
    /// - Returns: true for lines without a check.
    public static func isIntact(_ bytes: [UInt8]) -> Bool {
        let place = bytes.count - start.count - digitCount - end.count
        guard place > 0, bytes[place...].starts(with: start), bytes.suffix(end.count) == end[...]
        else { return true }
        let found = bytes[(place + start.count)...].prefix(digitCount)
        return found.elementsEqual(digits(of: bytes[..<place] + [UInt8(ascii: "}")]))
    }

    /// The check of a value: the same for values that are encoded as the same text.
    ///
    /// - Parameter value: anything that can be encoded.
    /// - Returns: hexadecimal digits.
    /// - Throws: what encoding throws.
    public static func check(of value: some Encodable) throws -> String {
        String(decoding: digits(of: Array(try jsonText(value).utf8)), as: UTF8.self)
    }

    private static func digits(of object: [UInt8]) -> [UInt8] {
        Array(SHA256.hex(of: object).utf8.prefix(digitCount))
    }
}
