import FalconSystem

/// Writes the documents of a split as another trainer reads them.
struct ForeignTokenWriter: ~Copyable {
    private static let bufferBytes = 1 << 20

    private let format: ForeignTokenFormat
    private let path: String
    private let end: Int32
    private let tokenBytes: Int
    private var file: AtomicFile?
    private var buffer: [UInt8] = []
    private var fileNumber = 0
    /// Tokens for which the open file has room.
    private var fileRoom = 0
    /// Tokens of the split that are not written yet.
    private var tokensLeft: Int
    /// Megatron: tokens of every document.
    private var lengths: [Int32] = []

    /// - Parameters:
    ///   - format: which trainer's.
    ///   - path: the files' path without number and ending.
    ///   - endOfDocumentID: the token that ends a document.
    ///   - tokenBytes: bytes of a token.
    ///   - tokenCount: tokens of all documents, those that end them included.
    init(
        _ format: ForeignTokenFormat, path: String, endOfDocumentID: Int32, tokenBytes: Int,
        tokenCount: Int
    ) {
        (self.format, self.path) = (format, path)
        (end, self.tokenBytes) = (endOfDocumentID, tokenBytes)
        tokensLeft = tokenCount
    }

    /// Appends a document, given without the token that ends it.
    mutating func append(_ document: [Int32]) throws {
        let whole = format == .llmc ? [end] + document : document + [end]
        if format == .megatron { lengths.append(Int32(whole.count)) }
        var rest = whole[...]
        while !rest.isEmpty {
            if file == nil { try beginFile() }
            let part = rest.prefix(fileRoom)
            try write(part)
            rest = rest.dropFirst(part.count)
            if fileRoom == 0 { try endFile() }
        }
    }

    /// Ends the last file.
    consuming func finish() throws {
        try endFile()
        if format == .megatron && fileNumber > 0 { try writeIndex() }
    }

    private mutating func beginFile() throws {
        let number = String(fileNumber)
        let padded = "_" + String(repeating: "0", count: max(0, 6 - number.count)) + number
        file = try AtomicFile(path: path + (format == .llmc ? padded : "") + format.ending)
        fileNumber += 1
        fileRoom = format == .llmc ? min(tokensLeft, ForeignNumbers.llmcFileTokens) : tokensLeft
        guard format == .llmc, let (magic, version) = ForeignNumbers.llmcMagic[tokenBytes] else {
            return
        }
        for number in [magic, version, UInt32(fileRoom)] { appendLittleEndian(number, to: &buffer) }
        buffer += Array(repeating: 0, count: ForeignNumbers.llmcHeaderBytes - buffer.count)
    }

    private mutating func write(_ tokens: ArraySlice<Int32>) throws {
        for token in tokens {
            if tokenBytes == 2 {
                appendLittleEndian(UInt16(truncatingIfNeeded: token), to: &buffer)
            } else {
                appendLittleEndian(token, to: &buffer)
            }
        }
        fileRoom -= tokens.count
        tokensLeft -= tokens.count
        if buffer.count >= Self.bufferBytes { try flush() }
    }

    private mutating func flush() throws {
        try file?.write(buffer)
        buffer.removeAll(keepingCapacity: true)
    }

    private mutating func endFile() throws {
        try flush()
        try file.take()?.commit()
    }

    private borrowing func writeIndex() throws {
        var bytes = ForeignNumbers.megatronMagic
        appendLittleEndian(UInt64(1), to: &bytes)
        bytes.append(tokenBytes == 2 ? 8 : 4)
        appendLittleEndian(UInt64(lengths.count), to: &bytes)
        appendLittleEndian(UInt64(lengths.count + 1), to: &bytes)
        for length in lengths { appendLittleEndian(length, to: &bytes) }
        var place: Int64 = 0
        for length in lengths {
            appendLittleEndian(place, to: &bytes)
            place += Int64(length) * Int64(tokenBytes)
        }
        for number in 0...lengths.count { appendLittleEndian(Int64(number), to: &bytes) }
        try writeFile(path + ".idx", bytes)
    }
}
