import FalconSystem

/// The positions of the documents that were read, in a file: 32 bytes each.
struct PositionTable {
    private static let entryBytes = 32

    /// A document.
    struct Entry {
        let position: DocumentPosition
        /// UTF-8 bytes of its text.
        let textBytes: Int
        /// Tells it from others: of the bytes that were read.
        let digest: Int
    }

    private static let bufferBytes = 1 << 16

    private let path: String
    private var buffer: [UInt8] = []
    /// Documents so far.
    private(set) var count = 0

    /// An empty table.
    ///
    /// - Parameter path: the file; made when it is needed, and removed by its owner.
    init(path: String) { self.path = path }

    /// Appends a document.
    mutating func append(_ entry: Entry) throws {
        appendLittleEndian(UInt32(entry.position.file), to: &buffer)
        appendLittleEndian(UInt32(entry.position.copy), to: &buffer)
        appendLittleEndian(UInt64(entry.position.line), to: &buffer)
        appendLittleEndian(UInt64(entry.textBytes), to: &buffer)
        appendLittleEndian(UInt64(entry.digest), to: &buffer)
        count += 1
        if buffer.count >= Self.bufferBytes { try flush() }
    }

    /// Opens the table for reading; nothing is appended afterwards.
    mutating func reader() throws -> Reader {
        try flush()
        return Reader(count: count, file: count == 0 ? nil : try InputFile(path: path))
    }

    private mutating func flush() throws {
        if buffer.isEmpty { return }
        try appendToFile(path: path, buffer)
        buffer.removeAll(keepingCapacity: true)
    }

    /// Reads the table at any place, best in order.
    struct Reader {
        let count: Int
        fileprivate let file: InputFile?
        private var buffer: [UInt8] = []
        private var start = 0

        fileprivate init(count: Int, file: InputFile?) { (self.count, self.file) = (count, file) }

        /// A document, read with those behind it.
        mutating func entry(_ number: Int) throws -> Entry {
            let offset = number * entryBytes
            if offset < start || offset + entryBytes > start + buffer.count {
                start = offset
                buffer = try bytes(at: offset, count: bufferBytes / entryBytes * entryBytes)
            }
            return try Self.decoded(buffer, at: offset - start)
        }

        /// The position of a document far from others.
        func position(_ number: Int) throws -> DocumentPosition {
            let bytes = try bytes(at: number * entryBytes, count: entryBytes)
            return try Self.decoded(bytes, at: 0).position
        }

        private func bytes(at offset: Int, count: Int) throws -> [UInt8] {
            try file?.bytes(at: offset, count: count) ?? []
        }

        private static func decoded(_ bytes: [UInt8], at offset: Int) throws -> Entry {
            precondition(offset + entryBytes <= bytes.count, "PositionTable: no such document")
            func number(_ place: Int) -> Int { Int(littleEndianUInt32(bytes, at: offset + place)) }
            return Entry(
                position: DocumentPosition(
                    file: number(0), line: number(8) | number(12) << 32, copy: number(4)),
                textBytes: number(16) | number(20) << 32, digest: number(24) | number(28) << 32)
        }
    }
}
