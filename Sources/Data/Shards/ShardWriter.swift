import FalconSystem

/// The layout of tokens in shards; it fixes every byte that is written.
public struct ShardLayout: Sendable, Equatable {
    /// The integer type of a stored token.
    public let tokenType: TokenType
    /// Tokens in each frame but a shard's last; a whole frame is decoded to reach one token.
    public let tokensPerFrame: Int
    /// Tokens in each shard but a split's last.
    public let tokensPerShard: Int

    // A frame is the least that is decoded: small ones serve short samples in random order, large
    // ones compress better. English with 4096 pieces: 32768 tokens a frame save 3 % over 8192, and
    // cost 4 times as much for a short sample. 2^27 tokens a shard: 256 MiB before compression.
    /// Tokens in a frame unless a test asks for others.
    public static let usualTokensPerFrame = 1 << 13
    /// Tokens in a shard unless a test asks for others.
    public static let usualTokensPerShard = 1 << 27

    /// A layout for a vocabulary.
    ///
    /// - Parameters:
    ///   - vocabularyCount: the number of ids.
    ///   - tokensPerFrame: 1 to 2^28.
    ///   - tokensPerShard: at least 1.
    public init(
        vocabularyCount: Int, tokensPerFrame: Int = usualTokensPerFrame,
        tokensPerShard: Int = usualTokensPerShard
    ) {
        precondition(
            (1...1 << 28).contains(tokensPerFrame) && tokensPerShard >= 1,
            "ShardLayout: \(tokensPerFrame) tokens a frame, \(tokensPerShard) a shard")
        tokenType = TokenType(vocabularyCount: vocabularyCount)
        self.tokensPerFrame = tokensPerFrame
        self.tokensPerShard = tokensPerShard
    }
}

/// Writes the shards of one split, one after the other.
///
/// A shard appears under its name when it is whole. `removeShards()` takes away those already
/// written, so that a failed run leaves nothing.
final class ShardWriter {
    // zstd's usual level: 220 MB/s per thread, far above the tokenizer.
    private static let compressionLevel: Int32 = 3

    private let folder: String
    private let split: Split
    private let layout: ShardLayout
    private let encoder = ZstdFrameEncoder(level: compressionLevel)
    private var file: AtomicFile?
    private var seekTable = SeekTable()
    private var frame: [UInt8] = []
    private var tokensInFrame = 0
    private var tokensInShard = 0
    private var documentsInShard = 0
    private var textBytesInShard = 0
    private(set) var shards: [DatasetIndex.Shard] = []

    /// - Parameters:
    ///   - folder: an existing folder.
    ///   - split: gives the shards their names.
    ///   - layout: the layout of tokens.
    init(folder: String, split: Split, layout: ShardLayout) {
        self.folder = folder
        self.split = split
        self.layout = layout
        frame.reserveCapacity(layout.tokensPerFrame * layout.tokenType.byteCount)
    }

    /// The name of a shard.
    static func name(_ split: Split, _ number: Int) -> String {
        let digits = String(number)
        let zeros = String(repeating: "0", count: max(0, 5 - digits.count))
        return "\(split.rawValue)-\(zeros)\(digits).tok.zst"
    }

    /// Appends one document.
    ///
    /// - Parameters:
    ///   - tokens: its tokens, the end-of-document token last.
    ///   - textBytes: the UTF-8 bytes of its text.
    /// - Throws: `FileError`, for instance when the disk is full.
    func append(_ tokens: [Int32], textBytes: Int) throws {
        var next = 0
        while next < tokens.count {
            if tokensInShard == layout.tokensPerShard { try finishShard() }
            let end =
                next
                + min(
                    tokens.count - next, layout.tokensPerFrame - tokensInFrame,
                    layout.tokensPerShard - tokensInShard)
            Self.append(tokens[next..<end], as: layout.tokenType, to: &frame)
            tokensInFrame += end - next
            tokensInShard += end - next
            next = end
            if tokensInFrame == layout.tokensPerFrame { try finishFrame() }
        }
        documentsInShard += 1
        textBytesInShard += textBytes
    }

    /// Ends the last shard.
    ///
    /// - Throws: `FileError`, for instance when the disk is full.
    func finish() throws {
        if tokensInShard > 0 { try finishShard() }
    }

    /// Removes the shards that were written.
    func removeShards() {
        file = nil
        for shard in shards { try? removeFile("\(folder)/\(shard.name)") }
        shards = []
    }

    private static func append(
        _ tokens: ArraySlice<Int32>, as type: TokenType, to frame: inout [UInt8]
    ) {
        for token in tokens {
            frame.append(UInt8(truncatingIfNeeded: token))
            frame.append(UInt8(truncatingIfNeeded: token >> 8))
            if type == .uint32 {
                frame.append(UInt8(truncatingIfNeeded: token >> 16))
                frame.append(UInt8(truncatingIfNeeded: token >> 24))
            }
        }
    }

    private func finishFrame() throws {
        let compressed = encoder.frame(of: frame)
        if file == nil {
            file = try AtomicFile(path: "\(folder)/\(Self.name(split, shards.count))")
        }
        try file?.write(compressed)
        seekTable.entries.append(
            .init(
                compressedBytes: UInt32(compressed.count), contentBytes: UInt32(frame.count),
                // A frame ends with the low half of its content's XXH64: the table's checksum.
                checksum: littleEndianUInt32(compressed, at: compressed.count - 4)))
        frame.removeAll(keepingCapacity: true)
        tokensInFrame = 0
    }

    private func finishShard() throws {
        if tokensInFrame > 0 { try finishFrame() }
        guard var finished = file.take() else { return }
        try finished.write(seekTable.serialized)
        let bytes = finished.byteCount
        shards.append(
            .init(
                name: Self.name(split, shards.count), tokens: tokensInShard,
                documents: documentsInShard, textBytes: textBytesInShard, bytes: bytes,
                sha256: try finished.commit()))
        seekTable = SeekTable()
        tokensInShard = 0
        documentsInShard = 0
        textBytesInShard = 0
    }
}
