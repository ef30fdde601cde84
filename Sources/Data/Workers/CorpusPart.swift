import FalconJSON
import FalconSystem

/// The part of a data set that one worker wrote: a folder that is a data set of its own, with what a merge needs.
///
/// Beside shards, `index.json` and tokenizer lie `part.json`, the lengths of the documents of each split, and, if no
/// document was held out, the texts of the last ones (`ValidationTail`).
struct CorpusPart: Sendable {
    /// The contents of `part.json`.
    struct Record: Codable, Equatable {
        /// A file of the part but the shards, which `index.json` describes.
        struct File: Codable, Equatable {
            let bytes: Int
            let sha256: String
        }

        static let formatName = "falcon-data-part"

        private(set) var format = formatName
        private(set) var version = 1
        let number: Int
        let count: Int
        let settings: PartSettings
        let counts: CorpusTokenizer.Progress
        /// Documents whose texts are kept.
        let tailDocuments: Int
        let files: [String: File]
        /// The SHA-256 of the JSON of all this, with an empty text here.
        fileprivate(set) var digest = ""

        enum CodingKeys: String, CodingKey {
            case format, version, number, count, settings, counts, files
            case tailDocuments = "tail_documents"
            case digest = "part_sha256"
        }

        func computedDigest() throws -> String {
            var record = self
            record.digest = ""
            return SHA256.hex(of: Array(try jsonText(record).utf8))
        }

        func encoded() throws -> [UInt8] {
            Array((try jsonText(self, isPretty: true) + "\n").utf8)
        }
    }

    /// The name of the file that describes a part.
    static let fileName = "part.json"
    /// The name of the texts of the last documents.
    static let tailName = "tail.texts"

    /// The folder of the part.
    let path: String
    /// Of which worker it is.
    let share: InputShare
    /// The description.
    let record: Record

    /// The folder of all parts of a data set, beside it.
    static func folder(of dataset: String) -> String {
        let name = withoutTrailingSlashes(dataset)
        let last = name.split(separator: "/").last
        return (last == "." || last == ".." ? canonicalPath(name) : name) + ".parts"
    }

    /// The folder of a part.
    static func path(of share: InputShare, of dataset: String) -> String {
        folder(of: dataset) + "/" + share.folderName
    }

    /// Opens a part, and looks whether its files are as long as they were.
    ///
    /// - Parameters:
    ///   - share: of which worker.
    ///   - path: its folder.
    /// - Throws: `PartError.damaged`; `FileError` if the system does not let it be read.
    init(_ share: InputShare, path: String) throws {
        (self.path, self.share) = (path, share)
        do {
            record = try Self.record(of: share, path: path)
            for (name, file) in record.files.sorted(by: { $0.key < $1.key }) {
                let got = RawPath("\(path)/\(name)").byteCount
                guard got == file.bytes else {
                    throw DataError.unreadableText(
                        path: "\(path)/\(name)",
                        reason: got.map { "\($0) bytes long, want \(file.bytes)" } ?? "missing")
                }
            }
            _ = try TokenDataset(path: path)
        } catch {
            throw PartError.damage(error, path: path, share: share)
        }
    }

    private static func record(of share: InputShare, path: String) throws -> Record {
        let file = path + "/" + fileName
        let bytes = try InputFile.contents(of: file)
        guard let record = try? decodedJSON(Record.self, from: bytes) else {
            throw DataError.unreadableText(path: file, reason: "not the description of a part")
        }
        guard record.format == Record.formatName, record.version == 1,
            InputShare(number: record.number, of: record.count) == share,
            record.files[DatasetIndex.fileName] != nil
        else { throw DataError.unreadableText(path: file, reason: "of another kind of part") }
        guard try record.digest == record.computedDigest(), try bytes == record.encoded() else {
            throw DataError.unreadableText(
                path: file, reason: "its contents and its part_sha256 do not agree")
        }
        return record
    }

