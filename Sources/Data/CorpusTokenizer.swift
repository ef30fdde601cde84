import FalconConcurrency
import FalconSystem
import FalconTokenizer

#if canImport(Glibc)
    import Glibc
#endif

/// Turns documents into a folder of token shards, on several threads.
///
/// The bytes written are the same for any number of threads. The folder appears, or takes the place of an
/// earlier one, when all of it is written: an error or a kill leaves the earlier one.
public struct CorpusTokenizer: Sendable {
    /// Counts of a run, so far or at its end.
    public struct Progress: Sendable, Equatable {
        /// Documents written.
        public fileprivate(set) var documents = 0
        /// Documents that are the same as an earlier one, left out.
        public fileprivate(set) var duplicateDocuments = 0
        /// UTF-8 bytes of those.
        public fileprivate(set) var duplicateBytes = 0
        /// Empty documents, left out.
        public fileprivate(set) var emptyDocuments = 0
        /// Documents that are not valid, left out; only with `skipsBadDocuments`.
        public fileprivate(set) var badDocuments = 0
        /// The reason why the first bad document was left out.
        public fileprivate(set) var firstBadDocument: String?
        /// Files and folders that cannot be read, left out; only if the reader skips them.
        public fileprivate(set) var unreadable = LeftOut()
        /// Texts in which the separator does not stand.
        public fileprivate(set) var unseparated = LeftOut()
        /// Documents whose end was held out, because no document fell in the validation part.
        public fileprivate(set) var cutDocuments = 0
        /// Occurrences in documents of the end token's text, which were taken for text.
        public fileprivate(set) var endTokenTexts = 0
        /// UTF-8 bytes of the documents written.
        public fileprivate(set) var textBytes = 0
        /// Tokens written, end-of-document tokens included.
        public fileprivate(set) var tokens = 0
        /// Bytes of input read, before decompression.
        public fileprivate(set) var inputBytes = 0
    }

    /// Cuts texts into tokens; its end-of-sequence piece ends every document.
    public let tokenizer: any Tokenizer
    /// The share of documents held out for validation, 0 to 1.
    ///
    /// A document is held out when the first 8 bytes of the SHA-256 of its text, read as a fraction
    /// of 2^64, are below this: the same text always falls in the same split, wherever it stands.
    public var validationFraction = 0.01
    /// Threads that encode; the result does not depend on it.
    public var threadCount = 1
    /// Leave out documents that are not valid instead of stopping.
    public var skipsBadDocuments = false
    /// Which documents are the same, of which the first is kept; a digest of each is in memory.
    public var deduplication = Deduplication.off
    /// Replace the data set that is in the folder.
    public var overwrites = false
    /// The layout of tokens in shards.
    public var layout: ShardLayout

    /// A corpus tokenizer with the usual layout.
    ///
    /// - Parameter tokenizer: must have an end-of-sequence piece.
    public init(tokenizer: any Tokenizer) {
        self.tokenizer = tokenizer
        layout = ShardLayout(vocabularyCount: tokenizer.vocabularyCount)
    }

    /// Writes the shards, the copy of the tokenizer and the index.
    ///
    /// - Parameters:
    ///   - documents: read to the end.
    ///   - folder: created if it is missing.
    ///   - progress: called now and then on the calling thread.
    /// - Returns: the index that was written, and the counts.
    /// - Throws: `DataError`, `TokenizerError` or `FileError`; with several bad documents, always for the
    ///   first one.
    public func write(
        _ documents: sending DocumentReader, to folder: String,
        progress: ((Progress) -> Void)? = nil
    ) throws -> (index: DatasetIndex, counts: Progress) {
        guard validationFraction >= 0 && validationFraction <= 1 else {
            throw DataError.invalidOption(
                name: "--validation-fraction", got: "\(validationFraction)", wanted: "0 to 1")
        }
        let endOfDocumentID = try tokenizer.requireEndOfDocumentID()
        // Another name for the folder, such as ".", cannot be exchanged.
        let folder = fileKind(of: folder) == .folder ? canonicalPath(folder) : folder
        let parent = RawPath(folder).parent
        try createFolder(parent)
        let output = try AtomicFolder(path: folder, replacing: fileKind(of: folder) != .missing)
        let partial = output.partialPath
        try keepOtherFiles(of: folder, in: partial)
        let train = ShardWriter(folder: partial, split: .train, layout: layout)
        let validation = ShardWriter(folder: partial, split: .validation, layout: layout)
        let counts = try run(
            documents, endOfDocumentID, train: train, validation: validation, in: partial,
            progress)
        try train.finish()
        try validation.finish()
        if train.shards.isEmpty { throw noTrainingDocuments(counts) }
        let index = DatasetIndex(
            tokenizerDigest: tokenizer.digest,
            companionDigests: tokenizer.files.companionDigests,
            vocabularyCount: tokenizer.vocabularyCount, endOfDocumentID: endOfDocumentID,
            layout: layout,
            validationFraction: validationFraction, train: train.shards,
            validation: validation.shards)
        for file in tokenizer.files.all { try writeFile("\(partial)/\(file.name)", file.bytes) }
        try writeFile("\(partial)/\(DatasetIndex.fileName)", try index.encoded())
        try output.commit()
        return (index, counts)
    }

