import FalconData
import FalconSystem

/// What `tokenize` and `data merge` say of a data set that they have written.
struct TokenizeReport {
    /// Where it lies.
    let path: String
    /// The worker whose part it is.
    var part: InputShare?
    /// The number of parts it was made of.
    var parts: Int?
    /// Whether it was there already.
    var isUnchanged = false
    let index: DatasetIndex
    let counts: CorpusTokenizer.Progress
    let seconds: Double

    /// Tells what was left out, and how the validation split came about.
    ///
    /// - Parameters:
    ///   - common: whether anything is told at all.
    ///   - endText: the text of the token that ends documents; nil if it has none.
    func warn(_ common: CommonOptions, endText: String?) {
        if isUnchanged {
            common.talk(
                part == nil
                    ? "\(path) is whole and was made of these parts: nothing to merge"
                    : "\(path) is there and was made of the same files with the same settings: nothing "
                        + "to do")
        }
        common.talk(of: counts.unreadable, "files, folders or documents that cannot be read")
        if let first = counts.firstBadDocument {
            common.talk("left out \(counts.badDocuments) documents that are not valid: \(first)")
        }
        if counts.contaminated.documents > 0 {
            let tasks = counts.contaminated.byTask.sorted {
                ($1.value, $0.key) < ($0.value, $1.key)
            }
            common.talk(
                "left out \(grouped(counts.contaminated.documents)) documents, "
                    + "\(grouped(counts.contaminated.bytes)) bytes, that hold texts of evaluation sets: "
                    + tasks.map { "\($0.key) \(grouped($0.value))" }.joined(separator: ", "))
        }
        if counts.filtered.documents > 0 {
            let rules = counts.filtered.byRule.sorted {
                ($1.value, $0.key) < ($0.value, $1.key)
            }
            common.talk(
                "left out \(grouped(counts.filtered.documents)) documents, "
                    + "\(grouped(counts.filtered.bytes)) bytes, that break a rule: "
                    + rules.map { "\($0.key) \(grouped($0.value))" }.joined(separator: ", "))
        }
        if counts.filtered.changedDocuments > 0 {
            common.talk(
                "took lines out of \(grouped(counts.filtered.changedDocuments)) documents, "
                    + "\(grouped(counts.filtered.removedBytes)) bytes")
        }
        if counts.badDocuments + counts.unreadable.count + counts.contaminated.documents
            + counts.filtered.documents > 0
        {
            common.talk("what was left out is listed in \(path)/\(RejectedItem.fileName)")
        }
        common.talk(
            of: counts.unseparated, "texts whole, as the separator does not stand in them",
            as: "took")
        if counts.duplicateDocuments > 0 {
            common.talk(
                "left out \(grouped(counts.duplicateDocuments)) documents, "
                    + "\(grouped(counts.duplicateBytes)) bytes, that are the same as an earlier one or like it"
            )
        }
        if counts.emptyDocuments > 0 {
            common.talk("left out \(counts.emptyDocuments) empty documents")
        }
        if counts.endTokenTexts > 0, let text = endText {
            common.talk(
                "\(text), which ends documents, occurs \(grouped(counts.endTokenTexts)) times in "
                    + "them and was taken for text; if it separates documents, give each a line "
                    + "(jsonl) or a file")
        }
        if counts.cutDocuments > 0 {
            common.talk(
                "no document fell in the validation split: the ends of "
                    + "\(grouped(counts.cutDocuments)) documents were held out, "
                    + "\(grouped(index.validation.textBytes)) bytes")
        } else if part == nil && index.validationFraction > 0 && index.validation.documents == 0 {
            common.talk(
                "no document fell in the validation split, and there is too little text to cut "
                    + "some off: training will have no validation")
        }
    }

