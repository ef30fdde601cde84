import FalconSystem
import FalconTokenizer

/// Token shards to and from the files of other trainers.
public struct DataConversion: Sendable {
    /// What was written.
    public struct Counts: Sendable, Equatable {
        /// Documents.
        public var documents = 0
        /// Tokens, those that end documents included.
        public var tokens = 0
    }

    /// The other trainer.
    public var format: ForeignTokenFormat
    /// Whether a data set that is there is replaced.
    public var overwrites = false
    /// The token that ends a document in files that are read; nil for the tokenizer's.
    public var endOfDocumentID: Int?
    /// Bytes of a token in files of OLMo-core, which do not tell; nil for what the vocabulary needs.
    public var tokenBytes: Int?
    /// The share of documents that is held out of files that are read.
    public var validationFraction = 0.0

    /// A conversion.
    ///
    /// - Parameter format: the other trainer.
    public init(_ format: ForeignTokenFormat) { self.format = format }

    /// Writes the splits of a data set for another trainer: `train` and `validation` in a folder.
    ///
    /// - Parameters:
    ///   - dataset: the shards.
    ///   - folder: made by this; it may not be there yet.
    /// - Returns: what was written.
    /// - Throws: `DataError.invalidOption` if the format has no room for the vocabulary; `FileError`.
    public func export(_ dataset: TokenDataset, to folder: String) throws -> Counts {
        let index = dataset.index
        guard let tokenBytes = format.tokenBytes(vocabularyCount: index.vocabularyCount) else {
            throw DataError.invalidOption(
                name: "--to", got: "\(format.rawValue), whose tokens have 16 bits",
                wanted: "a format with 32 bits for a vocabulary of \(index.vocabularyCount): "
                    + "megatron, llm.c or olmo-core")
        }
        let output = try AtomicFolder(path: folder, replacing: false)
        var counts = Counts()
        for split in Split.allCases {
            var writer = ForeignTokenWriter(
                format, path: "\(output.partialPath)/\(split.rawValue)",
                endOfDocumentID: index.endOfDocumentID, tokenBytes: tokenBytes,
                tokenCount: index[split].tokens)
            try dataset.forEachDocument(of: split) { document in
                counts.documents += 1
                counts.tokens += document.count + 1
                try writer.append(document)
            }
            _ = try writer.finish()
        }
        try output.commit()
        return counts
    }

    /// Writes files of another trainer as token shards.
    ///
    /// - Parameters:
    ///   - paths: the files, in order.
    ///   - tokenizer: the one that made them; it tells the bytes of the text, and the split by that text.
    ///   - folder: where the data set will be.
    /// - Returns: its index, and what was written.
    /// - Throws: `DataError`, `FileError`, `TokenizerError`; no data set is left then.
    public func importFiles(
        _ paths: [String], tokenizer: any Tokenizer, to folder: String
    ) throws -> (index: DatasetIndex, counts: Counts) {
        let ownEnd = try tokenizer.requireEndOfDocumentID()
        let count = tokenizer.vocabularyCount
        guard let needed = format.tokenBytes(vocabularyCount: count) else {
            throw DataError.invalidOption(
                name: "--from", got: "\(format.rawValue), whose tokens have 16 bits",
                wanted: "the trainer of files for a vocabulary of \(count)")
        }
        if let tokenBytes, tokenBytes < needed {
            throw DataError.invalidOption(
                name: "--token-bytes", got: "\(tokenBytes)",
                wanted: "4 for a vocabulary of \(count)")
        }
        let output = try DatasetOutput(folder: folder, overwrites: overwrites)
        let layout = ShardLayout(vocabularyCount: tokenizer.vocabularyCount)
        var sink = try SplitWriter(
            folder: output.partialPath, layout: layout,
            tail: ValidationTail(fraction: validationFraction))
        var counts = Counts()
        for path in paths {
            var reader = try ForeignTokenReader(
                format, path: path, endOfDocumentID: endOfDocumentID ?? Int(ownEnd),
                tokenBytes: tokenBytes ?? needed)
            while let document = try reader.next() {
                let tokens = try document.map { token in
                    guard (0..<Int64(tokenizer.vocabularyCount)).contains(token),
                        token != Int64(ownEnd)
                    else {
                        throw DataError.unreadableText(
                            path: reader.path,
                            reason:
                                "document \(counts.documents + 1) holds token \(token), want 0 to "
                                + "\(tokenizer.vocabularyCount - 1) without \(ownEnd), which ends documents; "
                                + "--tokenizer or --token-bytes may be wrong")
                    }
                    return Int32(token)
                }
                if tokens.isEmpty { continue }
                let text = try tokenizer.decode(tokens)
                let place = DocumentDigest(of: text).place
                try sink.write(
                    EncodedDocument(
                        tokens: tokens + [ownEnd], textBytes: text.utf8.count, place: place,
                        text: text),
                    isHeldOut: validationFraction > 0
                        && (place < validationFraction || validationFraction >= 1))
                counts.documents += 1
                counts.tokens += tokens.count + 1
            }
        }
        let words = tokenizer.makeDocumentEncoder()
        try sink.cutTail { try words.encode($0) + [ownEnd] }
        let shards = try sink.finish()
        if shards.train.isEmpty {
            throw DataError.noTrainingDocuments(
                reason: counts.documents == 0
                    ? "the files hold none" : "all \(counts.documents) fell in the validation split"
            )
        }
        let index = DatasetIndex(
            tokenizerDigest: tokenizer.digest, companionDigests: tokenizer.files.companionDigests,
            vocabularyCount: tokenizer.vocabularyCount, endOfDocumentID: ownEnd, layout: layout,
            validationFraction: validationFraction, train: shards.train,
            validation: shards.validation)
        try index.write(with: tokenizer.files, in: output.partialPath)
        try output.commit()
        return (index, counts)
    }
}
