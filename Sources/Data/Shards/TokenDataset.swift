import FalconSystem
import FalconTokenizer

/// A folder of token shards, as `falcon tokenize` writes it.
///
/// Opening reads the index and the shards' seek tables, no tokens. Any number of readers, one per
/// thread, may read at the same time.
public final class TokenDataset: Sendable {
    /// The folder.
    public let path: String
    /// The contents of `index.json`.
    public let index: DatasetIndex
    private let train: [ShardFile]
    private let validation: [ShardFile]

    /// Opens a data set and checks that its files are the ones the index describes.
    ///
    /// - Parameter path: the folder.
    /// - Throws: `FileError` for a missing file, `DataError` for an index or shard that is damaged.
    public init(path: String) throws {
        self.path = path
        let index = try DatasetIndex.load(path: "\(path)/\(DatasetIndex.fileName)")
        self.index = index
        train = try index.train.shards.map { try ShardFile($0, of: index, in: path) }
        validation = try index.validation.shards.map { try ShardFile($0, of: index, in: path) }
    }

    /// The shards of a split, in order.
    func shards(of split: Split) -> [ShardFile] { split == .train ? train : validation }

    /// A reader of one split, for one thread.
    ///
    /// - Parameter split: which split.
    /// - Returns: a reader with its own small cache.
    public func reader(of split: Split) -> TokenReader { TokenReader(self, split) }

    /// Loads the copy of the tokenizer that lies beside the shards.
    ///
    /// - Returns: the tokenizer that wrote the shards.
    /// - Throws: `DataError.tokenizerMismatch` if the copy was replaced by another; `TokenizerError` for one
    ///   that cannot be used.
    public func tokenizer() throws -> any Tokenizer {
        try tokenizerFiles().tokenizer(folder: path)
    }

    /// Reads the copy of the tokenizer's files that lies beside the shards.
    ///
    /// - Returns: the files of the tokenizer that wrote the shards.
    /// - Throws: `DataError.tokenizerMismatch` if the copy was replaced by another.
    public func tokenizerFiles() throws -> TokenizerFiles {
        guard let files = try TokenizerFiles.find(inFolder: path) else {
            throw FileError.missing(path: path + "/" + TokenizerFiles.modelName)
        }
        guard let used = files.withMain(digest: index.tokenizerDigest) else {
            throw DataError.tokenizerMismatch(
                path: path, got: index.tokenizerDigest, wanted: SHA256.hex(of: files.main.bytes))
        }
        return used
    }

    /// Checks that shards and a tokenizer belong together.
    ///
    /// They do if the tokenizer is the one that wrote the shards, or does the same from other
    /// files: one that was stored in a GGUF file, for instance.
    ///
    /// - Parameter tokenizer: any tokenizer.
    /// - Throws: `DataError.tokenizerMismatch` if the shards were written with another.
    public func requireTokenizer(_ tokenizer: any Tokenizer) throws(DataError) {
        if tokenizer.digest == index.tokenizerDigest { return }
        if let own = try? self.tokenizer(), own.fingerprint == tokenizer.fingerprint { return }
        throw .tokenizerMismatch(
            path: path, got: index.tokenizerDigest, wanted: tokenizer.digest)
    }

    /// Checks that another data set was written with the same tokenizer, so that their ids mean the same.
    ///
    /// - Parameter other: any data set.
    /// - Throws: `DataError.mixedTokenizers` if it was not.
    func requireSameTokenizer(as other: TokenDataset) throws(DataError) {
        if index.tokenizerDigest == other.index.tokenizerDigest { return }
        if let own = try? tokenizer(), let others = try? other.tokenizer(),
            own.fingerprint == others.fingerprint
        {
            return
        }
        throw .mixedTokenizers(
            path: path, got: index.tokenizerDigest, other: other.path,
            wanted: other.index.tokenizerDigest)
    }

    /// Compares the files of the tokenizer with the index.
    ///
    /// - Throws: `DataError.damagedTokenizer` for a file that is not the one the shards were written with;
    ///   `FileError` for one that is missing.
    func verifyTokenizer() throws {
        guard let files = try TokenizerFiles.find(inFolder: path) else {
            throw FileError.missing(path: path + "/" + TokenizerFiles.modelName)
        }
        guard files.withMain(digest: index.tokenizerDigest) != nil else {
            throw DataError.damagedTokenizer(
                path: path + "/" + files.main.name, got: SHA256.hex(of: files.main.bytes),
                wanted: index.tokenizerDigest)
        }
        for (name, wanted) in (index.companionDigests ?? [:]).sorted(by: { $0.key < $1.key }) {
            guard let bytes = files.bytes(of: name) else {
                throw FileError.missing(path: path + "/" + name)
            }
            let got = SHA256.hex(of: bytes)
            if got != wanted {
                throw DataError.damagedTokenizer(
                    path: path + "/" + name, got: got, wanted: wanted)
            }
        }
    }

