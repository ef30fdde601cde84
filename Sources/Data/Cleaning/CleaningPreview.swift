/// What cleaning would leave out of documents, and why.
public struct CleaningPreview: Sendable, Equatable {
    /// A document that would be left out.
    public struct Example: Sendable, Equatable, Encodable {
        /// Examples of a reason.
        public static let limit = 3
        /// Characters of the text's beginning.
        static let beginningLength = 80

        /// The file, or "standard input".
        public let path: String
        /// Where it begins: "line 3"; nil where the whole file is the document.
        public let place: String?
        /// What was found, where the name of the reason does not say it.
        public let finding: String?
        /// The beginning of its text; nil if it has none.
        public let beginning: String?
        /// Of a duplicate, the document that is kept instead: "a.jsonl, line 3".
        public internal(set) var keptInstead: String?
        /// The same before files have names.
        var kept: DocumentPosition?

        enum CodingKeys: String, CodingKey {
            case path, place, finding, beginning
            case keptInstead = "kept_instead"
        }
    }

    /// Documents that would be left out for one reason.
    public struct Reason: Sendable, Equatable, Encodable {
        /// Their number.
        public internal(set) var documents = 0
        /// Their UTF-8 bytes, as they were read.
        public internal(set) var bytes = 0
        /// The first of them.
        public internal(set) var examples: [Example] = []
    }

    /// Documents that were read, those that are not valid included.
    public internal(set) var documents = 0
    /// UTF-8 bytes of those with a text.
    public internal(set) var bytes = 0
    /// Documents that would be written.
    public internal(set) var keptDocuments = 0
    /// Their UTF-8 bytes, as they would be written.
    public internal(set) var keptBytes = 0
    /// Documents that would be written without some of their lines.
    public internal(set) var changedDocuments = 0
    /// UTF-8 bytes of those lines.
    public internal(set) var removedBytes = 0
    /// What would be left out, by reason: names of rules, `empty`, `not_valid`, `contaminated`, `duplicate_exact`,
    /// `duplicate_normalized`, `duplicate_near`.
    public internal(set) var reasons: [String: Reason] = [:]
    /// Files and folders that cannot be read; only if the reader skips them.
    public internal(set) var unreadable = LeftOut()
    /// Bytes of input read, before decompression.
    public internal(set) var inputBytes = 0
}

/// What becomes of the documents of a job.
struct PreviewedDocuments: JobOutput {
    struct Item: Sendable {
        let position: DocumentPosition
        let bytes: Int
        /// Bytes that would be written, if it is not left out.
        var keptBytes = 0
        /// Nil for a document that is kept, unless it is the same as an earlier one.
        var reason: String?
        /// The digest that the same documents share.
        var digest: DocumentDigest?
        /// The document that a list keeps instead.
        var kept: DocumentPosition?
        var example: CleaningPreview.Example
    }

    var items: [Item] = []
    let documentBytes: Int
    let inputBytes: Int
}

extension CorpusTokenizer {
    /// Reads and cleans documents, and writes nothing.
    ///
    /// - Parameters:
    ///   - documents: read to the end.
    ///   - share: the worker's share of them; nil for all.
    ///   - progress: called now and then on the calling thread.
    /// - Returns: what would be left out.
    /// - Throws: what `write` and `writePart` throw for the same documents.
    public func preview(
        _ documents: sending DocumentReader, share: InputShare? = nil,
        progress: ((CleaningPreview) -> Void)? = nil
    ) throws -> CleaningPreview {
        if let share { try checkShare(share) }
        try checkLeaveOut(documents.settings)
        if let share { try documents.keep(share) }
        let source = try JobSource(documents, list: leaveOut)
        var preview = CleaningPreview()
        var seen: [DocumentDigest: DocumentPosition] = [:]
        try DocumentPipeline(source, threadCount: threadCount).run {
            { try self.previewed($0) }
        } consuming: { (found: PreviewedDocuments) in
            for item in found.items {
                var item = item
                if let digest = item.digest {
                    if let first = seen[digest] {
                        item.reason = "duplicate_\(deduplication.rawValue)"
                        item.kept = first
                    } else {
                        seen[digest] = item.position
                    }
                }
                preview.add(item)
            }
            preview.inputBytes = found.inputBytes
            progress?(preview)
        }
        preview.nameKeptDocuments { source.fileName($0) }
        preview.unreadable = source.unreadable
        preview.inputBytes = source.bytesRead
        return preview
    }

    private func previewed(_ job: Job) throws -> PreviewedDocuments {
        var found = PreviewedDocuments(
            documentBytes: job.documentBytes, inputBytes: job.inputBytes)
        for (place, raw) in job.documents.enumerated() {
            var text = ""
            var (reason, finding): (String?, String?)
            var kept = ""
            do throws(DataError) {
                text = try raw.text()
                if text.isEmpty { reason = "empty" }
            } catch {
                guard skipsBadDocuments else { throw error }
                (reason, finding) = ("not_valid", error.finding)
            }
            if reason == nil {
                switch cleaning.outcome(for: text) {
                case .kept(let cleaned): kept = cleaned
                case .filtered(let found): (reason, finding) = (found.rule, found.text)
                case .contaminated(let found):
                    reason = "contaminated"
                    finding = "\(found.tasks.joined(separator: ", ")): \(found.excerpt)"
                }
            }
            let listed = reason == nil ? job.listed[place] : nil
            if listed != nil { reason = "duplicate_" + (leaveOut?.header.by ?? "") }
            let beginning = text.prefix(CleaningPreview.Example.beginningLength)
            var item = PreviewedDocuments.Item(
                position: raw.position, bytes: text.utf8.count, keptBytes: kept.utf8.count,
                reason: reason, kept: listed,
                example: CleaningPreview.Example(
                    path: raw.path, place: raw.place?.description, finding: finding,
                    beginning: text.isEmpty ? nil : String(beginning)))
            if reason == nil && deduplication != .off {
                item.digest = deduplication.digest(
                    of: kept, own: deduplication == .exact ? DocumentDigest(of: kept) : nil)
            }
            found.items.append(item)
        }
        return found
    }
}

extension CleaningPreview {
    fileprivate mutating func add(_ item: PreviewedDocuments.Item) {
        documents += 1
        bytes += item.bytes
        guard let reason = item.reason else {
            keptDocuments += 1
            keptBytes += item.keptBytes
            if item.keptBytes < item.bytes {
                changedDocuments += 1
                removedBytes += item.bytes - item.keptBytes
            }
            return
        }
        reasons[reason, default: Reason()].documents += 1
        reasons[reason, default: Reason()].bytes += item.bytes
        if reasons[reason, default: Reason()].examples.count < Example.limit {
            var example = item.example
            example.kept = item.kept
            reasons[reason, default: Reason()].examples.append(example)
        }
    }

    /// Names the documents that are kept instead of those of the examples.
    fileprivate mutating func nameKeptDocuments(_ fileName: (Int) -> String) {
        for key in reasons.keys {
            guard var reason = reasons[key] else { continue }
            for place in reason.examples.indices {
                guard let kept = reason.examples[place].kept else { continue }
                // Files of one run are of one format, but for rare mixtures.
                let unit = reason.examples[place].place?.hasPrefix("row") == true ? "row" : "line"
                reason.examples[place].keptInstead =
                    fileName(kept.file) + (kept.line > 0 ? ", \(unit) \(kept.line)" : "")
            }
            reasons[key] = reason
        }
    }
}
