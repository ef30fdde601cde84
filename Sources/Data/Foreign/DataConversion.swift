import FalconSystem
import FalconTokenizer

/// Token shards to and from the files of other trainers.
public struct DataConversion: Sendable {
    /// The other trainer.
    public var format: ForeignTokenFormat
    /// Whether a data set that is there is replaced.
    public var overwrites = false
    /// The token that ends a document in files that are read; nil for the tokenizer's.
    public var endOfDocumentID: Int?
    /// Bytes of a token where files do not tell: OLMo-core's, nil for what the vocabulary needs; columns of
    /// plain bytes in `mds`, nil for 8.
    public var tokenBytes: Int?
    /// The column of `mds` that holds tokens; nil for the only one, `tokens` or `input_ids`.
    public var column: String?
    /// Whether samples of `mds` are pieces of one stream, in which a token ends documents.
    public var isConcatenated = false
    /// Whether shards of `mds` are written compressed, with zstd.
    public var isCompressed = false
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
    /// - Throws: `DataError.invalidOption` if the format has no room for the vocabulary; `FileError`.
    public func export(_ dataset: TokenDataset, to folder: String) throws {
        let index = dataset.index
        guard let tokenBytes = format.tokenBytes(vocabularyCount: index.vocabularyCount) else {
            throw DataError.invalidOption(
                name: "--to", got: "\(format.rawValue), whose tokens have 16 bits",
                wanted: "a format with 32 bits for a vocabulary of \(index.vocabularyCount): "
                    + "megatron, llm.c, olmo-core or mds")
        }
        let output = try AtomicFolder(path: folder, replacing: false)
        for split in Split.allCases {
            if format == .mds {
                var writer = MosaicWriter(
                    folder: "\(output.partialPath)/\(split.rawValue)",
                    endOfDocumentID: index.endOfDocumentID, tokenBytes: tokenBytes,
                    isCompressed: isCompressed)
                try dataset.forEachDocument(of: split) { try writer.append($0) }
                try writer.finish()
                continue
            }
            var writer = ForeignTokenWriter(
                format, path: "\(output.partialPath)/\(split.rawValue)",
                endOfDocumentID: index.endOfDocumentID, tokenBytes: tokenBytes,
                tokenCount: index[split].tokens)
            try dataset.forEachDocument(of: split) { try writer.append($0) }
            try writer.finish()
        }
        try output.commit()
    }

    /// Writes files of another trainer as token shards.
    ///
    /// - Parameters:
    ///   - paths: the files, in order.
    ///   - tokenizer: the one that made them; it tells the bytes of the text, and the split by that text.
    ///   - folder: where the data set will be.
    /// - Returns: its index.
    /// - Throws: `DataError`, `FileError`, `TokenizerError`; no data set is left then.
    public func importFiles(
        _ paths: [String], tokenizer: any Tokenizer, to folder: String
    ) throws -> DatasetIndex {
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
        var documentCount = 0
        for path in paths {
            var reader = try reader(
                of: path, endOfDocumentID: endOfDocumentID ?? Int(ownEnd), needed: needed)
            while let document = try reader.next() {
                documentCount += 1
                let tokens = try Self.tokens(
                    document, of: tokenizer, end: ownEnd,
                    place: "document \(documentCount)", in: reader.path)
                if tokens.isEmpty { continue }
                let text = try tokenizer.decode(tokens)
                let encoded = EncodedDocument(
                    tokens: tokens + [ownEnd], textBytes: text.utf8.count,
                    place: DocumentDigest(of: text).place, text: text)
                try sink.write(encoded, isHeldOut: encoded.isHeldOut(validationFraction))
            }
        }
        let words = tokenizer.makeDocumentEncoder()
        try sink.cutTail { try words.encode($0) + [ownEnd] }
        let shards = try sink.finish()
        if shards.train.isEmpty {
            throw DataError.noTrainingDocuments(
                reason: shards.validation.isEmpty
                    ? "the files hold none" : "all fell in the validation split")
        }
        let index = try DatasetIndex(
            tokenizer, layout: layout, validationFraction: validationFraction, shards: shards)
        try index.write(with: tokenizer.files, in: output.partialPath)
        try output.commit()
        return index
    }

    private func reader(
        of path: String, endOfDocumentID: Int, needed: Int
    ) throws -> any ForeignDocuments {
        if format == .mds {
            return try MosaicReader(
                path: path, column: column, endOfDocumentID: endOfDocumentID,
                plainBytes: tokenBytes, isConcatenated: isConcatenated)
        }
        return try ForeignTokenReader(
            format, path: path, endOfDocumentID: endOfDocumentID,
            tokenBytes: tokenBytes ?? needed)
    }

    /// The tokens of a document of another trainer's file, if they can be the tokenizer's.
    private static func tokens(
        _ document: [Int64], of tokenizer: any Tokenizer, end: Int32, place: String, in path: String
    ) throws(DataError) -> [Int32] {
        let known = 0..<Int64(tokenizer.vocabularyCount)
        if let other = document.first(where: { !known.contains($0) || $0 == Int64(end) }) {
            throw .unreadableText(
                path: path,
                reason:
                    "\(place) holds token \(other), want 0 to \(known.upperBound - 1) without \(end), "
                    + "which ends documents; --tokenizer or --token-bytes may be wrong")
        }
        return document.map { Int32($0) }
    }
}
