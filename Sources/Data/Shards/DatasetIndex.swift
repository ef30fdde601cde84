import FalconJSON
import FalconSystem
import FoundationEssentials

/// The integer type of a token in a shard.
public enum TokenType: String, Codable, Sendable {
    case uint16
    case uint32

    /// Bytes of one token.
    public var byteCount: Int { self == .uint16 ? 2 : 4 }

    /// The smaller type that holds every id of a vocabulary.
    ///
    /// - Parameter vocabularyCount: ids run from 0 to this minus 1; up to 65,536 fit in 16 bits.
    public init(vocabularyCount: Int) {
        self = vocabularyCount <= 1 << 16 ? .uint16 : .uint32
    }
}

/// The contents of `index.json`, which describes a folder of token shards.
public struct DatasetIndex: Codable, Sendable, Equatable {
    /// One shard file.
    public struct Shard: Codable, Sendable, Equatable {
        /// The file's name in the folder.
        public let name: String
        /// Tokens in the shard, end-of-document tokens included.
        public let tokens: Int
        /// Documents that end in the shard.
        public let documents: Int
        /// UTF-8 bytes of the documents that end in the shard.
        public let textBytes: Int
        /// The size of the file.
        public let bytes: Int
        /// The SHA-256 of the file.
        public let sha256: String

        enum CodingKeys: String, CodingKey {
            case name, tokens, documents, bytes, sha256
            case textBytes = "text_bytes"
        }
    }

    /// One split: its tokens are those of its shards, one after the other.
    public struct SplitIndex: Codable, Sendable, Equatable {
        /// Tokens in all shards.
        public let tokens: Int
        /// Documents in all shards.
        public let documents: Int
        /// UTF-8 bytes of all documents: the denominator of bits per byte.
        public let textBytes: Int
        /// The shards in order.
        public let shards: [Shard]

        enum CodingKeys: String, CodingKey {
            case tokens, documents, shards
            case textBytes = "text_bytes"
        }

        init(shards: [Shard]) {
            self.shards = shards
            tokens = shards.reduce(0) { $0 + $1.tokens }
            documents = shards.reduce(0) { $0 + $1.documents }
            textBytes = shards.reduce(0) { $0 + $1.textBytes }
        }
    }

    /// The name that marks the format.
    public static let formatName = "falcon-token-shards"
    /// The version that this program writes and reads.
    public static let currentVersion = 1
    /// The name of the file.
    public static let fileName = "index.json"

    /// `formatName`.
    public let format: String
    /// The version of the format.
    public let version: Int
    /// The SHA-256 of the tokenizer's main file.
    public let tokenizerDigest: String
    /// The SHA-256 of the tokenizer's other files, by name; nil if there are none.
    public let companionDigests: [String: String]?
    /// The number of ids of the tokenizer.
    public let vocabularyCount: Int
    /// The integer type of a stored token.
    public let tokenType: TokenType
    /// The id that ends every document.
    public let endOfDocumentID: Int32
    /// Tokens in each frame but a shard's last.
    public let tokensPerFrame: Int
    /// Tokens in each shard but a split's last.
    public let tokensPerShard: Int
    /// The share of documents that was sent to the validation split.
    public let validationFraction: Double
    /// The documents to learn from.
    public let train: SplitIndex
    /// The documents held out.
    public let validation: SplitIndex
    /// The digest that identifies all tokens and their order; see `computedDigest`.
    public private(set) var datasetDigest = ""

    enum CodingKeys: String, CodingKey {
        case format, version, train, validation
        case tokenizerDigest = "tokenizer_sha256"
        case companionDigests = "tokenizer_companions_sha256"
        case vocabularyCount = "vocabulary_size"
        case tokenType = "token_type"
        case endOfDocumentID = "end_of_document_id"
        case tokensPerFrame = "tokens_per_frame"
        case tokensPerShard = "tokens_per_shard"
        case validationFraction = "validation_fraction"
        case datasetDigest = "dataset_digest"
    }

