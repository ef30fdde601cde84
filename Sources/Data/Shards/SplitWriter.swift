/// Sends documents to the split they belong to, and counts them.
struct SplitWriter {
    private let train: ShardWriter
    private let validation: ShardWriter
    private let lists: (train: DocumentListWriter, validation: DocumentListWriter)?
    private var tail: ValidationTail?
    private var counts = CorpusTokenizer.Progress()

    /// - Parameters:
    ///   - folder: an existing folder.
    ///   - layout: the layout of tokens.
    ///   - tail: makes a validation part if no document falls in it; nil for none.
    ///   - listsDocuments: whether the lengths of the documents are written too.
    /// - Throws: `FileError` if a list cannot be created.
    init(
        folder: String, layout: ShardLayout, tail: ValidationTail?, listsDocuments: Bool = false
    ) throws {
        train = ShardWriter(folder: folder, split: .train, layout: layout)
        validation = ShardWriter(folder: folder, split: .validation, layout: layout)
        self.tail = tail
        lists =
            listsDocuments
            ? (
                try DocumentListWriter(folder: folder, split: .train),
                try DocumentListWriter(folder: folder, split: .validation)
            ) : nil
    }

    /// Writes a document, or lets it wait for one that is held out.
    mutating func write(_ document: EncodedDocument, isHeldOut: Bool) throws {
        if isHeldOut {
            for waiting in tail?.takeAll() ?? [] { try write(waiting, to: .train) }
            tail = nil
            try write(document, to: .validation)
        } else if tail != nil {
            for done in tail?.append(document) ?? [] { try write(done, to: .train) }
        } else {
            try write(document, to: .train)
        }
    }

    /// Writes the documents that wait, with a validation part made of their ends.
    ///
    /// - Parameter encode: gives the tokens of a text, with the one that ends it.
    /// - Throws: what `encode` throws; `FileError`.
    mutating func cutTail(_ encode: (String) throws -> [Int32]) throws {
        guard let parts = try tail?.finish(encode) else { return }
        tail = nil
        for document in parts.train { try write(document, to: .train) }
        for document in parts.validation { try write(document, to: .validation) }
        counts.cutDocuments = parts.cutCount
    }

    /// Writes the documents that wait as they are.
    ///
    /// - Returns: their texts, the last ones of the training split.
    mutating func takeTail() throws -> [String] {
        let waiting = tail?.takeAll() ?? []
        tail = nil
        for document in waiting { try write(document, to: .train) }
        return waiting.compactMap(\.text)
    }

    /// Ends the last shards.
    ///
    /// - Returns: all of them.
    func finish() throws -> (train: [DatasetIndex.Shard], validation: [DatasetIndex.Shard]) {
        try train.finish()
        try validation.finish()
        try lists?.train.finish()
        try lists?.validation.finish()
        return (train.shards, validation.shards)
    }

    /// Sets the counts of what was written.
    func add(to total: inout CorpusTokenizer.Progress) {
        total.documents = counts.documents
        total.tokens = counts.tokens
        total.textBytes = counts.textBytes
        total.cutDocuments = counts.cutDocuments
    }

    private mutating func write(_ document: EncodedDocument, to split: Split) throws {
        let isTrain = split == .train
        try (isTrain ? train : validation).append(document.tokens, textBytes: document.textBytes)
        try (isTrain ? lists?.train : lists?.validation)?.append(
            tokens: document.tokens.count, textBytes: document.textBytes)
        counts.documents += 1
        counts.tokens += document.tokens.count
        counts.textBytes += document.textBytes
    }
}
