import FalconConcurrency

/// A few documents that one thread works on at a time.
struct Job: Sendable {
    let number: Int
    let documents: [RawDocument]
    let documentBytes: Int
    let inputBytes: Int
    let unreadable: LeftOut
    /// Items left out on the way to these documents, each with the number of documents before it.
    let rejected: [(place: Int, item: RejectedItem)]
    /// Places in `documents` of those that a list leaves out, each with the document that is kept.
    var listed: [Int: DocumentPosition] = [:]
}

/// What is made of a job.
protocol JobOutput: Sendable {
    /// Bytes of the job's documents, which are given back when this is done with.
    var documentBytes: Int { get }
}

/// Reads documents into jobs of a size that does not depend on the number of threads.
final class JobSource: @unchecked Sendable {
    // - Invariant: only the reader thread touches `documents` and `list` until the last result is there.
    private let documents: DocumentReader
    private var list: LeaveOutList.Cursor?
    private static let jobBytes = 1 << 17

    /// - Parameters:
    ///   - documents: read to the end.
    ///   - list: documents to mark as left out; nil for none.
    /// - Throws: `FileError` or `DataError.unreadableText` if the list cannot be read.
    init(_ documents: sending DocumentReader, list: LeaveOutList? = nil) throws {
        self.list = try list?.cursor(of: documents.fileNumbers)
        self.documents = documents
    }

    /// The items that the reader left out, once all was read.
    var unreadable: LeftOut { documents.unreadable }

    /// The texts in which the separator does not stand.
    var unseparated: LeftOut { documents.unseparated }

    /// Bytes read, once all was.
    var bytesRead: Int { documents.bytesRead }

    /// The name of an input file, once all was read.
    func fileName(_ number: Int) -> String { documents.fileName(number) }

    /// Those behind the last job.
    func takeRejected() -> [RejectedItem] { documents.takeRejected() }

    func read<Output: JobOutput>(
        into jobs: BoundedQueue<Job>, _ results: OrderedResults<Result<Output, any Error>>,
        _ budget: ByteBudget
    ) {
        var number = 0
        do {
            while true {
                var batch: [RawDocument] = []
                var bytes = 0
                var rejected: [(Int, RejectedItem)] = []
                var listed: [Int: DocumentPosition] = [:]
                while bytes < Self.jobBytes, let document = try documents.nextRaw() {
                    rejected += documents.takeRejected().map { (batch.count, $0) }
                    listed[batch.count] = try list?.kept(insteadOf: document)
                    batch.append(document)
                    bytes += document.bytes.count
                }
                if batch.isEmpty {
                    try list?.finish()
                    break
                }
                guard budget.take(bytes) else { return }
                let job = Job(
                    number: number, documents: batch, documentBytes: bytes,
                    inputBytes: documents.bytesRead, unreadable: documents.unreadable,
                    rejected: rejected, listed: listed)
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
