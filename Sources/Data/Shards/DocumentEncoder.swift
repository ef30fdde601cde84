import FalconConcurrency
import FalconTokenizer

#if canImport(Glibc)
    import Glibc
#endif

/// A few documents that one thread encodes at a time.
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

    init(_ documents: sending DocumentReader) { self.documents = documents }

    /// Leaves out what a list names.
    init(_ documents: sending DocumentReader, list: LeaveOutList?) throws {
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

/// The result of a job.
struct Encoded: JobOutput {
    var documents: [EncodedDocument] = []
    /// Those that a list leaves out.
    var listedDocuments = 0
    /// Their UTF-8 bytes.
    var listedBytes = 0
    var emptyDocuments = 0
    var badDocuments = 0
    var firstBadDocument: String?
    var endTokenTexts = 0
    var contaminated = ContaminatedDocuments()
    var filtered = FilteredDocuments()
    let documentBytes: Int
    let inputBytes: Int
    let unreadable: LeftOut
    /// In the order in which they stand in the input.
    var rejected: [RejectedItem] = []
}

/// Encodes documents and chooses their split.
struct DocumentEncoder: Sendable {
    let tokenizer: any Tokenizer
    let endOfDocumentID: Int32
    let validationFraction: Double
    let skipsBadDocuments: Bool
    let deduplication: Deduplication
    let cleaning: DocumentCleaning
    /// Up as long as the writer may need the texts of documents.
    let keepsTexts: SharedFlag

    init(
        tokenizer: any Tokenizer, endOfDocumentID: Int32, validationFraction: Double,
        skipsBadDocuments: Bool, deduplication: Deduplication, cleaning: DocumentCleaning
    ) {
        self.tokenizer = tokenizer
        self.endOfDocumentID = endOfDocumentID
        self.validationFraction = validationFraction
        self.skipsBadDocuments = skipsBadDocuments
        self.deduplication = deduplication
        self.cleaning = cleaning
        keepsTexts = SharedFlag(isUp: validationFraction > 0 && validationFraction < 1)
    }

    func encode(_ job: Job, _ words: any TokenEncoder) throws -> Encoded {
        var encoded = Encoded(
            documentBytes: job.documentBytes, inputBytes: job.inputBytes,
            unreadable: job.unreadable)
        var rejected = job.rejected[...]
        let endText = tokenizer.endOfDocumentText
        for (place, raw) in job.documents.enumerated() {
            while rejected.first?.place == place, let next = rejected.popFirst() {
                encoded.rejected.append(next.item)
            }
            var text: String
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
            var removedBytes = 0
            switch cleaning.outcome(for: text) {
            case .kept(let cleaned):
                removedBytes = text.utf8.count - cleaned.utf8.count
                text = cleaned
            case .filtered(let finding):
                encoded.filtered.add(finding, textBytes: text.utf8.count)
                encoded.rejected.append(RejectedItem(raw, finding))
                continue
            case .contaminated(let finding):
                encoded.contaminated.add(finding, textBytes: text.utf8.count)
                encoded.rejected.append(RejectedItem(raw, finding))
                continue
            }
            if job.listed[place] != nil {
                encoded.listedDocuments += 1
                encoded.listedBytes += text.utf8.count
                continue
            }
            if removedBytes > 0 { encoded.filtered.addChange(removing: removedBytes) }
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
}

/// The number of times that a short text stands in a long one, without overlap.
func occurrences(of wanted: String, in text: String) -> Int {
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
