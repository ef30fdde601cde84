/// The arrangement of documents in a file.
public enum DocumentFormat: String, Sendable, CaseIterable {
    /// Chosen by the first bytes and the file's name; a file that they do not decide is refused.
    case auto
    /// The whole file is one document.
    case text
    /// One JSON object per line, ended by byte 0x0A only, with the text in one field.
    case jsonl
    /// A Parquet file, with a text in one column of each row.
    case parquet

    static let textEndings = [".txt", ".text", ".md", ".markdown", ".rst"]
    static let jsonlEndings = [".jsonl", ".ndjson", ".json", ".jl", ".jsonlines"]
    static let parquetEndings = [".parquet", ".parq"]
    static let knownEndings = textEndings + jsonlEndings + parquetEndings

    /// The format that a name tells, below the ending of a compression; nil if it tells none.
    static func ofFile(named name: String) -> DocumentFormat? {
        var name = name.lowercased()
        for kind in Compression.allCases where name.hasSuffix(kind.ending) {
            name.removeLast(kind.ending.count)
        }
        if textEndings.contains(where: name.hasSuffix) { return .text }
        if jsonlEndings.contains(where: name.hasSuffix) { return .jsonl }
        if parquetEndings.contains(where: name.hasSuffix) { return .parquet }
        return nil
    }
}

/// The kind of a file by its first bytes, decompressed and without a byte order mark.
enum FileStart: Equatable {
    /// A line that is a JSON object, or begins as one and continues behind the bytes looked at.
    case jsonLine
    /// A line that begins as a JSON object does, and is none.
    case nearlyJSONLine
    /// JSON, but not one object per line; its kind.
    case otherJSON(String)
    case text
    /// Nothing but blanks.
    case blank

    /// The most bytes that are looked at.
    static let lookaheadBytes = 1 << 18

    /// - Parameter start: the first bytes of a file: the first line that is not blank, or so many that
    ///   there is no need to see its end.
    init(_ start: ArraySlice<UInt8>) {
        guard let first = start.firstIndex(where: { !Self.isBlank($0) }) else {
            self = .blank
            return
        }
        let second = start[(first + 1)...].first { !Self.isBlank($0) }
        let lineEnd = start[first...].firstIndex(of: 0x0A)
        func fault() -> JSONLineFault? {
            var line = JSONLine(Array(start[first..<(lineEnd ?? start.endIndex)]))
            do throws(JSONLineFault) { try line.skipWhole() } catch { return error }
            return nil
        }
        switch (start[first], second) {
        case (UInt8(ascii: "{"), UInt8(ascii: "\"")), (UInt8(ascii: "{"), UInt8(ascii: "}")):
            switch (fault(), lineEnd) {
            case (nil, _): self = .jsonLine
            case (.some(let fault), nil): self = fault.isCutShort ? .jsonLine : .nearlyJSONLine
            case (.some(let fault), _):
                self =
                    fault.isCutShort
                    ? .otherJSON("a JSON object over several lines") : .nearlyJSONLine
            }
        case (UInt8(ascii: "["), UInt8(ascii: "{")): self = .otherJSON("a list of JSON objects")
        case (UInt8(ascii: "["), UInt8(ascii: "\"")), (UInt8(ascii: "["), UInt8(ascii: "]")):
            self = fault()?.isCutShort ?? true ? .otherJSON("a JSON list") : .text
        default: self = .text
        }
    }

    /// Whether more bytes could change what is said.
    static func isUndecided(_ start: ArraySlice<UInt8>) -> Bool {
        guard start.count < lookaheadBytes else { return false }
        guard let first = start.firstIndex(where: { !isBlank($0) }) else { return true }
        // A file of another kind is known by its first 512 bytes.
        if start.count < 512 { return true }
        return (start[first] == UInt8(ascii: "{") || start[first] == UInt8(ascii: "["))
            && !start[first...].contains(0x0A)
    }

    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D
    }
}

/// A kind of file that is not text, recognised by its first bytes.
struct ForeignFile: Equatable {
    /// "an Arrow file".
    let name: String
    /// The advice in messages.
    let advice: String

    private init(_ name: String, _ advice: String) {
        self.name = name
        self.advice = advice
    }

    private static let unpack = "unpack it, and give the files in it"
    private static let decompress = "decompress it, or compress it with gzip, zstd, bzip2 or xz"
    private static let toLines =
        "convert it to JSON lines first, one object with the text per line"
    private static let toUTF8 = "convert it to UTF-8 first (iconv -f "

