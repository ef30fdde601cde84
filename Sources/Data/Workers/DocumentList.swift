import FalconSystem

/// The lengths of a split's documents in order, beside the shards of a part.
///
/// Eight bytes a document, little-endian: its tokens, the one that ends it included, and the UTF-8 bytes of its text.
/// Shards alone do not tell where a document ends or how long its text was.
enum DocumentList {
    static let bytesPerDocument = 8

    /// The name of the file.
    static func name(_ split: Split) -> String { "\(split.rawValue).documents" }
}

/// Writes such a list.
final class DocumentListWriter {
    private static let bufferBytes = 1 << 16
    private var file: AtomicFile?
    private var buffer: [UInt8] = []

    /// - Parameters:
    ///   - folder: an existing folder.
    ///   - split: gives the list its name.
    /// - Throws: `FileError` if it cannot be created.
    init(folder: String, split: Split) throws(FileError) {
        file = try AtomicFile(path: "\(folder)/\(DocumentList.name(split))")
    }

    /// Appends a document; both numbers fit in 32 bits, as a document has at most 64 MiB.
    func append(tokens: Int, textBytes: Int) throws(FileError) {
        for number in [UInt32(tokens), UInt32(textBytes)] {
            appendLittleEndian(number, to: &buffer)
        }
        if buffer.count >= Self.bufferBytes { try flush() }
    }

    /// Ends the list.
    func finish() throws(FileError) {
        try flush()
        try file.take()?.commit()
    }

    private func flush() throws(FileError) {
        try file?.write(buffer)
        buffer.removeAll(keepingCapacity: true)
    }
}

/// Reads such a list in order.
struct DocumentListReader {
    private let file: InputFile
    private var buffer: ArraySlice<UInt8> = []

    /// - Parameters:
    ///   - folder: the folder of the part.
    ///   - split: which list.
    /// - Throws: `FileError` if it cannot be opened.
    init(folder: String, split: Split) throws(FileError) {
        file = try InputFile(path: "\(folder)/\(DocumentList.name(split))")
    }

    /// The lengths of the next document; nil after the last one.
    mutating func next() throws(FileError) -> (tokens: Int, textBytes: Int)? {
        while buffer.count < DocumentList.bytesPerDocument {
            let more = try file.read(upTo: 1 << 16)
            if more.isEmpty { return nil }
            buffer = (Array(buffer) + more)[...]
        }
        let bytes = Array(buffer.prefix(DocumentList.bytesPerDocument))
        buffer = buffer.dropFirst(DocumentList.bytesPerDocument)
        return (Int(littleEndianUInt32(bytes, at: 0)), Int(littleEndianUInt32(bytes, at: 4)))
    }
}