    /// Reads every byte of every shard and of the tokenizer and compares it with the index.
    ///
    /// - Parameter threadCount: shards read at the same time.
    /// - Throws: `DataError.damagedShard` for the first damaged shard, with the bytes concerned;
    ///   `DataError.damagedTokenizer`.
    public func verify(threadCount: Int = 1) throws {
        try verifyTokenizer()
        let shards = train + validation
        try inOrder(shards.count, threadCount: threadCount) {
            { try shards[$0].verify() }
        } consuming: {
        }
    }
}

/// Reads tokens of a split anywhere; decodes only the frames it needs and keeps the latest ones.
///
/// For one thread; other threads take readers of their own.
public final class TokenReader {
    // 16 frames of 16 KiB: a sample read in parts, and its neighbours.
    private static let cachedFrameCount = 16

    private let shards: [ShardFile]
    private let tokensPerFrame: Int
    private let tokensPerShard: Int
    private let tokenByteCount: Int
    private let decoder = ZstdFrameDecoder()
    /// The frames used last, the latest at the end.
    private var cache: [(shard: Int, frame: Int, bytes: [UInt8])] = []
    /// Tokens in the split.
    public let tokenCount: Int

    init(_ dataset: TokenDataset, _ split: Split) {
        shards = dataset.shards(of: split)
        tokensPerFrame = dataset.index.tokensPerFrame
        tokensPerShard = dataset.index.tokensPerShard
        tokenByteCount = dataset.index.tokenType.byteCount
        tokenCount = dataset.index[split].tokens
    }

    /// Reads tokens.
    ///
    /// - Parameter range: places in the split's token stream, within 0 to `tokenCount`.
    /// - Returns: the ids.
    /// - Throws: `DataError.damagedShard` if a frame is damaged, `FileError` if it cannot be read.
    public func tokens(in range: Range<Int>) throws -> [Int32] {
        precondition(
            range.lowerBound >= 0 && range.upperBound <= tokenCount,
            "TokenReader: tokens \(range), want a part of 0..<\(tokenCount)")
        return try unsafe [Int32](unsafeUninitializedCapacity: range.count) { tokens, filled in
            while filled < range.count {
                let (shard, place) = (range.lowerBound + filled)
                    .quotientAndRemainder(dividingBy: tokensPerShard)
                let (frame, first) = place.quotientAndRemainder(dividingBy: tokensPerFrame)
                let bytes = try bytes(ofFrame: frame, inShard: shard)
                let count = min(range.count - filled, bytes.count / tokenByteCount - first)
                let target = unsafe UnsafeMutableBufferPointer(
                    rebasing: tokens[filled..<filled + count])
                unsafe copy(bytes, from: first, to: target)
                filled += count
            }
        }
    }

    private func bytes(ofFrame frame: Int, inShard shard: Int) throws -> [UInt8] {
        if let hit = cache.lastIndex(where: { $0.shard == shard && $0.frame == frame }) {
            cache.append(cache.remove(at: hit))
        } else {
            let bytes = try shards[shard].frame(frame, decoder)
            if cache.count == Self.cachedFrameCount { cache.removeFirst() }
            cache.append((shard, frame, bytes))
        }
        return cache[cache.count - 1].bytes
    }

    /// Widens stored tokens.
    private func copy(
        _ bytes: [UInt8], from first: Int, to tokens: UnsafeMutableBufferPointer<Int32>
    ) {
        precondition(bytes.count / tokenByteCount - first >= tokens.count)
        unsafe bytes.withUnsafeBytes { bytes in
            let stored = unsafe UnsafeRawBufferPointer(
                rebasing: bytes[(first * tokenByteCount)...])
            if tokenByteCount == 2 {
                for place in tokens.indices {
                    unsafe tokens[place] = Int32(
                        UInt16(
                            littleEndian: stored.loadUnaligned(
                                fromByteOffset: 2 * place, as: UInt16.self)))
                }
            } else {
                for place in tokens.indices {
                    unsafe tokens[place] = Int32(
                        littleEndian: stored.loadUnaligned(
                            fromByteOffset: 4 * place, as: Int32.self))
                }
            }
        }
    }
}

extension TokenizerFiles {
    /// The same files, with the main one that has a digest.
    ///
    /// - Parameter digest: a SHA-256 in hexadecimal.
    /// - Returns: nil if neither `tokenizer.model` nor `tokenizer.json` has it.
    func withMain(digest: String) -> TokenizerFiles? {
        let main = all.first {
            ($0.name == Self.modelName || $0.name == Self.jsonName)
                && SHA256.hex(of: $0.bytes) == digest
        }
        return main.map { main in
            TokenizerFiles(main: main, companions: all.filter { $0.name != main.name })
        }
    }

    /// The SHA-256 of every file but the main one, by name; nil if there are none.
    var companionDigests: [String: String]? {
        companions.isEmpty
            ? nil
            : Dictionary(companions.map { ($0.name, SHA256.hex(of: $0.bytes)) }) { first, _ in first
            }
    }
}