    private func noTrainingDocuments(_ counts: Progress) -> DataError {
        .noTrainingDocuments(
            reason: counts.documents > 0
                ? "all \(counts.documents) documents were held out; "
                    + "choose a smaller --validation-fraction"
                : "\(counts.emptyDocuments) documents were empty and \(counts.badDocuments) not "
                    + "valid"
                    + ((counts.firstBadDocument ?? counts.unreadable.reasons.first).map {
                        " (the first: \($0))"
                    } ?? "") + "; give a file with text in it")
    }

    /// Gives files in the folder that are not part of a data set a second name in the new one.
    private func keepOtherFiles(of folder: String, in partial: String) throws {
        guard fileKind(of: folder) == .folder else { return }
        let isDataset = fileKind(of: "\(folder)/\(DatasetIndex.fileName)") != .missing
        if isDataset && !overwrites { throw DataError.outputExists(path: folder) }
        for name in try RawPath(folder).names() {
            let text = String(decoding: name, as: UTF8.self)
            let isShard = Split.allCases.contains { text.hasPrefix("\($0.rawValue)-") }
            let base = text.hasSuffix(".partial") ? String(text.dropLast(8)) : text
            let isOurs =
                TokenizerFiles.names.contains(base) || base == DatasetIndex.fileName
                || base == RejectedItem.fileName
            let path = RawPath(folder).appending(name)
            if text == RejectedItem.fileName && !isDataset {
                throw FileError.exists(
                    path: path.description,
                    advice:
                        "a list of this name may become part of the data set; move it away, or choose "
                        + "another --output")
            }
            if isShard && base.hasSuffix(".tok.zst") || isOurs || text == FolderLock.fileName {
                continue
            }
            guard path.kind != .folder || path.linkTarget != nil else {
                throw FileError.exists(
                    path: path.description,
                    advice: "the data set would replace the folder that contains it; "
                        + "move it away, or choose another --output")
            }
            try path.link(to: RawPath(partial).appending(name))
        }
    }

    private func writeFile(_ path: String, _ bytes: [UInt8]) throws {
        var file = try AtomicFile(path: path)
        try file.write(bytes)
        try file.commit()
    }

