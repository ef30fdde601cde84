import FalconSystem

/// Turns documents into a folder of token shards, on several threads.
///
/// The bytes written are the same for any number of threads. `index.json` is written last: a folder
/// without it is no data set, and an error leaves no shard behind.
public struct CorpusTokenizer: Sendable {
    /// Counts of a run, so far or at its end.
    public struct Progress: Sendable, Equatable {
        /// Documents written.
        public fileprivate(set) var documents = 0
        /// Documents without a single byte, left out.
        public fileprivate(set) var emptyDocuments = 0
        /// Documents that are not valid, left out; only with `skipsBadDocuments`.
        public fileprivate(set) var badDocuments = 0
        /// Why the first document was left out as bad.
        public fileprivate(set) var firstBadDocument: String?
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
    /// Replace the data set that is in the folder.
    public var overwrites = false
    /// How tokens are laid out.
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
    /// - Throws: `DataError` or `FileError`; with several bad documents, always for the first one.
    public func write(
        _ documents: sending DocumentReader, to folder: String,
        progress: ((Progress) -> Void)? = nil
    ) throws -> (index: DatasetIndex, counts: Progress) {
        guard validationFraction >= 0 && validationFraction <= 1 else {
            throw DataError.invalidOption(
                name: "--validation-fraction", got: "\(validationFraction)", wanted: "0 to 1")
        }
        let endOfDocumentID = try tokenizer.requireEndOfDocumentID()
        try prepare(folder)
        let train = ShardWriter(folder: folder, split: .train, layout: layout)
        let validation = ShardWriter(folder: folder, split: .validation, layout: layout)
        do {
            let counts = try run(
                documents, endOfDocumentID, train: train, validation: validation, progress)
            try train.finish()
            try validation.finish()
            if train.shards.isEmpty { throw noTrainingDocuments(counts) }
            let index = DatasetIndex(
                tokenizerDigest: tokenizer.digest, vocabularyCount: tokenizer.vocabularyCount,
                endOfDocumentID: endOfDocumentID, layout: layout,
                validationFraction: validationFraction, train: train.shards,
                validation: validation.shards)
            for file in tokenizer.files.all { try writeFile("\(folder)/\(file.name)", file.bytes) }
            try writeFile("\(folder)/\(DatasetIndex.fileName)", try index.encoded())
            return (index, counts)
        } catch {
            train.removeShards()
            validation.removeShards()
            throw error
        }
    }

    private func noTrainingDocuments(_ counts: Progress) -> DataError {
        .noTrainingDocuments(
            reason: counts.documents > 0
                ? "all \(counts.documents) documents were held out; "
                    + "choose a smaller --validation-fraction"
                : "\(counts.emptyDocuments) documents were empty and \(counts.badDocuments) not "
                    + "valid; give a file with text in it")
    }

    /// Creates the folder, and removes what an earlier run left in it: the index first.
    private func prepare(_ folder: String) throws {
        let index = "\(folder)/\(DatasetIndex.fileName)"
        if fileKind(of: index) != .missing {
            guard overwrites else { throw DataError.outputExists(path: folder) }
            try removeFile(index)
            try syncFolder(of: index)
        }
        try createFolder(folder)
        for name in try namesInFolder(folder) {
            let isShard = Split.allCases.contains { name.hasPrefix("\($0.rawValue)-") }
            let base = name.hasSuffix(".partial") ? String(name.dropLast(8)) : name
            let isOurs = TokenizerFiles.names.contains(base) || base == DatasetIndex.fileName
            if isShard && base.hasSuffix(".tok.zst") || isOurs && name != base {
                try removeFile("\(folder)/\(name)")
            }
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
        validation: ShardWriter, _ progress: ((Progress) -> Void)?
    ) throws -> Progress {
        let threads = max(1, threadCount)
        let jobs = BoundedQueue<Job>(capacity: 2 * threads)
        let results = OrderedResults<Result<Encoded, any Error>>(capacity: 4 * threads)
        let encoder = DocumentEncoder(
            tokenizer: tokenizer, endOfDocumentID: endOfDocumentID,
            validationFraction: validationFraction, skipsBadDocuments: skipsBadDocuments)
        var workers: [WorkerThread] = []
        defer {
            jobs.cancel()
            results.cancel()
            for worker in workers { worker.join() }
        }
        let source = JobSource(documents)
        workers.append(
            try WorkerThread {
                source.read(into: jobs, results)
            })
        workers += try WorkerThread.some(threads) {
            let words = encoder.tokenizer.makeEncoder()
            while let job = jobs.pop() {
                results.put(Result { try encoder.encode(job, words) }, number: job.number)
            }
        }
        var counts = Progress()
        while let result = results.take() {
            let encoded = try result.get()
            for document in encoded.documents {
                let writer = document.isHeldOut ? validation : train
                try writer.append(document.tokens, textBytes: document.textBytes)
                counts.tokens += document.tokens.count
                counts.textBytes += document.textBytes
            }
            counts.documents += encoded.documents.count
            counts.emptyDocuments += encoded.emptyDocuments
            counts.badDocuments += encoded.badDocuments
            counts.firstBadDocument = counts.firstBadDocument ?? encoded.firstBadDocument
            counts.inputBytes = encoded.inputBytes
            progress?(counts)
        }
        return counts
    }
}

/// A few documents that one thread encodes at a time.
private struct Job: Sendable {
    let number: Int
    let documents: [RawDocument]
    let inputBytes: Int
}

/// Reads documents into jobs of a size that does not depend on the number of threads.
private final class JobSource: @unchecked Sendable {
    // - Invariant: only the reader thread touches `documents` once the thread has started.
    private let documents: DocumentReader
    private static let jobBytes = 1 << 17

    init(_ documents: sending DocumentReader) { self.documents = documents }

    func read(
        into jobs: BoundedQueue<Job>, _ results: OrderedResults<Result<Encoded, any Error>>
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
                let job = Job(number: number, documents: batch, inputBytes: documents.bytesRead)
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

/// What became of a job.
private struct Encoded: Sendable {
    struct Document: Sendable {
        let tokens: [Int32]
        let textBytes: Int
        let isHeldOut: Bool
    }

    var documents: [Document] = []
    var emptyDocuments = 0
    var badDocuments = 0
    var firstBadDocument: String?
    let inputBytes: Int
}

/// Encodes documents and chooses their split.
private struct DocumentEncoder: Sendable {
    let tokenizer: any Tokenizer
    let endOfDocumentID: Int32
    let validationFraction: Double
    let skipsBadDocuments: Bool

    func encode(_ job: Job, _ words: any TokenEncoder) throws -> Encoded {
        var encoded = Encoded(inputBytes: job.inputBytes)
        for raw in job.documents {
            let text: String
            do throws(DataError) {
                text = try raw.text()
            } catch {
                guard skipsBadDocuments else { throw error }
                encoded.badDocuments += 1
                encoded.firstBadDocument = encoded.firstBadDocument ?? error.description
                continue
            }
            if text.isEmpty {
                encoded.emptyDocuments += 1
                continue
            }
            let tokens = try words.encode(text) + [endOfDocumentID]
            encoded.documents.append(
                .init(tokens: tokens, textBytes: text.utf8.count, isHeldOut: isHeldOut(text)))
        }
        return encoded
    }

    private func isHeldOut(_ text: String) -> Bool {
        if validationFraction <= 0 { return false }
        var digest = SHA256()
        digest.update(text)
        let start = digest.finalize().prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        // 2^64; the fraction is compared in double, where 1 - 2^-64 rounds to 1.
        return Double(start) / 0x1p64 < validationFraction || validationFraction >= 1
    }
}
