import FalconConcurrency
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
        }
    }

    /// Bytes of text that a thread takes at a time, at least.
    private static let jobBytes = 1 << 17

    /// The tokenizer.
    public let tokenizer: any Tokenizer
    /// Threads that encode; the result does not depend on it.
    public var threadCount = 1
    /// Leave out documents that are not valid instead of stopping.
    public var skipsBadDocuments = false
    private let kinds: TokenKinds
    private let used: UsedTokens

    /// A survey that has seen no text.
    ///
    /// - Parameter tokenizer: any tokenizer.
    public init(_ tokenizer: any Tokenizer) {
        self.tokenizer = tokenizer
        kinds = TokenKinds(tokenizer)
        used = UsedTokens(count: tokenizer.vocabularyCount)
    }

    /// The ids of tokens with a text that no document had, of all sources that were read.
    public var unusedTokens: [Int32] {
        let used = used.flags
        return kinds.withText.filter { !used[Int($0)] }
    }

    /// The number of tokens that stand for text.
    public var textTokenCount: Int { kinds.withText.count }

    /// Reads a source to its end.
    ///
    /// - Parameters:
    ///   - documents: read to the end.
    ///   - progress: called now and then.
    /// - Returns: what was found.
    /// - Throws: `DataError`, `TokenizerError` or `FileError`; with several bad documents, always for the first one.
    public func read(
        _ documents: DocumentReader, progress: (() -> Void)? = nil
    ) throws -> Source {
        let threads = max(1, min(threadCount, WorkerThread.countLimit))
        let window = 2 * threads
        let jobs = BoundedQueue<(number: Int, documents: [RawDocument])>(capacity: window)
        let results = OrderedResults<Result<Source, any Error>>(capacity: window)
        var workers: [WorkerThread] = []
        defer {
            jobs.cancel()
            results.cancel()
            for worker in workers { worker.join() }
        }
        workers = try WorkerThread.some(threads) {
            // Made when it is needed: a small corpus has no work for most threads.
            var encoder: (any TokenEncoder)?
            var seen: [Bool] = []
            while let job = jobs.pop() {
                let words = encoder ?? tokenizer.makeDocumentEncoder()
                encoder = words
                results.put(Result { try survey(job.documents, words, &seen) }, number: job.number)
            }
            used.add(seen)
        }
        var source = Source()
        var (pushed, taken) = (0, 0)
        func take() throws {
            guard let result = results.take() else { return }
            taken += 1
            source.add(try result.get())
            progress?()
        }
        while true {
            var job: [RawDocument] = []
            var bytes = 0
            while bytes < Self.jobBytes, let document = try documents.nextRaw() {
                job.append(document)
                bytes += document.bytes.count
            }
            if job.isEmpty { break }
            if pushed - taken == window { try take() }
            jobs.push((pushed, job))
            pushed += 1
        }
        while taken < pushed { try take() }
        jobs.finish()
        for worker in workers { worker.join() }
        return source
    }

    private func survey(
        _ documents: [RawDocument], _ encoder: any TokenEncoder, _ seen: inout [Bool]
    ) throws -> Source {
        if seen.isEmpty { seen = Array(repeating: false, count: tokenizer.vocabularyCount) }
        var source = Source()
        for raw in documents {
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
                seen[Int(id)] = true
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
        return source
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

/// The tokens that texts had.
private final class UsedTokens: @unchecked Sendable {
    // - Invariant: `flagsOfAll` is read and written with `monitor` locked.
    private let monitor = Monitor()
    private var flagsOfAll: [Bool]

    init(count: Int) { flagsOfAll = Array(repeating: false, count: count) }

    var flags: [Bool] { monitor.locked { flagsOfAll } }

    /// Adds those of one thread; none if it had no work.
    func add(_ seen: [Bool]) {
        monitor.locked {
            for index in seen.indices where seen[index] { flagsOfAll[index] = true }
        }
    }
}
