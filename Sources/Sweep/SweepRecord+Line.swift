import FalconSystem

extension SweepRecord {
    private static let digestKey = "check"
    private static let digestLength = 8

    /// The beginning of the SHA-256 of the record as JSON.
    var digest: String { get throws { Self.digest(of: try jsonText(self)) } }

    private static func digest(of text: String) -> String {
        var digest = SHA256()
        digest.update(text)
        return String(digest.finalizeHex().prefix(digestLength))
    }

    /// The record as a line of `results.jsonl`: JSON that ends with a digest of what stands before it.
    ///
    /// - Returns: without a line break.
    /// - Throws: what encoding throws.
    func line() throws -> String {
        let text = try jsonText(self)
        return text.dropLast() + Self.ending(Self.digest(of: text))
    }

    private static func ending(_ digest: String) -> String { ",\"\(digestKey)\":\"\(digest)\"}" }

    /// Reads a line of `results.jsonl`.
    ///
    /// - Parameter line: without its line break; one without a digest is taken as it is.
    /// - Throws: what decoding throws; `SweepError.damagedLine` if it is not what was written.
    public init(line: some Collection<UInt8>) throws {
        self = try decodedJSON(SweepRecord.self, from: line)
        let bytes = Array(line)
        let length = Self.ending(String(repeating: "0", count: Self.digestLength)).utf8.count
        guard bytes.count > length else { return }
        let end = String(decoding: bytes.suffix(length), as: UTF8.self)
        guard end.hasPrefix(",\"\(Self.digestKey)\"") else { return }
        let text = String(decoding: bytes.dropLast(length), as: UTF8.self) + "}"
        guard end == Self.ending(Self.digest(of: text)) else { throw SweepError.damagedLine }
    }
}