    private static let magic: [(place: Int, bytes: [UInt8], kind: ForeignFile)] = [
        (0, [0xFF, 0xFE, 0, 0], .init("UTF-32", toUTF8 + "UTF-32 -t UTF-8)")),
        (0, [0, 0, 0xFE, 0xFF], .init("UTF-32", toUTF8 + "UTF-32 -t UTF-8)")),
        (0, [0xFF, 0xFE], .init("UTF-16", toUTF8 + "UTF-16 -t UTF-8)")),
        (0, [0xFE, 0xFF], .init("UTF-16", toUTF8 + "UTF-16 -t UTF-8)")),
        (0, Array("ARROW1".utf8), .init("an Arrow file", toLines)),
        (0, Array("Obj\u{1}".utf8), .init("an Avro file", toLines)),
        (0, Array("SQLite format 3".utf8), .init("an SQLite database", toLines)),
        (0, [0x89, 0x48, 0x44, 0x46], .init("an HDF5 file", toLines)),
        (0, [0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59], .init("a NumPy file", toLines)),
        (257, Array("ustar".utf8), .init("a tar archive", unpack)),
        (0, [0x50, 0x4B, 0x03, 0x04], .init("a zip archive", unpack)),
        (0, [0x50, 0x4B, 0x05, 0x06], .init("a zip archive", unpack)),
        (0, [0x37, 0x7A, 0xBC, 0xAF], .init("a 7z archive", unpack)),
        (0, Array("Rar!".utf8), .init("a RAR archive", unpack)),
        (0, [0x04, 0x22, 0x4D, 0x18], .init("an lz4 file", decompress)),
        (0, [0x5D, 0, 0], .init("an lzma file", decompress)),
        // Inside of another one.
        (0, [0x1F, 0x8B], .init("compressed twice", unpack)),
        (0, [0x28, 0xB5, 0x2F, 0xFD], .init("compressed twice", unpack)),
        (0, [0xFD, 0x37, 0x7A, 0x58, 0x5A], .init("compressed twice", unpack)),
        (0, Array("BZh".utf8), .init("compressed twice", unpack)),
        (0, Array("%PDF-".utf8), .init("a PDF file", "take its text out first")),
        (0, Array("GGUF".utf8), .init("a GGUF model", "give files of text")),
        (0, [0x7F, 0x45, 0x4C, 0x46], .init("a program", "give files of text")),
    ]

    /// The kind of file that begins like this.
    ///
    /// - Parameters:
    ///   - start: the first bytes of a file, at least 512 of them if it has as many.
    ///   - mayHaveZeros: whether zeros may stand in it for themselves.
    /// - Returns: nil for what may be text. Names of kinds that are text themselves count only where text
    ///   cannot be: with bytes that are not UTF-8, or zeros.
    static func told(by start: ArraySlice<UInt8>, mayHaveZeros: Bool) -> ForeignFile? {
        let zero = start.firstIndex(of: 0)
        let isText = isText(start)
        for (place, bytes, kind) in magic where !isText {
            if start.dropFirst(place).starts(with: bytes) { return kind }
        }
        guard let zero else { return nil }
        if let name = wideCharacters(start) { return .init(name, toUTF8 + name + " -t UTF-8)") }
        return mayHaveZeros
            ? nil
            : .init(
                "not text: byte \(zero - start.startIndex) is zero",
                "take it as one document anyway with --format text")
    }

    /// Whether bytes can be the start of a text.
    static func isText(_ start: ArraySlice<UInt8>) -> Bool {
        !start.contains(0) && isUTF8(start)
    }

    /// Text of the ASCII in 16 bits has a zero in every second byte, without a mark at its start.
    private static func wideCharacters(_ start: ArraySlice<UInt8>) -> String? {
        let sample = start.prefix(512)
        guard sample.count >= 8 else { return nil }
        var zeros = [0, 0]
        for (place, byte) in sample.enumerated() where byte == 0 { zeros[place & 1] += 1 }
        let half = sample.count / 2
        if zeros[1] >= half && zeros[0] * 4 < half { return "UTF-16LE" }
        if zeros[0] >= half && zeros[1] * 4 < half { return "UTF-16BE" }
        return nil
    }

    /// Whether bytes are UTF-8; a character may be cut at the end of many.
    private static func isUTF8(_ bytes: ArraySlice<UInt8>) -> Bool {
        let mostCut = bytes.count < 512 ? 0 : 3
        for cut in 0...mostCut where String(validating: bytes.dropLast(cut), as: UTF8.self) != nil {
            return true
        }
        return false
    }
}
