import FalconTokenizer

/// What a tokenizer makes of texts: how many tokens, how many of them are bytes, what does not come back.
public struct TokenizerSurvey: Sendable {
    /// What was found in one source of texts.
    public struct Source: Sendable, Equatable {
        /// Texts.
        public var documents = 0
        /// Documents left out because they are not valid.
        public var skippedDocuments = 0
        /// UTF-8 bytes of the texts.
        public var textBytes = 0
        /// Tokens of the texts; none is added at their ends.
        public var tokens = 0
        /// Tokens that are no whole characters but bytes of one, or a byte that has no piece.
        public var byteTokens = 0
        /// Tokens for what the vocabulary does not have.
        public var unknownTokens = 0
        /// Documents that decoding does not give back.
        public var altered = LeftOut()
        /// Files and folders that cannot be read, left out; only if the reader skips them.
        public var unreadable = LeftOut()
        /// Texts in which the separator does not stand.
        public var unseparated = LeftOut()

        /// Nothing yet.
        public init() {}

        /// UTF-8 bytes a token.
        public var bytesPerToken: Double { Double(textBytes) / Double(max(1, tokens)) }
        /// The share of tokens that are bytes.
        public var byteTokenShare: Double { Double(byteTokens) / Double(max(1, tokens)) }
        /// The share of tokens that are unknown.
        public var unknownTokenShare: Double { Double(unknownTokens) / Double(max(1, tokens)) }

        /// Adds what was found later.
        ///
        /// - Parameter later: of the texts that come behind.
        public mutating func add(_ later: Source) {
            documents += later.documents
            skippedDocuments += later.skippedDocuments
            textBytes += later.textBytes
            tokens += later.tokens
            byteTokens += later.byteTokens
            unknownTokens += later.unknownTokens
            altered.add(later.altered)
            unreadable.add(later.unreadable)
            unseparated.add(later.unseparated)
        }
    }

    /// The tokenizer.
    public let tokenizer: any Tokenizer
    /// Threads that encode; the result does not depend on it.
    public var threadCount = 1
    /// Leave out documents that are not valid instead of stopping.
    public var skipsBadDocuments = false
    private let kinds: TokenKinds
    /// Of each id, whether a document had it.
    private var isUsed: [Bool]

    /// A survey that has seen no text.
    ///
    /// - Parameter tokenizer: any tokenizer.
    public init(_ tokenizer: any Tokenizer) {
        self.tokenizer = tokenizer
        kinds = TokenKinds(tokenizer)
        isUsed = Array(repeating: false, count: tokenizer.vocabularyCount)
    }

    /// The ids of tokens with a text that no document had, of all sources that were read.
    public var unusedTokens: [Int32] { kinds.withText.filter { !isUsed[Int($0)] } }

    /// The number of tokens that stand for text.
    public var textTokenCount: Int { kinds.withText.count }

    /// Reads a source to its end.
    ///
    /// - Parameters:
    ///   - documents: read to the end.
    ///   - progress: called now and then on the calling thread, with the bytes of input read before decompression.
    /// - Returns: what was found.
    /// - Throws: `DataError`, `TokenizerError` or `FileError`; with several bad documents, always for the first one.
    public mutating func read(
        _ documents: sending DocumentReader, progress: ((Int) -> Void)? = nil
    ) throws -> Source {
        let source = try JobSource(documents)
        var found = Source()
        let survey = self
        try DocumentPipeline(source, threadCount: threadCount).run {
            let encoder = survey.tokenizer.makeDocumentEncoder()
            var seen = [Bool](repeating: false, count: survey.tokenizer.vocabularyCount)
            return { try survey.surveyed($0, encoder, &seen) }
        } consuming: { (job: Surveyed) in
            found.add(job.source)
            for id in job.newIDs { isUsed[Int(id)] = true }
            progress?(job.inputBytes)
        }
        found.unreadable = source.unreadable
        found.unseparated = source.unseparated
        return found
    }

    /// What was found in a job.
    private struct Surveyed: JobOutput {
        var source = Source()
        /// Ids that the thread meets for the first time.
        var newIDs: [Int32] = []
        let documentBytes: Int
        let inputBytes: Int
    }

    private func surveyed(
        _ job: Job, _ encoder: any TokenEncoder, _ seen: inout [Bool]
    ) throws -> Surveyed {
        var surveyed = Surveyed(documentBytes: job.documentBytes, inputBytes: job.inputBytes)
        var source = Source()
        for raw in job.documents {
            let text: String
            do throws(DataError) {
                text = try raw.text()
            } catch {
                guard skipsBadDocuments else { throw error }
                source.skippedDocuments += 1
                continue
            }
            let ids = try encoder.encode(text)
            source.documents += 1
            source.textBytes += text.utf8.count
            source.tokens += ids.count
            for id in ids {
                if !seen[Int(id)] {
                    seen[Int(id)] = true
                    surveyed.newIDs.append(id)
                }
                switch kinds.kinds[Int(id)] {
                case .text: break
                case .bytes: source.byteTokens += 1
                case .unknown: source.unknownTokens += 1
                }
            }
            let decoded = try tokenizer.decode(ids)
            if let place = Self.firstDifference(text, decoded) {
                let name = raw.place.map { "\(raw.path), \($0)" } ?? raw.path
                source.altered.add(
                    "\(name): byte \(place): \(Self.excerpt(text, place)) became "
                        + Self.excerpt(decoded, place))
            }
        }
        surveyed.source = source
        return surveyed
    }

    /// The first byte in which two texts differ; nil if they are the same.
    static func firstDifference(_ text: String, _ other: String) -> Int? {
        var (text, other) = (text, other)
        return text.withUTF8 { text in
            other.withUTF8 { other in
                let shorter = min(text.count, other.count)
                var place = 0
                while place < shorter, unsafe text[place] == other[place] { place += 1 }
                return place == shorter && text.count == other.count ? nil : place
            }
        }
    }

    /// A few characters of a text from a byte on, in quotation marks.
    private static func excerpt(_ text: String, _ place: Int) -> String {
        var bytes = Array(text.utf8.dropFirst(place).prefix(24))
        // Not from inside of a character, nor to there.
        while let first = bytes.first, first & 0xC0 == 0x80 { bytes.removeFirst() }
        let whole = String(decoding: bytes, as: UTF8.self)
        return whole.unicodeScalars.filter { $0 != "\u{FFFD}" }.reduce(into: "") {
            $0.unicodeScalars.append($1)
        }.debugDescription
    }
}

/// What every token stands for.
private struct TokenKinds {
    enum Kind { case text, bytes, unknown }

    let kinds: [Kind]
    /// Ids of the tokens that stand for text, in order.
    let withText: [Int32]

    init(_ tokenizer: any Tokenizer) {
        var kinds: [Kind] = []
        var withText: [Int32] = []
        // A vocabulary of bytes has many tokens that are whole characters.
        let isByteLevel = tokenizer.joining.replacement == .everySequence
        for id in 0..<Int32(tokenizer.vocabularyCount) {
            switch tokenizer.surface(of: id) {
            case .bytes(let bytes):
                let isWhole = isByteLevel && String(validating: bytes, as: UTF8.self) != nil
                kinds.append(isWhole ? .text : .bytes)
            case .placeholder: kinds.append(.unknown)
            case .text, .nothing: kinds.append(.text)
            }
            if tokenizer.hasToken(id), tokenizer.surface(of: id).textByteCount > 0 {
                withText.append(id)
            }
        }
        (self.kinds, self.withText) = (kinds, withText)
    }
}
