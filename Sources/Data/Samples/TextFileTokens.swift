import FalconSystem
import FalconTokenizer

/// Streams the tokens of a text file that is one document, as `CorpusTokenizer` would write them.
///
/// A byte order mark at the start is dropped, and the token that ends a document comes last. Memory holds
/// a few mebibytes where the tokenizer's texts may be cut before spaces; else the whole text, up to
/// `DocumentReader.documentLimitBytes`.
public final class TextFileTokens {
    private let partBytes: Int
    private let file: InputFile
    private let encoder: any TokenEncoder
    private let endOfDocumentID: Int32
    private var buffer: [UInt8] = []
    private var isStarted = false
    private var isAtEnd = false
    private var isFinished = false
    private var offset = 0
    /// Up to here there is no place to cut at.
    private var searched = 0

    /// Opens a file.
    ///
    /// - Parameters:
    ///   - path: UTF-8 text: a file, pipe or device.
    ///   - tokenizer: must have an end-of-sequence piece.
    ///   - partBytes: bytes that are encoded at a time, if they can be cut off.
    /// - Throws: `FileError` if it cannot be opened; `DataError` for a file that is not text;
    ///   `TokenizerError` without an end-of-sequence piece.
    public init(path: String, tokenizer: any Tokenizer, partBytes: Int = 1 << 20) throws {
        self.partBytes = partBytes
        endOfDocumentID = try tokenizer.requireEndOfDocumentID()
        encoder = tokenizer.makeDocumentEncoder()
        file = try InputFile(RawPath(argument: path))
        while buffer.count < 512, try fill() {}
        if ParquetSource.isBegun(by: buffer[...]) {
            throw DataError.unreadableText(
                path: file.path, reason: "it is a Parquet file; take one text out of it first")
        }
        if let kind = ForeignFile.told(by: buffer[...], mayHaveZeros: true) {
            throw DataError.unreadableText(
                path: file.path, reason: "it is \(kind.name); \(kind.advice)")
        }
        if buffer.starts(with: [0xEF, 0xBB, 0xBF]) {
            buffer.removeFirst(3)
            offset = 3
        }
    }

    /// The next tokens.
    ///
    /// - Returns: at least one; nil after the last ones, and for an empty file at once.
    /// - Throws: `FileError` if reading fails, `DataError` for bytes that are not UTF-8, and for a text
    ///   that can neither be cut nor be held; `TokenizerError` if it cannot be encoded.
    public func next() throws -> [Int32]? {
        while !isFinished {
            while buffer.count < partBytes, try fill() {}
            var end = buffer.count
            while !isAtEnd {
                if encoder.isCutBeforeSpaces, let cut = lastCut() {
                    end = cut
                    break
                }
                let limit = DocumentReader.documentLimitBytes
                guard buffer.count <= limit else {
                    throw DataError.unreadableText(
                        path: file.path,
                        reason: "there is no space to cut it at in \(limit) bytes; split the file")
                }
                _ = try fill()
                end = buffer.count
            }
            let part = buffer[..<end]
            guard let text = String(validating: part, as: UTF8.self) else {
                let place = firstInvalidByte(of: part) ?? 0
                throw DataError.unreadableText(
                    path: file.path,
                    reason: "not UTF-8: byte 0x\(hexadecimal([part[place]])) at offset "
                        + "\(offset + place); correct it")
            }
            var tokens = try encoder.encode(text, isContinued: isStarted)
            isStarted = isStarted || !text.isEmpty
            buffer.removeFirst(end)
            searched = 0
            offset += end
            if isAtEnd && buffer.isEmpty {
                isFinished = true
                if isStarted { tokens.append(endOfDocumentID) }
            }
            if !tokens.isEmpty { return tokens }
        }
        return nil
    }

    private func fill() throws(FileError) -> Bool {
        let more = try file.read(upTo: byteStreamChunk)
        buffer += more
        isAtEnd = more.isEmpty
        return !isAtEnd
    }

    /// The last place with a space behind a visible character of the ASCII.
    private func lastCut() -> Int? {
        var place = buffer.count - 1
        while place > max(0, searched) {
            if buffer[place] == 0x20, (0x21...0x7E).contains(buffer[place - 1]) { return place }
            place -= 1
        }
        searched = buffer.count - 1
        return nil
    }
}
