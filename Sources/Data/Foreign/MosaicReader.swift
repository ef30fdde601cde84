/// Reads the documents of a folder of MosaicML's `streaming`, one after the other.
struct MosaicReader: ForeignDocuments {
    /// Names of columns that hold tokens where there are others.
    private static let usualColumns = ["tokens", "input_ids"]
    /// Of llm-foundry's plain bytes: numbers of NumPy's usual size.
    private static let usualPlainBytes = 8

    private let index: MosaicIndex
    private let columnName: String?
    private let end: Int64
    private let plainBytes: Int?
    private let isConcatenated: Bool
    private var shardNumber = 0
    private var shard: MosaicShard?
    private var column = 0
    private var tokens = MosaicColumn.Tokens.array(nil, count: nil)
    private var sample = 0
    // Concatenated: tokens that are not part of a document yet.
    private var piece: ArraySlice<Int64> = []

    /// Opens a folder.
    ///
    /// - Parameters:
    ///   - path: the folder with `index.json`, or that file.
    ///   - column: the name of the column with the tokens; nil for the only one, or a usual name.
    ///   - endOfDocumentID: the token that ends a document there.
    ///   - plainBytes: bytes of a token in a column of plain bytes; nil for the usual.
    ///   - isConcatenated: whether a document may go on in the next sample: only the token ends it.
    /// - Throws: `FileError`; `DataError.unreadableText` for an index that cannot be right.
    init(
        path: String, column: String?, endOfDocumentID: Int, plainBytes: Int?, isConcatenated: Bool
    ) throws {
        index = try MosaicIndex(path: path)
        columnName = column
        end = Int64(endOfDocumentID)
        self.plainBytes = plainBytes
        self.isConcatenated = isConcatenated
    }

    /// The file that is being read.
    var path: String {
        index.shards.isEmpty
            ? index.path : index.shards[min(shardNumber, index.shards.count - 1)].path
    }

    /// The next document, without the token that ends it; nil after the last one.
    mutating func next() throws -> [Int64]? {
        guard isConcatenated else {
            guard var document = try nextSample() else { return nil }
            if document.last == end { document.removeLast() }
            if document.first == end { document.removeFirst() }
            guard !document.contains(end) else {
                throw DataError.unreadableText(
                    path: path,
                    reason:
                        "sample \(sample - 1) holds token \(end), which ends documents, among others; "
                        + "say --concatenated if samples are pieces of one stream")
            }
            return document
        }
        var document: [Int64] = []
        while true {
            if piece.isEmpty {
                guard let sample = try nextSample() else {
                    return document.isEmpty ? nil : document
                }
                piece = sample[...]
            }
            if let place = piece.firstIndex(of: end) {
                document += piece[..<place]
                piece = piece[(place + 1)...]
                if document.isEmpty { continue }
                return document
            }
            document += piece
            piece = []
            try requireLength(document.count)
        }
    }

    private func requireLength(_ count: Int) throws {
        guard count <= ForeignTokenReader.tokenLimit else {
            throw DataError.unreadableText(
                path: path,
                reason: "a document of more than \(ForeignTokenReader.tokenLimit) tokens")
        }
    }

    private mutating func nextSample() throws -> [Int64]? {
        while shardNumber < index.shards.count {
            let open = try shard ?? openShard()
            shard = open
            if let value = try open.next(column: column) {
                let numbers: [Int64]
                do throws(MosaicColumn.Fault) {
                    numbers = try MosaicColumn.numbers(value, tokens)
                } catch {
                    throw DataError.unreadableText(
                        path: path,
                        reason:
                            "sample \(sample): \(error.reason); --column or --token-bytes may be wrong"
                    )
                }
                try requireLength(numbers.count)
                sample += 1
                return numbers
            }
            shard = nil
            shardNumber += 1
        }
        return nil
    }

    private mutating func openShard() throws -> MosaicShard {
        let next = index.shards[shardNumber]
        sample = 0
        let names = next.columns.map(\.name)
        let wanted = columnName.map { [$0] } ?? (names.count == 1 ? names : Self.usualColumns)
        guard let column = names.firstIndex(where: { wanted.contains($0) }) else {
            throw DataError.unreadableText(
                path: index.path,
                reason: "no column \(wanted.joined(separator: " or ")); it has "
                    + names.joined(separator: ", ") + "; say which with --column")
        }
        let encoding = next.columns[column].encoding
        if let plainBytes, encoding != "bytes" {
            throw DataError.invalidOption(
                name: "--token-bytes", got: "\(plainBytes)",
                wanted: "none: column \(names[column]) is \(encoding), which tells it")
        }
        let plain = plainBytes ?? Self.usualPlainBytes
        guard let tokens = next.columns[column].tokens(plainBytes: plain) else {
            throw DataError.unreadableText(
                path: index.path,
                reason:
                    "column \(names[column]) is \(encoding), want tokens: bytes, or "
                    + "ndarray of whole numbers with one axis")
        }
        (self.column, self.tokens) = (column, tokens)
        return try MosaicShard(next)
    }
}
