import FalconSystem

/// Reads the documents of another trainer's file, one after the other.
struct ForeignTokenReader: ForeignDocuments {
    private static let pieceBytes = 1 << 20
    /// The longest document: what a tokenizer could have made of the longest text.
    static let tokenLimit = DocumentReader.documentLimitBytes

    /// The file with the tokens.
    let path: String
    private let file: InputFile
    private let end: Int64
    private var tokenBytes: Int
    private let isSigned: Bool
    /// Where the tokens begin and end.
    private var place: Int
    private let endPlace: Int
    private var piece: ArraySlice<Int64> = []
    /// Megatron: tokens of the documents that are left; nil if the end token tells.
    private var lengths: ArraySlice<Int>?

    /// Opens a file.
    ///
    /// - Parameters:
    ///   - format: which trainer's.
    ///   - path: the file; of Megatron, either of the two, or their common name.
    ///   - endOfDocumentID: the token that ends a document there.
    ///   - tokenBytes: bytes of a token, if the file does not tell.
    /// - Throws: `FileError`; `DataError.unreadableText` for a file that cannot be right.
    init(
        _ format: ForeignTokenFormat, path: String, endOfDocumentID: Int, tokenBytes: Int
    ) throws {
        end = Int64(endOfDocumentID)
        if format == .megatron {
            let base =
                path.hasSuffix(".idx") || path.hasSuffix(".bin") ? String(path.dropLast(4)) : path
            let index = try MegatronIndex(path: base + ".idx")
            self.path = base + ".bin"
            (self.tokenBytes, isSigned) = (index.tokenBytes, index.isSigned)
            lengths = index.lengths[...]
        } else {
            self.path = path
            (self.tokenBytes, isSigned) = (tokenBytes, false)
        }
        file = try InputFile(path: self.path)
        guard fileKind(of: self.path) == .file, let byteCount = RawPath(self.path).byteCount else {
            throw DataError.unreadableText(
                path: self.path, reason: "not a file; give the files themselves")
        }
        (place, endPlace) = (0, byteCount)
        if format == .llmc {
            try readHeader(byteCount)
            place = ForeignNumbers.llmcHeaderBytes
        }
        if let lengths {
            let wanted = lengths.reduce(0) { $0 &+ $1 } &* self.tokenBytes
            guard wanted == byteCount else {
                throw DataError.unreadableText(
                    path: self.path,
                    reason: "\(byteCount) bytes long, and its .idx tells of \(wanted)")
            }
        }
        let start = [UInt8](try file.bytes(at: 0, count: min(6, byteCount)))
        if start.starts(with: [0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59]) {
            throw DataError.unreadableText(
                path: self.path,
                reason:
                    "it has NumPy's header, which OLMo-core's files of tokens lack; save the array with "
                    + "tofile")
        }
        try requireWidth(format)
        guard (endPlace - place) % self.tokenBytes == 0 else {
            throw DataError.unreadableText(
                path: self.path,
                reason:
                    "\(endPlace - place) bytes of tokens, want a multiple of \(self.tokenBytes): it is cut "
                    + "short, or --token-bytes is wrong")
        }
    }

    /// Every second of 16-bit tokens is zero if they are small tokens of 32 bits.
    private func requireWidth(_ format: ForeignTokenFormat) throws {
        guard format == .olmo || format == .nanogpt, tokenBytes == 2, (endPlace - place) % 4 == 0
        else {
            return
        }
        let bytes = try file.bytes(at: place, count: min(1 << 12, endPlace - place))
        let upper = stride(from: 2, to: bytes.count - 1, by: 4).map { number(bytes, at: $0) }
        if upper.count >= 8 && upper.allSatisfy({ $0 == 0 }) {
            throw DataError.unreadableText(
                path: path,
                reason: "every second token is 0: its tokens have 4 bytes"
                    + (format == .olmo ? "; say --token-bytes 4" : ", and nanoGPT's have 2"))
        }
    }

    private mutating func readHeader(_ byteCount: Int) throws {
        let bytes = try file.bytes(at: 0, count: min(12, byteCount))
        guard bytes.count == 12, byteCount >= ForeignNumbers.llmcHeaderBytes else {
            throw DataError.unreadableText(path: path, reason: "too short for llm.c's header")
        }
        let numbers = [0, 4, 8].map { littleEndianUInt32(bytes, at: $0) }
        let width = ForeignNumbers.llmcMagic.first { $0.value == (numbers[0], numbers[1]) }?.key
        guard let width else {
            throw DataError.unreadableText(
                path: path,
                reason: "it begins with \(numbers[0]) and \(numbers[1]), want those of llm.c: "
                    + "20240520 and 1 for 2 bytes a token, 20240801 and 7 for 4")
        }
        tokenBytes = width
        let tokens = (byteCount - ForeignNumbers.llmcHeaderBytes) / tokenBytes
        guard Int(numbers[2]) == tokens else {
            throw DataError.unreadableText(
                path: path,
                reason: "its header tells of \(numbers[2]) tokens, and it holds \(tokens)")
        }
    }

