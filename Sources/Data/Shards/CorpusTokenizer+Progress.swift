extension CorpusTokenizer {
    /// Counts of a run, so far or at its end.
    public struct Progress: Sendable, Equatable, Codable {
        /// Documents written.
        public var documents = 0
        /// Documents that are the same as an earlier one, left out.
        public var duplicateDocuments = 0
        /// UTF-8 bytes of those.
        public var duplicateBytes = 0
        /// Documents that hold texts of evaluation sets, left out.
        public var contaminated = ContaminatedDocuments()
        /// Documents that rules leave out or shorten.
        public var filtered = FilteredDocuments()
        /// Empty documents, left out.
        public var emptyDocuments = 0
        /// Documents that are not valid, left out; only with `skipsBadDocuments`.
        public var badDocuments = 0
        /// The reason why the first bad document was left out.
        public var firstBadDocument: String?
        /// Files and folders that cannot be read, left out; only if the reader skips them.
        public var unreadable = LeftOut()
        /// Texts in which the separator does not stand.
        public var unseparated = LeftOut()
        /// Documents whose end was held out, because no document fell in the validation part.
        public var cutDocuments = 0
        /// Occurrences in documents of the end token's text, which were taken for text.
        public var endTokenTexts = 0
        /// UTF-8 bytes of the documents written.
        public var textBytes = 0
        /// Tokens written, end-of-document tokens included.
        public var tokens = 0
        /// Bytes of input read, before decompression.
        public var inputBytes = 0

        enum CodingKeys: String, CodingKey {
            case documents, contaminated, filtered, unreadable, unseparated, tokens
            case duplicateDocuments = "duplicate_documents"
            case duplicateBytes = "duplicate_bytes"
            case emptyDocuments = "empty_documents"
            case badDocuments = "bad_documents"
            case firstBadDocument = "first_bad_document"
            case cutDocuments = "cut_documents"
            case endTokenTexts = "end_token_texts"
            case textBytes = "text_bytes"
            case inputBytes = "input_bytes"
        }

        /// Nothing yet.
        public init() {}

        /// Adds what was left out and read by a worker whose documents stand behind these.
        ///
        /// What was written is counted where it is written.
        mutating func addReading(of later: Progress) {
            duplicateDocuments += later.duplicateDocuments
            duplicateBytes += later.duplicateBytes
            emptyDocuments += later.emptyDocuments
            badDocuments += later.badDocuments
            contaminated.add(later.contaminated)
            filtered.add(later.filtered)
            firstBadDocument = firstBadDocument ?? later.firstBadDocument
            unreadable.add(later.unreadable)
            unseparated.add(later.unseparated)
            endTokenTexts += later.endTokenTexts
            inputBytes += later.inputBytes
        }

        /// The error for a data set without a document to learn from.
        var noTrainingDocuments: DataError {
            .noTrainingDocuments(
                reason: documents > 0
                    ? "all \(documents) documents were held out; "
                        + "choose a smaller --validation-fraction"
                    : "\(emptyDocuments) documents were empty, \(badDocuments) not valid, "
                        + "\(filtered.documents) filtered out and \(contaminated.documents) contaminated"
                        + ((firstBadDocument ?? unreadable.reasons.first).map {
                            " (the first: \($0))"
                        } ?? "")
                        + (filtered.documents > 0
                            ? "; choose other filters, or a file with other text"
                            : "; give a file with text in it"))
        }
    }
}
