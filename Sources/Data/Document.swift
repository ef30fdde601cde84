import FalconSystem
import FoundationEssentials

/// One text to learn from, and where it came from.
public struct Document: Sendable, Equatable {
    /// The text.
    public let text: String
    /// The file, or "standard input".
    public let path: String
    /// The line in the decompressed file, from 1; nil where the whole file is the document.
    public let line: Int?
}

/// How documents lie in a file.
public enum DocumentFormat: String, Sendable, CaseIterable {
    /// Told by the file's name; on standard input by the first byte: `{` means jsonl.
    case auto
    /// The whole file is one document.
    case text
    /// One JSON object a line, ended by byte 0x0A only, with the text in one field.
    case jsonl

    static let textEndings = [".txt", ".text", ".md", ".markdown", ".rst"]
    static let jsonlEndings = [".jsonl", ".ndjson", ".json"]
    static let knownEndings = textEndings + jsonlEndings

    /// The format that a name tells, below `.gz` or `.zst`; nil if it tells none.
    static func ofFile(named name: String) -> DocumentFormat? {
        var name = name.lowercased()
        for ending in [".gz", ".zst"] where name.hasSuffix(ending) {
            name.removeLast(ending.count)
        }
        if textEndings.contains(where: name.hasSuffix) { return .text }
        if jsonlEndings.contains(where: name.hasSuffix) { return .jsonl }
        return nil
    }
}

/// A document as it was read: bytes that may yet turn out not to be valid.
///
/// Reading is quick and keeps order; `text()` does the slow part and can run on any thread.
public struct RawDocument: Sendable {
    /// The file, or "standard input".
    public let path: String
    /// The line in the decompressed file, from 1; nil where the whole file is the document.
    public let line: Int?
    /// The document's bytes: its text, or one line of JSON.
    public let bytes: [UInt8]
    /// The field that holds the text; nil if the bytes are the text.
    let field: String?

    /// Checks and takes out the text.
    ///
    /// - Returns: the text exactly as written; only a byte order mark at a file's start is dropped.
    /// - Throws: `DataError.invalidDocument` for bytes that are not UTF-8, and for a line that is
    ///   not a JSON object with a string in the field.
    public func text() throws(DataError) -> String {
        guard let field else {
            guard let text = String(validating: bytes, as: UTF8.self) else { throw invalidUTF8() }
            return text
        }
        let decoder = JSONDecoder()
        decoder.userInfo[TextField.nameKey] = field
        do {
            return try decoder.decode(TextField.self, from: Data(bytes)).text
        } catch let error as DecodingError {
            if firstInvalidByte != nil { throw invalidUTF8() }
            throw .invalidDocument(path: path, line: line, reason: reason(of: error))
        } catch {
            throw .invalidDocument(path: path, line: line, reason: "not a JSON object: \(error)")
        }
    }

    private func invalidUTF8() -> DataError {
        let offset = firstInvalidByte ?? 0
        let hex = hexadecimal([bytes[offset]])
        // A whole file has no line number yet: count the newlines before the bad byte.
        let line = self.line ?? bytes[..<offset].count { $0 == 0x0A } + 1
        return .invalidDocument(
            path: path, line: line,
            reason: "not UTF-8: byte 0x\(hex) at offset \(offset) of the "
                + (self.line == nil ? "text" : "line"))
    }

    /// Where the bytes stop being UTF-8; nil if they are UTF-8 to the end.
    private var firstInvalidByte: Int? {
        var first = 0
        while first < bytes.count {
            let length =
                switch bytes[first] {
                case 0..<0x80: 1
                case 0xC2..<0xE0: 2
                case 0xE0..<0xF0: 3
                case 0xF0..<0xF5: 4
                default: 0
                }
            let end = first + length
            guard length > 0, end <= bytes.count,
                length == 1 || String(validating: bytes[first..<end], as: UTF8.self) != nil
            else { return first }
            first = end
        }
        return nil
    }

    private func reason(of error: DecodingError) -> String {
        switch error {
        case .keyNotFound(_, let context): return context.debugDescription
        case .typeMismatch(_, let context), .valueNotFound(_, let context):
            return context.codingPath.isEmpty
                ? "not a JSON object" : "field \"\(field ?? "")\" is not a string"
        case .dataCorrupted(let context):
            let detail = context.underlyingError.map { ": \($0)" } ?? ""
            return "not a JSON object on one line\(detail)"
        @unknown default:
            return "not a JSON object"
        }
    }
}

/// One string field of a JSON object; its name comes with the decoder.
private struct TextField: Decodable {
    static let nameKey: CodingUserInfoKey = {
        guard let key = CodingUserInfoKey(rawValue: "field") else {
            preconditionFailure("CodingUserInfoKey refuses a plain name")
        }
        return key
    }()

    let text: String

    struct Name: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    init(from decoder: any Decoder) throws {
        let field = decoder.userInfo[Self.nameKey] as? String ?? ""
        let object = try decoder.container(keyedBy: Name.self)
        let name = Name(stringValue: field)
        guard object.contains(name) else {
            let present = object.allKeys.map(\.stringValue).sorted().joined(separator: ", ")
            throw DecodingError.keyNotFound(
                name,
                .init(
                    codingPath: [],
                    debugDescription: "no field \"\(field)\" (there is: \(present)); "
                        + "name the right one with --field"))
        }
        text = try object.decode(String.self, forKey: name)
    }
}