    /// The next document, without the token that ends it; nil after the last one.
    mutating func next() throws -> [Int64]? {
        if lengths != nil { return try nextOfKnownLength() }
        var document: [Int64] = []
        while true {
            if piece.isEmpty {
                guard try readPiece() else { return document.isEmpty ? nil : document }
            }
            if let place = piece.firstIndex(of: end) {
                document += piece[..<place]
                piece = piece[(place + 1)...]
                // The end token may stand before each document.
                if document.isEmpty { continue }
                return document
            }
            document += piece
            piece = []
            try requireLength(document.count)
        }
    }

    private mutating func nextOfKnownLength() throws -> [Int64]? {
        guard let length = lengths?.popFirst() else { return nil }
        try requireLength(length)
        var document: [Int64] = []
        while document.count < length {
            if piece.isEmpty, try !readPiece() { break }
            let part = piece.prefix(length - document.count)
            document += part
            piece = piece.dropFirst(part.count)
        }
        if document.last == end { document.removeLast() }
        return document
    }

    private func requireLength(_ count: Int) throws {
        guard count <= Self.tokenLimit else {
            throw DataError.unreadableText(
                path: path,
                reason:
                    "a document of more than \(Self.tokenLimit) tokens; --end-of-document-id may be wrong"
            )
        }
    }

    /// Reads more tokens.
    ///
    /// - Returns: false at the end.
    private mutating func readPiece() throws -> Bool {
        let count = min(Self.pieceBytes, endPlace - place)
        guard count > 0 else { return false }
        let bytes = try file.bytes(at: place, count: count)
        guard bytes.count == count else {
            throw DataError.unreadableText(path: path, reason: "it has become shorter")
        }
        place += count
        piece = stride(from: 0, to: count, by: tokenBytes).map { number(bytes, at: $0) }[...]
        return true
    }

    private func number(_ bytes: [UInt8], at place: Int) -> Int64 {
        var value: UInt64 = 0
        for byte in (0..<tokenBytes).reversed() { value = value << 8 | UInt64(bytes[place + byte]) }
        guard isSigned else { return Int64(bitPattern: value) }
        let shift = 64 - 8 * tokenBytes
        return Int64(bitPattern: value << shift) >> shift
    }
}

/// The contents of Megatron's `.idx`.
struct MegatronIndex {
    let tokenBytes: Int
    let isSigned: Bool
    /// Tokens of every document.
    let lengths: [Int]

    /// Reads an index.
    ///
    /// - Parameter path: the file.
    /// - Throws: `FileError`; `DataError.unreadableText` if it cannot be right.
    init(path: String) throws {
        func invalid(_ reason: String) -> DataError { .unreadableText(path: path, reason: reason) }
        let bytes = try InputFile.contents(of: path)
        let headerBytes = 34
        guard bytes.count >= headerBytes, bytes.starts(with: ForeignNumbers.megatronMagic) else {
            throw invalid("it is no index of Megatron-LM: it does not begin with MMIDIDX")
        }
        func number(_ place: Int, _ count: Int) -> Int {
            (0..<count).reversed().reduce(0) { $0 << 8 | Int(bytes[place + $1]) }
        }
        guard number(9, 8) == 1 else { throw invalid("version \(number(9, 8)), want 1") }
        guard let type = ForeignNumbers.megatronCodes[bytes[17]] else {
            throw invalid(
                "tokens of type \(bytes[17]), want 3 (int16), 4 (int32), 5 (int64) or 8 (uint16)")
        }
        (tokenBytes, isSigned) = type
        let (sequences, documents) = (number(18, 8), number(26, 8))
        // Twelve bytes a sequence and eight a document; another byte a sequence tells of pictures.
        let limit = bytes.count / 8
        guard (0...limit).contains(sequences), (0...limit).contains(documents),
            [12 * sequences, 13 * sequences].contains(bytes.count - headerBytes - 8 * documents)
        else {
            throw invalid(
                "\(bytes.count) bytes do not hold \(sequences) sequences and \(documents) documents"
            )
        }
        let sizes = (0..<sequences).map { number(headerBytes + 4 * $0, 4) }
        var place = 0
        for (sequence, size) in sizes.enumerated() {
            guard size <= Int(Int32.max),
                number(headerBytes + 4 * sequences + 8 * sequence, 8) == place * tokenBytes
            else { throw invalid("sequence \(sequence) does not begin where the one before ends") }
            place += size
        }
        let starts = (0..<documents).map { number(headerBytes + 12 * sequences + 8 * $0, 8) }
        guard starts.first ?? 0 == 0, starts.last ?? 0 == sequences || documents == 0,
            zip(starts, starts.dropFirst()).allSatisfy({ $0 <= $1 })
        else { throw invalid("its documents contradict each other") }
        lengths = zip(starts, starts.dropFirst()).map { sizes[$0..<$1].reduce(0, +) }
    }
}
