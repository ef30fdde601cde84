import FalconTokenizer

/// Finds whole documents in the token stream of a split.
///
/// For one thread.
public final class DocumentFinder {
    /// Tokens read at a time.
    private static let pieceTokens = 1 << 12

    private let dataset: TokenDataset
    private let split: Split
    private let reader: TokenReader
    private let tokenizer: any Tokenizer

    /// A finder.
    ///
    /// - Parameters:
    ///   - dataset: the shards.
    ///   - split: which split.
    /// - Throws: `DataError`, `TokenizerError` or `FileError` if the tokenizer beside the shards cannot be
    ///   read.
    public init(_ dataset: TokenDataset, split: Split) throws {
        self.dataset = dataset
        self.split = split
        reader = dataset.reader(of: split)
        tokenizer = try dataset.tokenizer()
    }

    /// Tokens in the split.
    public var tokenCount: Int { reader.tokenCount }

    /// The shard that holds a token.
    ///
    /// - Parameter token: its place in the split, below `tokenCount`.
    /// - Returns: the shard's file and the token's place in it.
    public func shard(ofToken token: Int) -> (name: String, token: Int) {
        let (shard, place) = token.quotientAndRemainder(dividingBy: dataset.index.tokensPerShard)
        return (dataset.index[split].shards[shard].name, place)
    }

    /// The places where the documents of a stretch of tokens begin.
    ///
    /// - Parameter range: places in the split, at least one.
    /// - Returns: ascending; the first may lie before the stretch.
    /// - Throws: `DataError` or `FileError` if the shards cannot be read.
    public func starts(in range: Range<Int>) throws -> [Int] {
        let tokens = try reader.tokens(in: range)
        let end = dataset.index.endOfDocumentID
        return [try start(ofDocumentWith: range.lowerBound)]
            + tokens.indices.dropLast().filter { tokens[$0] == end }.map {
                range.lowerBound + $0 + 1
            }
    }

    /// The document that holds a token.
    ///
    /// - Parameter token: its place in the split, below `tokenCount`.
    /// - Returns: its places, the token that ends it included.
    /// - Throws: `DataError` or `FileError` if the shards cannot be read.
    public func document(with token: Int) throws -> Range<Int> {
        let start = try start(ofDocumentWith: token)
        var next = token
        while next < tokenCount {
            let piece = next..<min(tokenCount, next + Self.pieceTokens)
            let tokens = try reader.tokens(in: piece)
            if let end = tokens.firstIndex(of: dataset.index.endOfDocumentID) {
                return start..<next + end + 1
            }
            next = piece.upperBound
        }
        return start..<tokenCount
    }

    /// The text of a stretch of tokens.
    ///
    /// - Parameters:
    ///   - range: places in the split.
    ///   - limit: tokens after which the text breaks off.
    /// - Returns: the text; a token that ends a document gives nothing.
    /// - Throws: `DataError` or `FileError` if the shards cannot be read, `TokenizerError` if a token is not
    ///   one of the tokenizer's.
    public func text(of range: Range<Int>, limit: Int = .max) throws -> String {
        let end = min(range.upperBound, range.lowerBound + min(limit, range.count))
        let tokens = try reader.tokens(in: range.lowerBound..<end)
        return try tokenizer.decode(tokens.filter { $0 != dataset.index.endOfDocumentID })
    }

    private func start(ofDocumentWith token: Int) throws -> Int {
        var end = token
        while end > 0 {
            let piece = max(0, end - Self.pieceTokens)..<end
            let tokens = try reader.tokens(in: piece)
            if let last = tokens.lastIndex(of: dataset.index.endOfDocumentID) {
                return piece.lowerBound + last + 1
            }
            end = piece.lowerBound
        }
        return 0
    }
}
