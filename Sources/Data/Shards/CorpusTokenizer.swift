import FalconConcurrency
import FalconSystem
import FalconTokenizer

/// Turns documents into a folder of token shards, on several threads.
///
/// The bytes written are the same for any number of threads. The folder appears, or takes the place of an
/// earlier one, when all of it is written: an error or a kill leaves the earlier one.
public struct CorpusTokenizer: Sendable {
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
    /// What is done to every document by itself.
    public var cleaning = DocumentCleaning()
    /// The documents to leave out because they are like earlier ones; nil for none.
    public var leaveOut: LeaveOutList?
    /// Replace the data set that is in the folder.
    public var overwrites = false
    /// The layout of tokens in shards.
    public var layout: ShardLayout
    /// Bytes of text that wait for a document that is held out; tests ask for others.
    var tailBytes = ValidationTail.usualWaitingBytes

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
        try checkLeaveOut(documents.settings)
        let output = try DatasetOutput(folder: folder, overwrites: overwrites)
        let (index, counts, _) = try writeFiles(
            of: documents, in: output.partialPath, asPart: false, progress)
        try output.commit()
        return (index, counts)
    }

    /// Writes the files of a data set into a folder that is there.
    ///
    /// - Parameters:
    ///   - documents: read to the end.
    ///   - folder: an existing folder.
    ///   - isPart: whether other parts come before or behind: then none of a validation part is made up, lengths of
    ///     documents are listed, and there may be no document.
    ///   - progress: called now and then on the calling thread.
    /// - Returns: the index, the counts, and of a part in which no document was held out the texts of the last
    ///   documents, whose ends may yet become a validation part.
    /// - Throws: as `write` does.
    func writeFiles(
        of documents: sending DocumentReader, in folder: String, asPart isPart: Bool,
        _ progress: ((Progress) -> Void)?
    ) throws -> (index: DatasetIndex, counts: Progress, tail: [String]) {
        guard validationFraction >= 0 && validationFraction <= 1 else {
            throw DataError.invalidOption(
                name: "--validation-fraction", got: "\(validationFraction)", wanted: "0 to 1")
        }
        let encoder = DocumentEncoder(
            tokenizer: tokenizer, endOfDocumentID: try tokenizer.requireEndOfDocumentID(),
            validationFraction: validationFraction, skipsBadDocuments: skipsBadDocuments,
            deduplication: deduplication, cleaning: cleaning)
        var sink = try SplitWriter(
            folder: folder, layout: layout,
            tail: ValidationTail(fraction: validationFraction, waitingBytes: tailBytes),
            listsDocuments: isPart)
        var counts = try run(documents, encoder, into: &sink, in: folder, progress)
        var tail: [String] = []
        if isPart {
            tail = try sink.takeTail()
        } else {
            let words = tokenizer.makeDocumentEncoder()
            try sink.cutTail { try words.encode($0) + [encoder.endOfDocumentID] }
        }
        sink.add(to: &counts)
        let shards = try sink.finish()
        if shards.train.isEmpty && !isPart { throw counts.noTrainingDocuments }
        let index = try DatasetIndex(
            tokenizer, layout: layout, validationFraction: validationFraction, shards: shards)
        try index.write(with: tokenizer.files, in: folder)
        return (index, counts, tail)
    }

    private func run(
        _ documents: sending DocumentReader, _ encoder: DocumentEncoder,
        into sink: inout SplitWriter, in folder: String, _ progress: ((Progress) -> Void)?
    ) throws -> Progress {
        let source = try JobSource(documents, list: leaveOut)
        let pipeline = DocumentPipeline(source, threadCount: threadCount)
        var counts = Progress()
        var seen: Set<DocumentDigest> = []
        try pipeline.run {
            let words = encoder.tokenizer.makeDocumentEncoder()
            return { try encoder.encode($0, words) }
        } consuming: { (encoded: Encoded) in
            for document in encoded.documents {
                if let digest = document.digest, !seen.insert(digest).inserted {
                    counts.duplicateDocuments += 1
                    counts.duplicateBytes += document.textBytes
                } else {
                    let isHeldOut = document.isHeldOut(validationFraction)
                    if isHeldOut { encoder.keepsTexts.lower() }
                    try sink.write(document, isHeldOut: isHeldOut)
                }
            }
            counts.duplicateDocuments += encoded.listedDocuments
            counts.duplicateBytes += encoded.listedBytes
            sink.add(to: &counts)
            counts.emptyDocuments += encoded.emptyDocuments
            counts.badDocuments += encoded.badDocuments
            counts.contaminated.add(encoded.contaminated)
            counts.filtered.add(encoded.filtered)
            counts.firstBadDocument = counts.firstBadDocument ?? encoded.firstBadDocument
            try RejectedItem.append(encoded.rejected, in: folder)
            counts.endTokenTexts += encoded.endTokenTexts
            counts.unreadable = encoded.unreadable
            counts.inputBytes = encoded.inputBytes
            progress?(counts)
        }
        counts.unreadable = source.unreadable
        counts.unseparated = source.unseparated
        counts.inputBytes = source.bytesRead
        try RejectedItem.append(source.takeRejected(), in: folder)
        return counts
    }
}