    /// Reader thread -> jobs -> encoder threads -> results in order -> this thread writes.
    private func run(
        _ documents: sending DocumentReader, _ endOfDocumentID: Int32, train: ShardWriter,
        validation: ShardWriter, in folder: String, _ progress: ((Progress) -> Void)?
    ) throws -> Progress {
        let threads = max(1, min(threadCount, WorkerThread.countLimit))
        let jobs = BoundedQueue<Job>(capacity: 2 * threads)
        let results = OrderedResults<Result<Encoded, any Error>>(capacity: 4 * threads)
        let budget = ByteBudget(limit: DocumentReader.documentLimitBytes + threads << 20)
        let encoder = DocumentEncoder(
            tokenizer: tokenizer, endOfDocumentID: endOfDocumentID,
            validationFraction: validationFraction, skipsBadDocuments: skipsBadDocuments,
            deduplication: deduplication)
        var workers: [WorkerThread] = []
        defer {
            jobs.cancel()
            results.cancel()
            budget.cancel()
            for worker in workers { worker.join() }
        }
        let source = JobSource(documents)
        workers.append(
            try WorkerThread {
                source.read(into: jobs, results, budget)
            })
        workers += try WorkerThread.some(threads) {
            // Made when it is needed: a small corpus has no work for most threads.
            var words: (any TokenEncoder)?
            while let job = jobs.pop() {
                let encode = words ?? encoder.tokenizer.makeDocumentEncoder()
                words = encode
                results.put(Result { try encoder.encode(job, encode) }, number: job.number)
            }
        }
        var counts = Progress()
        var sink = SplitWriter(train, validation, encoder)
        var seen: Set<DocumentDigest> = []
        while let result = results.take() {
            let encoded = try result.get()
            for document in encoded.documents {
                if let digest = document.digest, !seen.insert(digest).inserted {
                    counts.duplicateDocuments += 1
                    counts.duplicateBytes += document.textBytes
                } else {
                    try sink.write(document)
                }
            }
            budget.give(back: encoded.documentBytes)
            sink.add(to: &counts)
            counts.emptyDocuments += encoded.emptyDocuments
            counts.badDocuments += encoded.badDocuments
            counts.firstBadDocument = counts.firstBadDocument ?? encoded.firstBadDocument
            try RejectedItem.append(encoded.rejected, in: folder)
            counts.endTokenTexts += encoded.endTokenTexts
            counts.unreadable = encoded.unreadable
            counts.inputBytes = encoded.inputBytes
            progress?(counts)
        }
        try sink.finish()
        sink.add(to: &counts)
        counts.unreadable = source.unreadable
        counts.unseparated = source.unseparated
        try RejectedItem.append(source.takeRejected(), in: folder)
        return counts
    }
}

/// Sends documents to the split they belong to.
private struct SplitWriter {
    private let train: ShardWriter
    private let validation: ShardWriter
    private let encoder: DocumentEncoder
    private var tail: ValidationTail?
    private var counts = CorpusTokenizer.Progress()

    init(_ train: ShardWriter, _ validation: ShardWriter, _ encoder: DocumentEncoder) {
        self.train = train
        self.validation = validation
        self.encoder = encoder
        let fraction = encoder.validationFraction
        tail = fraction > 0 && fraction < 1 ? ValidationTail(fraction: fraction) : nil
    }

    mutating func write(_ document: EncodedDocument) throws {
        if encoder.isHeldOut(document) {
            for waiting in tail?.takeAll() ?? [] { try write(waiting, to: train) }
            tail = nil
            encoder.keepsTexts.lower()
            try write(document, to: validation)
        } else if tail != nil {
            for done in tail?.append(document) ?? [] { try write(done, to: train) }
        } else {
            try write(document, to: train)
        }
    }

    mutating func finish() throws {
        guard var tail else { return }
        let words = encoder.tokenizer.makeDocumentEncoder()
        let parts = try tail.finish { text in
            try words.encode(text) + [encoder.endOfDocumentID]
        }
        for document in parts.train { try write(document, to: train) }
        for document in parts.validation { try write(document, to: validation) }
        counts.cutDocuments = parts.cutCount
    }

    func add(to total: inout CorpusTokenizer.Progress) {
        total.documents = counts.documents
        total.tokens = counts.tokens
        total.textBytes = counts.textBytes
        total.cutDocuments = counts.cutDocuments
    }

    private mutating func write(_ document: EncodedDocument, to writer: ShardWriter) throws {
        try writer.append(document.tokens, textBytes: document.textBytes)
        counts.documents += 1
        counts.tokens += document.tokens.count
        counts.textBytes += document.textBytes
    }
}

/// A few documents that one thread encodes at a time.
private struct Job: Sendable {
    let number: Int
    let documents: [RawDocument]
    let documentBytes: Int
    let inputBytes: Int
    let unreadable: LeftOut
    /// Items left out on the way to these documents.
    let rejected: [RejectedItem]
}

/// Reads documents into jobs of a size that does not depend on the number of threads.
private final class JobSource: @unchecked Sendable {
    // - Invariant: only the reader thread touches `documents` until the last result is there.
    private let documents: DocumentReader
    private static let jobBytes = 1 << 17

    init(_ documents: sending DocumentReader) { self.documents = documents }

    /// The items that the reader left out, once all was read.
    var unreadable: LeftOut { documents.unreadable }

    /// The texts in which the separator does not stand.
    var unseparated: LeftOut { documents.unseparated }

    /// Those behind the last job.
    func takeRejected() -> [RejectedItem] { documents.takeRejected() }

