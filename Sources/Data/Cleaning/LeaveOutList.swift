import FalconJSON
import FalconSystem

/// A list of documents to leave out because they are like earlier ones, as `DuplicateSearch` writes it.
///
/// The first line is a JSON object: what the list is of. Then a line for each document, in the order of the input,
/// of seven numbers: file from 0, line or row from 1 (0 for a whole file), which of those that begin there from 0;
/// the same of the document that is kept; and 63 bits of the SHA-256 of the first one's bytes. The last line counts
/// them and holds the SHA-256 of all before.
public struct LeaveOutList: Sendable {
    /// The first line.
    struct Header: Codable, Equatable, Sendable {
        static let formatName = "falcon-leave-out"

        private(set) var format = formatName
        private(set) var version = 1
        /// Which documents count as the same.
        let by: String
        /// Only of near duplicates.
        let parameters: MinHash.Parameters?
        let input: PartSettings.Input
        let cleaning: DocumentCleaning.Settings
        let skipsBadDocuments: Bool

        enum CodingKeys: String, CodingKey {
            case format, version, by, parameters, input, cleaning
            case skipsBadDocuments = "skip_bad_documents"
        }
    }

    private static let endWord = "end"

    /// The file.
    public let path: String
    /// Documents in it.
    public let count: Int
    /// The SHA-256 of the list.
    let digest: String
    let header: Header
    /// The folder of a list that is only for one run: gone with the last copy of this.
    private let scratch: Scratch?

    /// Opens a list and checks that it is whole.
    ///
    /// - Parameter path: the file.
    /// - Throws: `FileError`; `DataError.unreadableText` if it is no such list, or not whole.
    public init(path: String) throws { try self.init(path: path, scratch: nil) }

    init(path: String, scratch: Scratch?) throws {
        (self.path, self.scratch) = (path, scratch)
        func bad(_ reason: String) -> DataError {
            .unreadableText(
                path: path, reason: reason + "; write it again with falcon data duplicates")
        }
        var lines = LineReader(try InputFile(path: path))
        guard let first = try lines.next(),
            let header = try? decodedJSON(Header.self, from: Array(first)),
            header.format == Header.formatName
        else { throw bad("not a list of documents to leave out") }
        guard header.version == 1 else {
            throw bad("version \(header.version) of its format, want 1")
        }
        var digest = SHA256()
        digest.update(Array(first) + [0x0A])
        var count = 0
        var last: [UInt8]?
        while let line = try lines.next() {
            if let last {
                digest.update(last + [0x0A])
                count += 1
            }
            last = Array(line)
        }
        let sum = digest.finalizeHex()
        guard let last, String(decoding: last, as: UTF8.self) == "\(Self.endWord) \(count) \(sum)"
        else { throw bad("cut short or changed: its last line does not fit the others") }
        (self.header, self.count, self.digest) = (header, count, sum)
    }

    /// A folder that is removed with the last reference to it.
    final class Scratch: @unchecked Sendable {
        // - Invariant: nothing reads it but the end of its life.
        private let folder: AtomicFolder

        init(_ folder: consuming AtomicFolder) { self.folder = folder }
    }

    /// Checks that the list is of some input and settings.
    ///
    /// - Throws: `DataError.otherInput` with the differences.
    func check(
        _ input: PartSettings.Input, _ cleaning: DocumentCleaning.Settings, skipsBadDocuments: Bool
    ) throws {
        var differences = header.input.differences(from: input, comparingSkipping: false)
        differences += header.cleaning.differences(from: cleaning)
        if header.skipsBadDocuments != skipsBadDocuments {
            differences.append(
                "--skip-bad-documents is \(header.skipsBadDocuments), want \(skipsBadDocuments)")
        }
        guard differences.isEmpty else {
            throw DataError.otherInput(path: path, differences: differences)
        }
    }

    /// Follows the list beside the documents.
    ///
    /// - Parameter files: those that will be read.
    /// - Returns: a cursor before their first document.
    /// - Throws: `FileError` or `DataError.unreadableText` if the list cannot be read.
    func cursor(of files: Range<Int>) throws -> Cursor { try Cursor(self, files) }

    /// Says of documents that come in order whether they are in the list.
    struct Cursor {
        private let path: String
        private let files: Range<Int>
        private var lines: LineReader
        private var left: Int
        private var next: Entry?

        /// A document of the list.
        private struct Entry {
            let document: DocumentPosition
            let kept: DocumentPosition
            let digest: Int
        }

