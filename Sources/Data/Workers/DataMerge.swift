import FalconJSON
import FalconSystem
import FalconTokenizer

/// Makes one data set of the parts that several workers wrote: the same bytes as one process would have written.
///
/// Documents are streamed, so memory does not grow with the parts. The data set appears, or takes the place of an
/// earlier one, when all of it is written; only then are the parts removed. A merge that was stopped anywhere is
/// finished by the next one.
public struct DataMerge: Sendable {
    /// How far a merge has come.
    public enum Stage: Sendable, Equatable {
        /// Parts are compared with their digests.
        case checking(parts: Int, of: Int)
        /// Tokens are written.
        case merging(tokens: Int, of: Int)
    }

    /// The outcome of a merge.
    public struct Outcome: Sendable {
        /// The index of the data set.
        public let index: DatasetIndex
        /// What all workers read and what was written.
        public let counts: CorpusTokenizer.Progress
        /// The text of the token that ends documents; nil if it has none.
        public let endOfDocumentText: String?
        /// The number of parts.
        public let parts: Int
        /// Whether these parts had been merged before, and were at most removed now.
        public let isUnchanged: Bool
    }

    /// What was merged, written beside the parts before the data set gets its name.
    private struct Record: Codable {
        /// The SHA-256 of the data set's `index.json`.
        let indexDigest: String
        /// The digests of the parts by the names of their folders.
        let parts: [String: String]
        let counts: CorpusTokenizer.Progress

        enum CodingKeys: String, CodingKey {
            case parts, counts
            case indexDigest = "index_sha256"
        }
    }

    private static let recordName = "merged.json"

    /// The folder of the data set; the parts lie in `FOLDER.parts`.
    public let folder: String
    /// Replace the data set that is in the folder.
    public var overwrites = false
    /// Leave the parts where they are.
    public var keepsParts = false
    /// Threads that check digests; the result does not depend on it.
    public var threadCount = 1
    /// Bytes of text that wait for a document that is held out; tests ask for others.
    var tailBytes = ValidationTail.usualWaitingBytes
    private let partsFolder: String

    /// A merge.
    ///
    /// - Parameter folder: the `--output` of the workers.
    public init(folder: String) {
        self.folder = folder
        partsFolder = CorpusPart.folder(of: folder)
    }

    /// Merges the parts and removes them.
    ///
    /// - Parameter progress: called now and then on the calling thread.
    /// - Returns: the index that was written, and the counts.
    /// - Throws: `PartError` for parts that are missing, damaged or do not belong together; `DataError` for a data
    ///   set in the way, or one without a document to learn from; `FileError`.
    public func run(progress: ((Stage) -> Void)? = nil) throws -> Outcome {
        guard fileKind(of: partsFolder) == .folder else { throw nothing() }
        let outcome = try { () throws -> Outcome? in
            // One merge at a time.
            let lock = try FolderLock(folder: partsFolder)
            defer { withExtendedLifetime(lock) {} }
            if let outcome = try finished() { return outcome }
            let shares = try shares()
            if shares.isEmpty { return nil }
            let parts = try parts(of: shares, progress)
            let outcome = try merge(parts, progress)
            if !keepsParts { try removeParts(digests(of: parts)) }
            return outcome
        }()
        if try namesInFolder(partsFolder).isEmpty { try? removeFolder(partsFolder) }
        guard let outcome else { throw nothing() }
        return outcome
    }

    private var hasDataset: Bool { fileKind(of: "\(folder)/\(DatasetIndex.fileName)") == .file }

    private func nothing() -> PartError {
        hasDataset
            ? .nothingToMerge(path: folder, folder: partsFolder) : .noParts(folder: partsFolder)
    }

    /// All workers' shares, of which the parts are there.
    private func shares() throws -> [InputShare] {
        let found = try namesInFolder(partsFolder).compactMap { InputShare(folderName: $0) }
        let counts = Set(found.map(\.count)).sorted()
        if counts.count > 1 { throw PartError.mixedCounts(folder: partsFolder, counts: counts) }
        guard let count = counts.first else { return [] }
        let missing = Set(1...count).subtracting(found.map(\.number)).sorted()
        guard missing.isEmpty else {
            throw PartError.missing(folder: partsFolder, numbers: missing, count: count)
        }
        return found.sorted { $0.number < $1.number }
    }

    /// The parts, whole and made with the same settings.
    private func parts(
        of shares: [InputShare], _ progress: ((Stage) -> Void)?
    ) throws -> [CorpusPart] {
        if hasDataset && !overwrites { throw DataError.outputExists(path: folder) }
        let parts = try shares.map {
            try CorpusPart($0, path: CorpusPart.path(of: $0, of: folder))
        }
        for part in parts.dropFirst() {
            let differences = part.record.settings.differences(from: parts[0].record.settings)
            guard differences.isEmpty else {
                throw PartError.contradiction(
                    path: part.path, share: part.share, other: parts[0].path,
                    differences: differences)
            }
        }
        for (place, part) in parts.enumerated() {
            progress?(.checking(parts: place, of: parts.count))
            try part.verify(threadCount: threadCount)
        }
        return parts
    }

