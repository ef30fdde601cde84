import FalconTokenizer

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
