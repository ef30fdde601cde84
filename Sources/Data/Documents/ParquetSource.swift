import FalconParquet
import FalconSystem

/// The documents of one Parquet file: a column of its rows.
final class ParquetSource: DocumentSource {
    /// Bytes that tell a Parquet file from a text that begins as one.
    private static let lookaheadBytes = 512

    private let reader: ParquetReader
    private let column: String
    private let documentLimit: Int
    private var row = 0

    var path: String { reader.path }
    var byteCount: Int { reader.position }
    let isOfText = false
    let hasSeparator = false

    /// - Parameters:
    ///   - file: an open file, not a pipe.
    ///   - column: the column that holds the texts.
    ///   - documentLimit: bytes of the largest document.
    /// - Throws: `DataError.unreadableParquet`; `FileError`.
    init(_ file: InputFile, column: String, documentLimit: Int) throws {
        self.column = column
        self.documentLimit = documentLimit
        do {
            reader = try ParquetReader(file, column: column, valueLimitBytes: documentLimit)
        } catch let error as ParquetError {
            throw DataError.unreadableParquet(error)
        }
    }

    func next() throws -> RawDocument? {
        guard let value = try nextValue() else { return nil }
        row += 1
        let place = DocumentPlace.row(row)
        switch value {
        case .bytes(let bytes):
            return RawDocument(path: path, place: place, bytes: bytes, field: nil)
        case .null:
            return RawDocument(
                path: path, place: place, bytes: [], field: nil,
                problem: "column \"\(column)\" is not a string but null")
        case .tooLarge:
            throw DataError.documentTooLarge(path: path, place: place, limitBytes: documentLimit)
        }
    }

    private func nextValue() throws -> ParquetValue? {
        do {
            return try reader.next()
        } catch let error as ParquetError {
            throw DataError.unreadableParquet(error)
        }
    }

    /// Reads to the end.
    ///
    /// - Throws: `DataError.unreadableParquet`; `FileError`.
    func requireIntact() throws {
        while try nextValue() != nil {}
    }
}

// What is taken for Parquet.
extension ParquetSource {
    /// Whether bytes begin a Parquet file.
    ///
    /// - Parameter start: the first bytes of a file, at least 512 of them if it has as many.
    /// - Returns: false for a text that begins with the same letters.
    static func isBegun(by start: ArraySlice<UInt8>) -> Bool {
        (start.starts(with: ParquetReader.magic)
            || start.starts(with: ParquetReader.encryptedMagic))
            && !ForeignFile.isText(start)
    }

    /// Whether a file is to be read as Parquet: it begins as such a file does, or it is said to be one.
    ///
    /// - Parameters:
    ///   - file: an open file; where it stands is not moved.
    ///   - format: the format asked for, or `auto`.
    ///   - told: the format that the name tells.
    /// - Returns: false for pipes, which cannot be read from their end, and for compressed files.
    /// - Throws: `FileError` if it cannot be read.
    static func isParquet(
        _ file: InputFile, format: DocumentFormat, told: DocumentFormat?
    ) throws(FileError) -> Bool {
        guard let byteCount = file.byteCount, format == .auto || format == .parquet else {
            return false
        }
        let start = try file.bytes(at: 0, count: min(lookaheadBytes, byteCount))
        if Compression(start: start) != nil { return false }
        return format == .parquet || told == .parquet || isBegun(by: start[...])
    }
}