    private func merge(_ parts: [CorpusPart], _ progress: ((Stage) -> Void)?) throws -> Outcome {
        let output = try DatasetOutput(folder: folder, overwrites: overwrites)
        let first = try TokenDataset(path: parts[0].path)
        let layout = ShardLayout(
            vocabularyCount: first.index.vocabularyCount,
            tokensPerFrame: first.index.tokensPerFrame,
            tokensPerShard: first.index.tokensPerShard)
        let isHeldOut = parts.contains {
            ($0.record.files[DocumentList.name(.validation)]?.bytes ?? 0) > 0
        }
        var sink = try SplitWriter(
            folder: output.partialPath, layout: layout,
            tail: isHeldOut
                ? nil
                : ValidationTail(
                    fraction: first.index.validationFraction, waitingBytes: tailBytes))
        var counts = CorpusTokenizer.Progress()
        let tokenCount = parts.reduce(0) { $0 + $1.record.counts.tokens }
        var toldTokens = 0
        // The splits have their own shards, so it does not matter how their documents mix.
        for split in [Split.train, .validation] {
            for part in parts {
                var documents = try part.documents(of: split)
                while let document = try documents.next() {
                    try sink.write(document, isHeldOut: split == .validation)
                    sink.add(to: &counts)
                    if counts.tokens - toldTokens >= 1 << 20 {
                        toldTokens = counts.tokens
                        progress?(.merging(tokens: toldTokens, of: tokenCount))
                    }
                }
            }
        }
        let tokenizer = try first.tokenizer()
        let words = tokenizer.makeDocumentEncoder()
        try sink.cutTail { try words.encode($0) + [first.index.endOfDocumentID] }
        sink.add(to: &counts)
        let shards = try sink.finish()
        for part in parts { counts.addReading(of: part.record.counts) }
        if shards.train.isEmpty { throw counts.noTrainingDocuments }
        try copyRejected(of: parts, to: output.partialPath)
        let index = try DatasetIndex(
            tokenizer, layout: layout, validationFraction: first.index.validationFraction,
            shards: shards)
        try index.write(with: tokenizer.files, in: output.partialPath)
        let record = Record(
            indexDigest: SHA256.hex(of: try index.encoded()),
            parts: digests(of: parts), counts: counts)
        try writeFile(
            "\(partsFolder)/\(Self.recordName)",
            Array((try jsonText(record, isPretty: true) + "\n").utf8))
        try output.commit()
        return Outcome(
            index: index, counts: counts, endOfDocumentText: tokenizer.endOfDocumentText,
            parts: parts.count, isUnchanged: false)
    }

    /// Puts the lists of what was left out behind each other.
    private func copyRejected(of parts: [CorpusPart], to folder: String) throws {
        for part in parts where part.record.files[RejectedItem.fileName] != nil {
            let list = try InputFile(path: "\(part.path)/\(RejectedItem.fileName)")
            while true {
                let piece = try list.read(upTo: 1 << 20)
                if piece.isEmpty { break }
                try appendToFile(path: "\(folder)/\(RejectedItem.fileName)", piece)
            }
        }
    }
}

// The end of a merge that was stopped behind its data set's last step.
extension DataMerge {
    /// Removes what is left of parts that have been merged.
    ///
    /// - Returns: nil if the data set was not made of the parts that are there.
    private func finished() throws -> Outcome? {
        let path = "\(partsFolder)/\(Self.recordName)"
        guard let bytes = try? InputFile.contents(of: path),
            let record = try? decodedJSON(Record.self, from: bytes),
            let index = try? InputFile.contents(of: "\(folder)/\(DatasetIndex.fileName)"),
            SHA256.hex(of: index) == record.indexDigest
        else { return nil }
        for name in try namesInFolder(partsFolder) {
            guard let share = InputShare(folderName: name) else { continue }
            guard let part = try? CorpusPart(share, path: "\(partsFolder)/\(name)"),
                part.record.digest == record.parts[name]
            else { return nil }
        }
        guard let dataset = try? TokenDataset(path: folder) else { return nil }
        // The earlier data set, if it was being removed.
        _ = try? AtomicFolder(path: canonicalPath(folder), replacing: true)
        if !keepsParts { try removeParts(record.parts) }
        return Outcome(
            index: dataset.index, counts: record.counts,
            endOfDocumentText: try dataset.tokenizer().endOfDocumentText,
            parts: record.parts.count, isUnchanged: true)
    }

    /// The digests of parts by the names of their folders.
    private func digests(of parts: [CorpusPart]) -> [String: String] {
        Dictionary(uniqueKeysWithValues: parts.map { ($0.share.folderName, $0.record.digest) })
    }

    /// Removes parts of given digests; what else is in their folder stays.
    private func removeParts(_ parts: [String: String]) throws {
        for (name, digest) in parts.sorted(by: { $0.key < $1.key }) {
            let path = "\(partsFolder)/\(name)"
            // A worker that ran meanwhile has put another one there.
            guard let share = InputShare(folderName: name),
                let part = try? CorpusPart(share, path: path), part.record.digest == digest
            else { continue }
            let removed = path + AtomicFolder.partialSuffix
            if fileKind(of: removed) == .folder { try removeFolder(removed) }
            try renameItem(path, to: removed)
        }
        for name in try namesInFolder(partsFolder) where name.hasSuffix(AtomicFolder.partialSuffix)
        {
            let share = InputShare(
                folderName: String(name.dropLast(AtomicFolder.partialSuffix.count)))
            let path = "\(partsFolder)/\(name)"
            if share != nil && !FolderLock.isHeld(folder: path) { try removeFolder(path) }
        }
        try removeFile("\(partsFolder)/\(Self.recordName)")
    }
}