        fileprivate init(_ list: LeaveOutList, _ files: Range<Int>) throws {
            path = list.path
            self.files = files
            lines = LineReader(try InputFile(path: list.path))
            left = list.count
            _ = try lines.next()
            repeat { try advance() } while next.map { $0.document.file < files.lowerBound } ?? false
        }

        /// The document that is kept instead of one; nil if that one is not in the list.
        ///
        /// - Parameter document: behind those that were asked for before.
        /// - Returns: the position of that document.
        /// - Throws: `DataError.unreadableText` if a document of the list was not among them, or is another.
        mutating func kept(insteadOf document: RawDocument) throws -> DocumentPosition? {
            guard let found = next, found.document <= document.position else { return nil }
            guard found.document == document.position,
                found.digest == DocumentDigest(of: document.bytes).short
            else { throw missing(found.document) }
            try advance()
            return found.kept
        }

        /// Checks that all documents of the files that are in the list were there.
        ///
        /// - Throws: `DataError.unreadableText` if one was not.
        func finish() throws {
            if let next, next.document.file < files.upperBound { throw missing(next.document) }
        }

        private func missing(_ document: DocumentPosition) -> DataError {
            .unreadableText(
                path: path,
                reason: "names a document in line \(document.line) of input file "
                    + "\(document.file + 1), which is not there, or is another: the files have changed "
                    + "since; write it again with falcon data duplicates")
        }

        private mutating func advance() throws {
            next = nil
            guard left > 0, let line = try lines.next() else { return }
            left -= 1
            var numbers: [Int] = []
            for word in line.split(separator: 0x20) {
                var number = 0
                for byte in word { number = number &* 10 &+ Int(byte) - 0x30 }
                numbers.append(number)
            }
            guard numbers.count == 7 else {
                throw DataError.unreadableText(
                    path: path, reason: "a line is not of seven numbers")
            }
            next = Entry(
                document: DocumentPosition(file: numbers[0], line: numbers[1], copy: numbers[2]),
                kept: DocumentPosition(file: numbers[3], line: numbers[4], copy: numbers[5]),
                digest: numbers[6])
        }
    }
}

/// Writes a list.
struct LeaveOutListWriter: ~Copyable {
    private static let bufferBytes = 1 << 16

    private var file: AtomicFile
    private var digest = SHA256()
    private var buffer: [UInt8] = []
    private var count = 0

    /// Begins a list; it appears when it is whole.
    init(path: String) throws { file = try AtomicFile(path: path) }

    /// Writes the first line.
    mutating func begin(_ header: LeaveOutList.Header) throws { try line(jsonText(header)) }

    /// Writes a document.
    mutating func append(
        _ document: PositionTable.Entry, insteadOfIt kept: DocumentPosition
    ) throws {
        try line("\(document.position) \(kept) \(document.digest)")
        count += 1
    }

    /// Writes the last line and gives the file its name.
    consuming func commit() throws {
        try flush()
        var finished = SHA256()
        swap(&finished, &digest)
        try file.write("end \(count) \(finished.finalizeHex())\n")
        try file.commit()
    }

    private mutating func line(_ text: String) throws {
        buffer += Array(text.utf8)
        buffer.append(0x0A)
        if buffer.count >= Self.bufferBytes { try flush() }
    }

    private mutating func flush() throws {
        digest.update(buffer)
        try file.write(buffer)
        buffer.removeAll(keepingCapacity: true)
    }
}

/// Reads the lines of a file without their ends.
private struct LineReader {
    private static let longestLine = 1 << 20
    private let file: InputFile
    private var buffer: ArraySlice<UInt8> = []
    private var isAtEnd = false

    init(_ file: InputFile) { self.file = file }

    mutating func next() throws -> ArraySlice<UInt8>? {
        while true {
            if let end = buffer.firstIndex(of: 0x0A) {
                defer { buffer = buffer[(end + 1)...] }
                return buffer[..<end]
            }
            if isAtEnd {
                defer { buffer = [] }
                return buffer.isEmpty ? nil : buffer
            }
            let more = try file.read(upTo: 1 << 16)
            isAtEnd = more.isEmpty
            guard buffer.count <= Self.longestLine else {
                throw DataError.unreadableText(
                    path: file.path,
                    reason: "not a list of documents to leave out: a line is too long")
            }
            buffer = (Array(buffer) + more)[...]
        }
    }
}