    init(
        tokenizerDigest: String, companionDigests: [String: String]? = nil, vocabularyCount: Int,
        endOfDocumentID: Int32, layout: ShardLayout, validationFraction: Double, train: [Shard],
        validation: [Shard]
    ) {
        format = Self.formatName
        version = Self.currentVersion
        self.tokenizerDigest = tokenizerDigest
        self.companionDigests = companionDigests
        self.vocabularyCount = vocabularyCount
        tokenType = layout.tokenType
        self.endOfDocumentID = endOfDocumentID
        tokensPerFrame = layout.tokensPerFrame
        tokensPerShard = layout.tokensPerShard
        self.validationFraction = validationFraction
        self.train = SplitIndex(shards: train)
        self.validation = SplitIndex(shards: validation)
        datasetDigest = computedDigest
    }

    /// One split of the index.
    ///
    /// - Parameter split: which one.
    /// - Returns: its shards and sums.
    public subscript(split: Split) -> SplitIndex { split == .train ? train : validation }

    /// The digest that the fields of the index give: SHA-256 over what describes the tokens, and
    /// the sizes and SHA-256 of every shard in order.
    public var computedDigest: String {
        var digest = SHA256()
        digest.update("\(format) \(version)\n\(tokenizerDigest)\n")
        digest.update("\(vocabularyCount) \(tokenType.rawValue) \(endOfDocumentID)\n")
        digest.update("\(tokensPerFrame) \(tokensPerShard)\n")
        for shard in [train.shards, validation.shards].joined() {
            digest.update("\(shard.name) \(shard.tokens) \(shard.documents) \(shard.textBytes) ")
            digest.update("\(shard.bytes) \(shard.sha256)\n")
        }
        return digest.finalizeHex()
    }

    /// The JSON of `index.json`: keys sorted, so that equal data give equal bytes.
    func encoded() throws -> [UInt8] {
        Array((try jsonText(self, isPretty: true) + "\n").utf8)
    }

    /// Reads and checks an `index.json`.
    ///
    /// - Parameter path: the file.
    /// - Returns: an index whose sums and digest agree.
    /// - Throws: `FileError` if it cannot be read, `DataError.invalidIndex` if it cannot be right.
    static func load(path: String) throws -> DatasetIndex {
        func invalid(_ reason: String) -> DataError { .invalidIndex(path: path, reason: reason) }
        let bytes = try InputFile.contents(of: path)
        guard let header = try? decodedJSON(Header.self, from: bytes) else {
            throw invalid("not an index of token shards")
        }
        guard header.format == formatName, header.version == currentVersion else {
            throw invalid(
                "holds \(header.format) version \(header.version), "
                    + "want \(formatName) version \(currentVersion)")
        }
        let index: DatasetIndex
        do {
            index = try decodedJSON(DatasetIndex.self, from: bytes)
        } catch {
            throw invalid("a field is missing or of the wrong type: \(error)")
        }
        guard index.datasetDigest == index.computedDigest else {
            throw invalid("its shards and its dataset_digest do not agree: it was changed by hand")
        }
        let widest = index.tokenType == .uint16 ? 1 << 16 : Int(Int32.max)
        guard index.tokensPerFrame > 0, index.tokensPerShard > 0, index.vocabularyCount <= widest,
            (0..<index.vocabularyCount).contains(Int(index.endOfDocumentID)),
            Split.allCases.allSatisfy({ index[$0] == SplitIndex(shards: index[$0].shards) }),
            Split.allCases.allSatisfy({ index.hasShardsOfEqualLength($0) })
        else { throw invalid("its numbers contradict each other") }
        return index
    }

    /// Readers find a token's shard by division.
    private func hasShardsOfEqualLength(_ split: Split) -> Bool {
        let tokens = self[split].shards.map(\.tokens)
        return tokens.dropLast().allSatisfy { $0 == tokensPerShard }
            && tokens.allSatisfy { (1...tokensPerShard).contains($0) }
    }

    private struct Header: Decodable {
        let format: String
        let version: Int
    }
}
