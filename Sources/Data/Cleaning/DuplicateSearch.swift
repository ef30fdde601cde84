import FalconJSON
import FalconSystem

/// Finds documents that are like earlier ones, in memory that does not grow with their texts.
///
/// Keys of all documents are sorted outside memory; documents that share a key are in one cluster, and so are those
/// that are together with a third. The first document of each cluster, in the order of the input, is kept. The list
/// is the same for any number of threads and any memory.
public struct DuplicateSearch: Sendable {
    /// What was found, so far or at the end.
    public struct Counts: Sendable, Equatable {
        /// Documents that were compared.
        public internal(set) var documents = 0
        /// UTF-8 bytes of those.
        public internal(set) var textBytes = 0
        /// Documents without text or words, documents that are not valid, and those that cleaning leaves out.
        public internal(set) var otherDocuments = 0
        /// Documents that are like an earlier one.
        public internal(set) var duplicateDocuments = 0
        /// UTF-8 bytes of those.
        public internal(set) var duplicateBytes = 0
        /// Bytes of input read, before decompression.
        public internal(set) var inputBytes = 0
        /// Parts of the keys that were sorted by themselves, because they did not fit in memory.
        public internal(set) var sortedRuns = 0
    }

    /// The memory that is taken if nothing else is said.
    public static let usualMemoryBytes = 1_000_000_000
    /// The least memory.
    public static let leastMemoryBytes = 64_000_000
    /// Of the memory, for texts on their way and the program itself.
    private static let textBytes = 48_000_000
    /// Bytes of texts on their way: words and hashes take several times as much.
    private static let heldBytes = 8_000_000

    /// Which documents are the same; not `off`.
    public let by: Deduplication
    /// How near duplicates are told; without effect on others.
    public var parameters = MinHash.Parameters()
    /// Bytes of memory.
    ///
    /// Above it may go documents of more than some MB, and 4 bytes a document.
    public var memoryBytes = usualMemoryBytes
    /// Threads that compute keys; the list does not depend on it.
    public var threadCount = 1
    /// Leave out documents that are not valid instead of stopping.
    public var skipsBadDocuments = false
    /// What is done to every document before it is compared.
    public var cleaning = DocumentCleaning()
    /// Bytes of keys in memory; tests ask for few.
    var sortBytes: Int?

    /// A search with the usual parameters.
    ///
    /// - Parameter by: not `off`.
    public init(by: Deduplication) {
        precondition(by != .off, "DuplicateSearch: nothing to look for")
        self.by = by
    }

    /// Reads all documents and writes the list of those to leave out.
    ///
    /// What is needed meanwhile lies in `PATH.search.partial`.
    ///
    /// - Parameters:
    ///   - documents: read to the end.
    ///   - path: the list, which appears when it is whole.
    ///   - progress: called now and then on the calling thread.
    /// - Returns: what was found.
    /// - Throws: `DataError` for a bad document, an impossible parameter or too many documents; `FileError`.
    public func write(
        _ documents: sending DocumentReader, to path: String, progress: ((Counts) -> Void)? = nil
    ) throws -> Counts {
        try parameters.check()
        guard memoryBytes >= Self.leastMemoryBytes else {
            throw DataError.invalidOption(
                name: "--memory", got: "\(memoryBytes) bytes",
                wanted: "\(Self.leastMemoryBytes) or more")
        }
        let header = LeaveOutList.Header(
            by: by.rawValue, parameters: by == .near ? parameters : nil, input: documents.settings,
            cleaning: cleaning.settings, skipsBadDocuments: skipsBadDocuments)
        var list = try LeaveOutListWriter(path: path)
        let scratch = try AtomicFolder(path: path + ".search")
        var counts = Counts()
        var sorter = RecordSorter(
            path: scratch.partialPath + "/keys",
            // A quarter of the rest stays free: for long texts, and for what the allocator holds back.
            memoryBytes: sortBytes ?? (memoryBytes - Self.textBytes) / 4 * 3)
        var positions = PositionTable(path: scratch.partialPath + "/documents")
        try readKeys(documents, into: &sorter, &positions, &counts, progress)
        var clusters = DocumentClusters(count: counts.documents)
        var first: KeyRecord?
        try sorter.finish { record in
            if let first, first.hasKey(of: record) {
                clusters.join(first.document, record.document)
            } else {
                first = record
            }
        }
        counts.sortedRuns = sorter.runCount
        try list.begin(header)
        try write(&clusters, positions.reader(), to: &list, &counts)
        try list.commit()
        return counts
    }

    /// The keys of some documents.
    private struct Keys: JobOutput {
        var documents: [(entry: PositionTable.Entry, keys: [DuplicateKey])] = []
        var otherDocuments = 0
        let documentBytes: Int
        let inputBytes: Int
    }

    private func readKeys(
        _ documents: sending DocumentReader, into sorter: inout RecordSorter,
        _ positions: inout PositionTable, _ counts: inout Counts, _ progress: ((Counts) -> Void)?
    ) throws {
        let minHash = MinHash(parameters)
        let source = try JobSource(documents)
        try DocumentPipeline(source, threadCount: threadCount, heldBytes: Self.heldBytes).run {
            { try self.keys(of: $0, minHash) }
        } consuming: { (found: Keys) in
            for document in found.documents {
                guard counts.documents < DocumentClusters.countLimit else {
                    throw DataError.tooManyDocuments(limit: DocumentClusters.countLimit)
                }
                for key in document.keys {
                    try sorter.append(KeyRecord(key, document: counts.documents))
                }
                try positions.append(document.entry)
                counts.documents += 1
                counts.textBytes += document.entry.textBytes
            }
            counts.otherDocuments += found.otherDocuments
            counts.inputBytes = found.inputBytes
            progress?(counts)
        }
        counts.inputBytes = source.bytesRead
    }

    private func keys(of job: Job, _ minHash: MinHash) throws -> Keys {
        var found = Keys(documentBytes: job.documentBytes, inputBytes: job.inputBytes)
        for raw in job.documents {
            let text: String
            do throws(DataError) {
                text = try raw.text()
            } catch {
                guard skipsBadDocuments else { throw error }
                found.otherDocuments += 1
                continue
            }
            guard !text.isEmpty, case .kept(let cleaned) = cleaning.outcome(for: text) else {
                found.otherDocuments += 1
                continue
            }
            let keys =
                by == .near
                ? minHash.keys(of: cleaned)
                : by.digest(of: cleaned, own: DocumentDigest(of: cleaned)).map { [$0.key] } ?? []
            if keys.isEmpty {
                found.otherDocuments += 1
            } else {
                let entry = PositionTable.Entry(
                    position: raw.position, textBytes: cleaned.utf8.count,
                    digest: DocumentDigest(of: raw.bytes).short)
                found.documents.append((entry, keys))
            }
        }
        return found
    }

    /// Writes the documents that are not the first of their cluster.
    private func write(
        _ clusters: inout DocumentClusters, _ positions: PositionTable.Reader,
        to list: inout LeaveOutListWriter, _ counts: inout Counts
    ) throws {
        var positions = positions
        for document in 0..<counts.documents {
            let first = clusters.first(of: document)
            if first == document { continue }
            let entry = try positions.entry(document)
            try list.append(entry, insteadOfIt: try positions.position(first))
            counts.duplicateDocuments += 1
            counts.duplicateBytes += entry.textBytes
        }
    }
}