    func read(
        into jobs: BoundedQueue<Job>, _ results: OrderedResults<Result<Encoded, any Error>>,
        _ budget: ByteBudget
    ) {
        var number = 0
        do {
            while true {
                var batch: [RawDocument] = []
                var bytes = 0
                while bytes < Self.jobBytes, let document = try documents.nextRaw() {
                    batch.append(document)
                    bytes += document.bytes.count
                }
                if batch.isEmpty { break }
                guard budget.take(bytes) else { return }
                let job = Job(
                    number: number, documents: batch, documentBytes: bytes,
                    inputBytes: documents.bytesRead, unreadable: documents.unreadable,
                    rejected: documents.takeRejected())
                guard jobs.push(job) else { return }
                number += 1
            }
        } catch {
            results.put(.failure(error), number: number)
            number += 1
        }
        jobs.finish()
        results.finish(total: number)
    }
}

/// The result of a job.
private struct Encoded: Sendable {
    var documents: [EncodedDocument] = []
    var emptyDocuments = 0
    var badDocuments = 0
    var firstBadDocument: String?
    var endTokenTexts = 0
    let documentBytes: Int
    let inputBytes: Int
    let unreadable: LeftOut
    var rejected: [RejectedItem]
}

/// Encodes documents and chooses their split.
private struct DocumentEncoder: Sendable {
    let tokenizer: any Tokenizer
    let endOfDocumentID: Int32
    let validationFraction: Double
    let skipsBadDocuments: Bool
    let deduplication: Deduplication
    /// Up as long as the writer may need the texts of documents.
    let keepsTexts: SharedFlag

    init(
        tokenizer: any Tokenizer, endOfDocumentID: Int32, validationFraction: Double,
        skipsBadDocuments: Bool, deduplication: Deduplication
    ) {
        self.tokenizer = tokenizer
        self.endOfDocumentID = endOfDocumentID
        self.validationFraction = validationFraction
        self.skipsBadDocuments = skipsBadDocuments
        self.deduplication = deduplication
        keepsTexts = SharedFlag(isUp: validationFraction > 0 && validationFraction < 1)
    }

    func encode(_ job: Job, _ words: any TokenEncoder) throws -> Encoded {
        var encoded = Encoded(
            documentBytes: job.documentBytes, inputBytes: job.inputBytes,
            unreadable: job.unreadable, rejected: job.rejected)
        let endText = tokenizer.endOfDocumentText
        for raw in job.documents {
            let text: String
            do throws(DataError) {
                text = try raw.text()
            } catch {
                guard skipsBadDocuments else { throw error }
                encoded.badDocuments += 1
                encoded.firstBadDocument = encoded.firstBadDocument ?? error.finding
                encoded.rejected.append(RejectedItem(error))
                continue
            }
            if text.isEmpty {
                encoded.emptyDocuments += 1
                continue
            }
            if let endText { encoded.endTokenTexts += occurrences(of: endText, in: text) }
            var tokens = try words.encode(text)
            tokens.append(endOfDocumentID)
            let needsOwn = validationFraction > 0 || deduplication == .exact
            let own = needsOwn ? DocumentDigest(of: text) : nil
            encoded.documents.append(
                EncodedDocument(
                    tokens: tokens, textBytes: text.utf8.count, place: own?.place ?? 1,
                    digest: deduplication.digest(of: text, own: own),
                    text: keepsTexts.isUp ? text : nil))
        }
        return encoded
    }

    func isHeldOut(_ document: EncodedDocument) -> Bool {
        if validationFraction <= 0 { return false }
        // 2^64; the fraction is compared in double, where 1 - 2^-64 rounds to 1.
        return document.place < validationFraction || validationFraction >= 1
    }
}

/// The number of times that a short text stands in a long one, without overlap.
private func occurrences(of wanted: String, in text: String) -> Int {
    var (text, wanted) = (text, wanted)
    return text.withUTF8 { text in
        wanted.withUTF8 { wanted in
            var count = 0
            var place = 0
            guard let start = text.baseAddress, let first = wanted.baseAddress else { return 0 }
            while text.count - place >= wanted.count,
                let found = unsafe memchr(
                    start + place, Int32(wanted[0]), text.count - place - wanted.count + 1)
            {
                unsafe place = UnsafeRawPointer(found) - UnsafeRawPointer(start)
                if unsafe memcmp(start + place, first, wanted.count) == 0 {
                    count += 1
                    place += wanted.count
                } else {
                    place += 1
                }
            }
            return count
        }
    }
}