    /// Writes the files of a part beside its shards; `part.json` comes last.
    ///
    /// - Parameters:
    ///   - share: of which worker.
    ///   - settings: what all parts have in common.
    ///   - counts: what was read and written.
    ///   - tail: the texts of the last documents, if no document was held out.
    ///   - folder: the folder with the shards.
    /// - Throws: `FileError`.
    static func write(
        _ share: InputShare, _ settings: PartSettings, _ counts: CorpusTokenizer.Progress,
        tail: [String], in folder: String
    ) throws {
        if !tail.isEmpty { try writeFile("\(folder)/\(tailName)", tail.flatMap(\.utf8)) }
        var names = [DatasetIndex.fileName] + Split.allCases.map { DocumentList.name($0) }
        for name in [tailName, RejectedItem.fileName]
        where fileKind(of: "\(folder)/\(name)") == .file {
            names.append(name)
        }
        var files: [String: Record.File] = [:]
        for name in names { files[name] = try digest(of: "\(folder)/\(name)") }
        var record = Record(
            number: share.number, count: share.count, settings: settings, counts: counts,
            tailDocuments: tail.count, files: files)
        record.digest = try record.computedDigest()
        try writeFile("\(folder)/\(fileName)", try record.encoded())
    }

    private static func digest(of path: String) throws -> Record.File {
        let file = try InputFile(path: path)
        var digest = SHA256()
        var count = 0
        while true {
            let piece = try file.read(upTo: 1 << 20)
            if piece.isEmpty { return .init(bytes: count, sha256: digest.finalizeHex()) }
            digest.update(piece)
            count += piece.count
        }
    }

    /// Reads every byte of the part and compares it with what was written.
    ///
    /// - Parameter threadCount: shards read at the same time.
    /// - Throws: `PartError.damaged`; `FileError` if the system does not let it be read.
    func verify(threadCount: Int) throws {
        do {
            for (name, file) in record.files.sorted(by: { $0.key < $1.key }) {
                let got = try Self.digest(of: "\(path)/\(name)")
                guard got == file else {
                    throw DataError.unreadableText(
                        path: "\(path)/\(name)",
                        reason: "SHA-256 is \(got.sha256), want \(file.sha256)")
                }
            }
            try TokenDataset(path: path).verify(threadCount: max(1, threadCount))
        } catch {
            throw PartError.damage(error, path: path, share: share)
        }
    }

    /// The documents of a split in order.
    ///
    /// - Parameter split: which split.
    /// - Returns: a reader of them, for one thread.
    /// - Throws: `DataError` or `FileError` if it cannot be opened.
    func documents(of split: Split) throws -> PartDocuments { try PartDocuments(self, split) }
}

/// Reads the documents of a split of a part, one after the other.
struct PartDocuments {
    private let path: String
    private let tokens: TokenReader
    private var list: DocumentListReader
    private var place = 0
    /// Documents that come before those whose texts are kept.
    private var documentsBeforeTail: Int
    private let tail: [UInt8]
    private var tailPlace = 0

    fileprivate init(_ part: CorpusPart, _ split: Split) throws {
        path = part.path
        let dataset = try TokenDataset(path: part.path)
        tokens = dataset.reader(of: split)
        list = try DocumentListReader(folder: part.path, split: split)
        let hasTail = split == .train && part.record.tailDocuments > 0
        documentsBeforeTail =
            hasTail ? dataset.index.train.documents - part.record.tailDocuments : .max
        tail = hasTail ? try InputFile.contents(of: path + "/" + CorpusPart.tailName) : []
    }

    /// The next document; nil after the last one.
    ///
    /// - Throws: `DataError` or `FileError` if it cannot be read.
    mutating func next() throws -> EncodedDocument? {
        guard let length = try list.next() else {
            guard place == tokens.tokenCount else { throw contradiction() }
            return nil
        }
        let range = place..<place + length.tokens
        place = range.upperBound
        guard place <= tokens.tokenCount else { throw contradiction() }
        var text: String?
        if documentsBeforeTail <= 0 {
            guard tailPlace + length.textBytes <= tail.count else { throw contradiction() }
            let bytes = tail[tailPlace..<tailPlace + length.textBytes]
            tailPlace = bytes.endIndex
            text = String(decoding: bytes, as: UTF8.self)
        }
        documentsBeforeTail -= 1
        return EncodedDocument(
            tokens: try tokens.tokens(in: range), textBytes: length.textBytes,
            place: text.map { DocumentDigest(of: $0).place } ?? 1, text: text)
    }

    private func contradiction() -> DataError {
        .unreadableText(
            path: path, reason: "its shards and its lists of documents contradict each other")
    }
}

extension PartError {
    /// The error for a part that cannot be read: what its bytes are to blame for is damage, not what the system refuses.
    fileprivate static func damage(
        _ error: any Error, path: String, share: InputShare
    ) -> any Error {
        if case .some(.missing) = error as? FileError {} else if error is FileError { return error }
        return PartError.damaged(path: path, share: share, reason: "\(error)")
    }
}
