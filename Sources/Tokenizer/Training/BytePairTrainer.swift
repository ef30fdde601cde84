/// Trains byte-level byte-pair tokenizers, the vocabulary and merges of Hugging Face's `BpeTrainer`.
///
/// The token that ends a document is `<|endoftext|>`, id 0; more special tokens follow, then the 256 bytes,
/// then what was learnt.
public struct BytePairTrainer: Sendable {
    /// The way in which texts are cut into the words that no token reaches across.
    public enum Words: String, Sendable, CaseIterable {
        /// As GPT-2 does: letters, numbers and signs apart, each with a space before it.
        case gpt2 = "gpt-2"
        /// As GPT-2 does, digits one by one.
        case smollm
        /// As Llama 3 and GPT-4 do: three digits, any sign before letters, line ends with signs.
        case llama3
        /// As Llama 3 does, digits one by one.
        case qwen2
        /// As Falcon does: signs in runs, three digits.
        case falcon
    }

    /// The result of training: counts, and the tokenizer.
    public struct Result: Sendable {
        /// `tokenizer.json` and `tokenizer_config.json`.
        public let files: TokenizerFiles
        /// Texts that were read.
        public let documentCount: Int
        /// UTF-8 bytes of the texts that were read.
        public let textByteCount: Int
        /// Different words that the tokenizer was learnt from.
        public let wordCount: Int
        /// Rare words that were forgotten to bound memory, counted each time.
        public let forgottenWordCount: Int
    }

    /// The text of the token that ends a document.
    public static let endOfDocument = "<|endoftext|>"
    /// Bytes of words and counts that are kept, unless another number is asked for.
    ///
    /// Five million words of ten letters; learning takes about three times as much for them.
    public static let usualWordBytes = 256 << 20

    /// The number of tokens, with the special ones and the 256 bytes.
    public var vocabularyCount: Int
    /// The way in which texts are cut into words.
    public var words = Words.llama3
    /// The least count of a pair that becomes a token, at least 1.
    public var minimumCount = 2
    /// Special tokens after the one that ends a document.
    public var specialTokens: [String] = []
    /// Bytes that words and their counts may take; beyond them the rarest are forgotten.
    public var wordBytes = usualWordBytes
    /// Threads that count words; the result does not depend on it.
    public var threadCount = 1

    /// Bytes of text after which words may be forgotten; tests ask for others.
    var roundBytes = WordCounting.usualRoundBytes

    /// A trainer with the usual settings.
    ///
    /// - Parameter vocabularyCount: the number of tokens.
    public init(vocabularyCount: Int) { self.vocabularyCount = vocabularyCount }

    /// What training is busy with.
    public enum Stage: Sendable {
        /// Texts are read: how many so far.
        case reading(documents: Int)
        /// Tokens are learnt: how many there are.
        case learning(tokens: Int)
    }

    /// Learns a vocabulary from documents.
    ///
    /// - Parameters:
    ///   - nextDocument: gives the text of the next one; nil ends.
    ///   - progress: called now and then.
    /// - Returns: the files of the tokenizer, and counts of what was read.
    /// - Throws: what `nextDocument` threw; `TokenizerError.invalidOption`;
    ///   `TokenizerError.tooFewPairs` when the text does not give the tokens wanted.
    public func train(
        on nextDocument: () throws -> String?, progress: ((Stage) -> Void)? = nil
    ) throws -> Result {
        try check()
        let pieces = BytePairPieces(
            tokens: [], kinds: [], merges: [], preTokenizerName: words.rawValue)
        let counting = WordCounting(
            preTokenizer: try pieces.preTokenizer(), threadCount: max(1, threadCount),
            byteLimit: wordBytes, roundBytes: roundBytes)
        var counted = try counting.run(
            on: nextDocument, progress: { count, _ in progress?(.reading(documents: count)) })
        let special = [Self.endOfDocument] + specialTokens
        var learner = MergeLearner(
            firstID: special.count, vocabularyCount: vocabularyCount, minimumCount: minimumCount,
            // A text of a corpus must not give a special token.
            forbidden: Set(special.compactMap(ByteAlphabet.bytes)))
        let wordCount = counted.words.wordCount
        let learnt = learner.learn(from: &counted.words) { progress?(.learning(tokens: $0)) }
        let count = special.count + learnt.tokens.count
        guard count == vocabularyCount else {
            throw TokenizerError.tooFewPairs(
                got: count, wanted: vocabularyCount, minimumCount: minimumCount)
        }
        return Result(
            files: try files(special, learnt), documentCount: counted.documentCount,
            textByteCount: counted.textByteCount, wordCount: wordCount,
            forgottenWordCount: counted.forgottenWordCount)
    }

    private func check() throws(TokenizerError) {
        let least = specialTokens.count + 258
        guard (least...BytePairModel.idLimit).contains(vocabularyCount) else {
            throw .invalidOption(
                name: "--vocab-size", got: "\(vocabularyCount)",
                wanted: "\(least) to \(BytePairModel.idLimit)")
        }
        guard minimumCount >= 1 else {
            throw .invalidOption(
                name: "--min-frequency", got: "\(minimumCount)", wanted: "at least 1")
        }
        guard wordBytes >= 1 << 20 else {
            throw .invalidOption(
                name: "--word-memory-mib", got: "\(wordBytes >> 20)", wanted: "at least 1")
        }
        var seen: Set<String> = [Self.endOfDocument]
        for token in specialTokens {
            // One character is the text of a byte.
            guard (2...AddedTokens.longestText).contains(token.unicodeScalars.count) else {
                throw .invalidOption(
                    name: "--special-token", got: "\"\(token)\"",
                    wanted: "2 to \(AddedTokens.longestText) characters")
            }
            guard seen.insert(token).inserted else {
                throw .invalidOption(
                    name: "--special-token", got: "\"\(token)\" twice", wanted: "each token once")
            }
        }
    }

    private func files(
        _ special: [String], _ learnt: MergeLearner.Result
    ) throws(TokenizerError) -> TokenizerFiles {
        let texts = special + learnt.tokens.map(ByteAlphabet.text)
        let kinds =
            special.map { _ in SentencePieceModel.PieceKind.control }
            + learnt.tokens.map { _ in SentencePieceModel.PieceKind.normal }
        let pieces = BytePairPieces(
            tokens: texts, kinds: kinds.map(\.rawValue),
            merges: learnt.merges.map { texts[Int($0.left)] + " " + texts[Int($0.right)] },
            preTokenizerName: words.rawValue, specialIDs: SpecialTokenIDs(bos: 0, eos: 0))
        return try pieces.files(path: TokenizerFiles.jsonName)
    }
}