    /// The result for people.
    var table: [(String, String)] {
        func part(_ split: Split) -> String {
            let part = index[split]
            return "\(grouped(part.documents)) documents, \(grouped(part.tokens)) tokens, "
                + "\(grouped(part.textBytes)) bytes, \(part.shards.count) shards"
        }
        // As `falcon data info`: the token that ends a document stands for no text.
        let textTokens = counts.tokens - counts.documents
        let bytesPerToken = Double(counts.textBytes) / Double(max(1, textTokens))
        return [
            ("shards", path), ("train", part(.train)), ("validation", part(.validation)),
            ("token type", index.tokenType.rawValue),
            ("bytes per token", decimal(bytesPerToken, places: 2)),
            ("digest", index.datasetDigest),
            (
                "time",
                "\(decimal(seconds, places: 1)) s, "
                    + "\(megabytes(Int(Double(counts.textBytes) / max(seconds, 1e-9))))/s"
            ),
        ]
    }

    /// The output of `--json`.
    var result: some Encodable { Result(self) }

    private struct Result: Encodable {
        let path: String
        /// "2/3"; only of a worker.
        let part: String?
        /// Only of a merge.
        let parts: Int?
        /// Whether it was there already; only of workers and merges.
        let unchanged: Bool?
        let datasetDigest: String
        let tokenizerDigest: String
        let tokenType: TokenType
        let vocabularySize: Int
        let documents: Int
        let duplicateDocuments: Int
        let duplicateBytes: Int
        let contaminatedDocuments: Int
        let contaminatedBytes: Int
        let contaminatedByTask: [String: Int]
        let filteredDocuments: Int
        let filteredBytes: Int
        let filteredByRule: [String: Int]
        let changedDocuments: Int
        let removedBytes: Int
        let emptyDocuments: Int
        let skippedDocuments: Int
        let skippedFiles: Int
        let cutDocuments: Int
        let endTokenTexts: Int
        let tokens: Int
        let textBytes: Int
        let train: DatasetIndex.SplitIndex
        let validation: DatasetIndex.SplitIndex
        let elapsedSeconds: Double

        enum CodingKeys: String, CodingKey {
            case path, part, parts, unchanged, documents, tokens, train, validation
            case datasetDigest = "dataset_digest"
            case tokenizerDigest = "tokenizer_sha256"
            case tokenType = "token_type"
            case vocabularySize = "vocabulary_size"
            case duplicateDocuments = "duplicate_documents"
            case duplicateBytes = "duplicate_bytes"
            case contaminatedDocuments = "contaminated_documents"
            case contaminatedBytes = "contaminated_bytes"
            case contaminatedByTask = "contaminated_by_task"
            case filteredDocuments = "filtered_documents"
            case filteredBytes = "filtered_bytes"
            case filteredByRule = "filtered_by_rule"
            case changedDocuments = "changed_documents"
            case removedBytes = "removed_bytes"
            case emptyDocuments = "empty_documents"
            case skippedDocuments = "skipped_documents"
            case skippedFiles = "skipped_files"
            case cutDocuments = "cut_documents"
            case endTokenTexts = "end_token_texts"
            case textBytes = "text_bytes"
            case elapsedSeconds = "elapsed_seconds"
        }

        init(_ report: TokenizeReport) {
            let (index, counts) = (report.index, report.counts)
            path = report.path
            part = report.part?.description
            parts = report.parts
            unchanged = part != nil || parts != nil ? report.isUnchanged : nil
            datasetDigest = index.datasetDigest
            tokenizerDigest = index.tokenizerDigest
            tokenType = index.tokenType
            vocabularySize = index.vocabularyCount
            documents = counts.documents
            duplicateDocuments = counts.duplicateDocuments
            duplicateBytes = counts.duplicateBytes
            contaminatedDocuments = counts.contaminated.documents
            contaminatedBytes = counts.contaminated.bytes
            contaminatedByTask = counts.contaminated.byTask
            filteredDocuments = counts.filtered.documents
            filteredBytes = counts.filtered.bytes
            filteredByRule = counts.filtered.byRule
            changedDocuments = counts.filtered.changedDocuments
            removedBytes = counts.filtered.removedBytes
            emptyDocuments = counts.emptyDocuments
            skippedDocuments = counts.badDocuments
            skippedFiles = counts.unreadable.count
            cutDocuments = counts.cutDocuments
            endTokenTexts = counts.endTokenTexts
            tokens = counts.tokens
            textBytes = counts.textBytes
            train = index.train
            validation = index.validation
            elapsedSeconds = report.seconds
        }
    }
}
