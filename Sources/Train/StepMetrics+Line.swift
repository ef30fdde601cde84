import FalconSystem

/// Why a line of `metrics.jsonl` is not what was written.
public struct DamagedLine: Error, CustomStringConvertible {
    /// The message for a person.
    public var description: String { "its check does not fit: a byte has changed" }
}

/// Lines of `metrics.jsonl`: JSON whose last key is the beginning of the SHA-256 of the object without
/// that key, so that a digit that has changed is noticed.
///
/// Lines without the key, of earlier versions or by hand, are taken as they are.
extension StepMetrics {
    private static let checkStart = Array(",\"check\":\"".utf8)
    private static let checkEnd = Array("\"}".utf8)
    /// Hexadecimal digits: one changed line in four billion is not noticed.
    private static let digitCount = 8

    /// The line with the line break that ends it.
    func line() throws -> [UInt8] {
        let object = Array(try jsonText(self).utf8)
        return object.dropLast() + Self.checkStart + Self.check(of: object) + Self.checkEnd + [0x0A]
    }

    /// Reads a line.
    ///
    /// - Parameter line: of `metrics.jsonl`, without the line break.
    /// - Throws: `DamagedLine` if it has changed since it was written; a decoding error that names the key.
    public init(line: some Collection<UInt8>) throws {
        let bytes = Array(line)
        let start = bytes.count - Self.checkStart.count - Self.digitCount - Self.checkEnd.count
        if start > 0, bytes[start...].starts(with: Self.checkStart), bytes.last == 0x7D {
            let digits = bytes[(start + Self.checkStart.count)...].prefix(Self.digitCount)
            guard digits.elementsEqual(Self.check(of: bytes[..<start] + [0x7D])) else {
                throw DamagedLine()
            }
        }
        self = try decodedJSON(StepMetrics.self, from: bytes)
    }

    private static func check(of object: [UInt8]) -> [UInt8] {
        Array(SHA256.hex(of: object).utf8.prefix(digitCount))
    }

    private static func check(of object: ArraySlice<UInt8>) -> [UInt8] { check(of: Array(object)) }
}
