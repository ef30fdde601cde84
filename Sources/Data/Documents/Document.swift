import FalconSystem

/// A place in a file.
public enum DocumentPlace: Sendable, Equatable, CustomStringConvertible {
    /// A line of the decompressed file, from 1.
    case line(Int)
    /// A row of a Parquet file, from 1.
    case row(Int)

    /// "line 3".
    public var description: String {
        switch self {
        case .line(let number): "line \(number)"
        case .row(let number): "row \(number)"
        }
    }
}

/// One text to learn from, and where it came from.
public struct Document: Sendable, Equatable {
    /// The text.
    public let text: String
    /// The file, or "standard input".
    public let path: String
    /// Where it begins; nil where the whole file is the document.
    public let place: DocumentPlace?
}

/// A document as it was read: bytes that may yet turn out not to be valid.
///
/// Reading is quick and keeps order; `text()` does the slow part and can run on any thread.
public struct RawDocument: Sendable {
    /// The file, or "standard input".
    public let path: String
    /// Where it begins; nil where the whole file is the document.
    public let place: DocumentPlace?
    /// The document's bytes: its text, or one line of JSON.
    public let bytes: [UInt8]
    /// The field that holds the text; nil if the bytes are the text.
    let field: String?
    /// Whether the file was taken for JSON lines because of its first bytes alone.
    var isGuessed = false
    /// The reason why there is no text; then there are no bytes.
    var problem: String?
    /// Its place in the whole input, which the reader knows.
    var position = DocumentPosition()

    /// Checks and takes out the text.
    ///
    /// - Returns: the text exactly as written; only a byte order mark at a file's start is dropped.
    /// - Throws: `DataError.invalidDocument` for bytes that are not UTF-8, for a line that is
    ///   not a JSON object with a string in the field, and for a row without a text.
    public func text() throws(DataError) -> String {
        if let problem { throw .invalidDocument(path: path, place: place, reason: problem) }
        guard let field else {
            guard let text = String(validating: bytes, as: UTF8.self) else { throw invalidUTF8() }
            return text
        }
        var reader = JSONLine(bytes)
        do {
            return try reader.text(ofField: field)
        } catch {
            if firstInvalidByte(of: bytes[...]) != nil { throw invalidUTF8() }
            var reason = error.message
            if let offset = error.offset {
                reason = "not a JSON object on one line: byte \(offset) of the line: \(reason)"
            }
            if isGuessed { reason += "; if the file is one text, say --format text" }
            throw .invalidDocument(path: path, place: place, reason: reason)
        }
    }

    private func invalidUTF8() -> DataError {
        let offset = firstInvalidByte(of: bytes[...]) ?? 0
        let hex = hexadecimal([bytes[offset]])
        var place = place
        if field == nil, case .line(let line) = place ?? .line(1) {
            // A text has many lines: count the newlines before the bad byte.
            place = .line(line + bytes[..<offset].count { $0 == 0x0A })
        }
        return .invalidDocument(
            path: path, place: place,
            reason: "not UTF-8: byte 0x\(hex) at offset \(offset) of the "
                + (field == nil ? "text" : "line"))
    }
}

/// The first place where bytes are not UTF-8; nil if all are.
func firstInvalidByte(of bytes: ArraySlice<UInt8>) -> Int? {
    var first = bytes.startIndex
    while first < bytes.endIndex {
        let length =
            switch bytes[first] {
            case 0..<0x80: 1
            case 0xC2..<0xE0: 2
            case 0xE0..<0xF0: 3
            case 0xF0..<0xF5: 4
            default: 0
            }
        let end = first + length
        guard length > 0, end <= bytes.endIndex,
            length == 1 || String(validating: bytes[first..<end], as: UTF8.self) != nil
        else { return first }
        first = end
    }
    return nil
}
