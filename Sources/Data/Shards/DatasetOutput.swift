import FalconSystem
import FalconTokenizer

/// The folder of a data set that is being written.
///
/// It appears, or takes the place of an earlier one, when all of it is written.
struct DatasetOutput: ~Copyable {
    private let output: AtomicFolder

    /// Begins a data set beside the one that is there.
    ///
    /// - Parameters:
    ///   - folder: created by `commit`; its other files are kept.
    ///   - overwrites: whether a data set in it is replaced.
    /// - Throws: `DataError.outputExists`; `FileError` for what is in the way.
    init(folder: String, overwrites: Bool) throws {
        // Another name for the folder, such as ".", cannot be exchanged.
        let folder = fileKind(of: folder) == .folder ? canonicalPath(folder) : folder
        try createFolder(RawPath(folder).parent)
        let output = try AtomicFolder(path: folder, replacing: fileKind(of: folder) != .missing)
        try keepOtherFiles(of: folder, in: output.partialPath, overwrites: overwrites)
        self.output = output
    }

    /// The folder that holds the files until `commit`.
    var partialPath: String { output.partialPath }

    /// Gives the folder its name.
    ///
    /// - Throws: `FileError` if syncing or renaming fails.
    consuming func commit() throws { try output.commit() }
}

/// Gives files in the folder that are not part of a data set a second name in the new one.
private func keepOtherFiles(of folder: String, in partial: String, overwrites: Bool) throws {
    guard fileKind(of: folder) == .folder else { return }
    let isDataset = fileKind(of: "\(folder)/\(DatasetIndex.fileName)") != .missing
    if isDataset && !overwrites { throw DataError.outputExists(path: folder) }
    for name in try RawPath(folder).names() {
        let text = String(decoding: name, as: UTF8.self)
        let isShard = Split.allCases.contains { text.hasPrefix("\($0.rawValue)-") }
        let base = text.hasSuffix(".partial") ? String(text.dropLast(8)) : text
        let isOurs =
            TokenizerFiles.names.contains(base) || base == DatasetIndex.fileName
            || base == RejectedItem.fileName
        let path = RawPath(folder).appending(name)
        if text == RejectedItem.fileName && !isDataset {
            throw FileError.exists(
                path: path.description,
                advice:
                    "a list of this name may become part of the data set; move it away, or choose "
                    + "another --output")
        }
        if isShard && base.hasSuffix(".tok.zst") || isOurs || text == FolderLock.fileName {
            continue
        }
        guard path.kind != .folder || path.linkTarget != nil else {
            throw FileError.exists(
                path: path.description,
                advice: "the data set would replace the folder that contains it; "
                    + "move it away, or choose another --output")
        }
        try path.link(to: RawPath(partial).appending(name))
    }
}

extension DatasetIndex {
    /// The index of shards that a tokenizer's documents were written to.
    ///
    /// - Parameters:
    ///   - tokenizer: the tokenizer, with a token that ends documents.
    ///   - layout: the layout of tokens.
    ///   - validationFraction: the share of documents that was held out.
    ///   - shards: of both splits, in order.
    /// - Throws: `TokenizerError` without such a token.
    init(
        _ tokenizer: any Tokenizer, layout: ShardLayout, validationFraction: Double,
        shards: (train: [Shard], validation: [Shard])
    ) throws {
        self.init(
            tokenizerDigest: tokenizer.digest, companionDigests: tokenizer.files.companionDigests,
            vocabularyCount: tokenizer.vocabularyCount,
            endOfDocumentID: try tokenizer.requireEndOfDocumentID(), layout: layout,
            validationFraction: validationFraction, train: shards.train,
            validation: shards.validation)
    }

    /// Writes `index.json` and the copy of the tokenizer beside the shards.
    ///
    /// - Parameters:
    ///   - tokenizer: the files of the tokenizer that wrote the shards.
    ///   - folder: the folder of the shards.
    /// - Throws: `FileError`.
    func write(with tokenizer: TokenizerFiles, in folder: String) throws {
        for file in tokenizer.all { try writeFile("\(folder)/\(file.name)", file.bytes) }
        try writeFile("\(folder)/\(Self.fileName)", try encoded())
    }
}

/// Writes a file that appears when it is whole.
func writeFile(_ path: String, _ bytes: [UInt8]) throws {
    var file = try AtomicFile(path: path)
    try file.write(bytes)
    try file.commit()
}
