/// Trains SentencePiece tokenizers that Hugging Face transformers and llama.cpp reproduce exactly.
///
/// The settings are those of Falcon-H1 exports: no prefix space, no normalization, digits apart,
/// bytes for rare characters, `<pad>` 0, `<s>` 1, `</s>` 2, `<unk>` 3.
public struct TokenizerTrainer: Sendable {
    /// The algorithm that learns pieces.
    public enum ModelType: String, Sendable, CaseIterable {
        /// Byte-pair encoding: the kind that llama.cpp and tokenizer.json can hold.
        case bpe
        /// A unigram language model; it cannot be exported to GGUF.
        case unigram
    }

    /// The result of training: counts, and the model.
    public struct Result: Sendable {
        /// The bytes of the model file.
        public let modelBytes: [UInt8]
        /// Texts that were read.
        public let documentCount: Int
        /// UTF-8 bytes of the texts that were read.
        public let textByteCount: Int
        /// Rare words that were forgotten to bound memory, counted each time.
        public let forgottenWordCount: Int
    }

    /// The number of pieces, with the 4 special ones and the 256 bytes.
    public var vocabularyCount: Int
    /// The algorithm that learns pieces.
    public var modelType = ModelType.bpe
    /// The share of all characters that get a piece of their own; the rest is spelled in bytes.
    public var characterCoverage = 0.9995
    /// The most processors used; the result does not depend on it.
    public var threadCount = 1
    /// The number of lines in a random sample to learn from, to bound memory; nil takes all.
    public var sentenceLimit: Int?

    /// Bytes of text that a unigram model is learnt from without a sample, at most; tests ask for less.
    var wholeTextLimit = 128 << 20

    /// A trainer with the usual settings.
    ///
    /// - Parameters:
    ///   - vocabularyCount: the number of pieces, at least 261.
    ///   - modelType: the algorithm that learns pieces.
    public init(vocabularyCount: Int, modelType: ModelType = .bpe) {
        self.vocabularyCount = vocabularyCount
        self.modelType = modelType
    }

    /// Learns a vocabulary from documents.
    ///
    /// - Parameters:
    ///   - nextDocument: gives the text of the next one; nil ends.
    ///   - progress: called now and then with the documents and bytes read so far.
    /// - Returns: the model, and counts of what was read.
    /// - Throws: what `nextDocument` threw; `TokenizerError.trainingFailed` with the library's reason when
    ///   the vocabulary is too large or too small for the text.
    public func train(
        on nextDocument: @escaping () throws -> String?, progress: ((Int, Int) -> Void)? = nil
    ) throws -> Result {
        // 4 special pieces, 256 bytes, and one piece to learn.
        guard (261...(1 << 24)).contains(vocabularyCount) else {
            throw TokenizerError.invalidOption(
                name: "--vocab-size", got: "\(vocabularyCount)", wanted: "261 to 16777216")
        }
        guard (0.98...1).contains(characterCoverage) else {
            throw TokenizerError.invalidOption(
                name: "--character-coverage", got: "\(characterCoverage)", wanted: "0.98 to 1")
        }
        if let sentenceLimit, sentenceLimit < 1 {
            throw TokenizerError.invalidOption(
                name: "--sentence-limit", got: "\(sentenceLimit)", wanted: "at least 1")
        }
        var documentCount = 0
        var textByteCount = 0
        var sentences = TrainingText()
        // A sample is drawn from sentences, and a unigram model learnt from them.
        let countsWords = modelType == .bpe && sentenceLimit == nil
        let trained = try trainSentencePiece(
            options: options, threadCount: max(1, threadCount),
            wordBytes: countsWords ? Self.wordBytes : 0
        ) {
            while true {
                if let sentence = sentences.next() { return sentence }
                if !countsWords && sentenceLimit == nil && textByteCount > wholeTextLimit {
                    throw TokenizerError.invalidOption(
                        name: "--sentence-limit",
                        got: "not given for more than \(wholeTextLimit) bytes of text",
                        wanted: "the number of lines to learn from, as unigram keeps them in memory"
                    )
                }
                guard let text = try nextDocument() else { return nil }
                documentCount += 1
                textByteCount += text.utf8.count
                sentences = TrainingText(text)
                progress?(documentCount, textByteCount)
            }
        }
        return Result(
            modelBytes: trained.model, documentCount: documentCount, textByteCount: textByteCount,
            forgottenWordCount: trained.forgottenWordCount)
    }

    // Two million words of ten letters; the library takes about four times as much for them.
    private static let wordBytes = 128 << 20

    /// The library's own options.
    var options: [(name: String, value: String)] {
        var options = [
            ("model_type", modelType.rawValue),
            ("vocab_size", "\(vocabularyCount)"),
            ("character_coverage", "\(characterCoverage)"),
            ("byte_fallback", "true"),
            ("split_digits", "true"),
            ("allow_whitespace_only_pieces", "true"),
            ("normalization_rule_name", "identity"),
            ("add_dummy_prefix", "false"),
            ("remove_extra_whitespaces", "false"),
            ("pad_id", "0"), ("bos_id", "1"), ("eos_id", "2"), ("unk_id", "3"),
            ("pad_piece", "<pad>"),
            ("max_sentence_length", "\(TrainingText.sentenceLimitBytes)"),
            // The library sums floats in as many parts as it has threads, and stores the number:
            // a fixed one gives the same model everywhere. `threadCount` limits processors instead.
            ("num_threads", "16"),
            // Errors only: warnings and progress go to stderr behind our back.
            ("minloglevel", "2"),
        ]
        if let sentenceLimit {
            options.append(("input_sentence_size", "\(sentenceLimit)"))
            options.append(("shuffle_input_sentence", "true"))
        }
        return options
    }
}

/// Cuts a document into the sentences that the trainer sees, without losing a byte that it can use.
///
/// A sentence ends after a run of newlines, so that newlines and the punctuation before them are
/// learnt. A long line is cut at a space: the library counts characters of a word in 16 bits and
/// aborts beyond, and it drops sentences longer than its limit.
struct TrainingText {
    /// No sentence is longer.
    static let sentenceLimitBytes = 16384

    private var rest: ArraySlice<UInt8>

    init(_ text: String = "") {
        rest = Array(text.utf8)[...]
    }

    /// The next sentence, not empty; nil at the end.
    mutating func next() -> ArraySlice<UInt8>? {
        // U+2585 is the library's private mark: it drops whole sentences that hold one.
        while rest.starts(with: Self.reservedMark) { rest = rest.dropFirst(3) }
        guard let first = rest.indices.first else { return nil }
        let limit = min(rest.endIndex, first + Self.sentenceLimitBytes)
        var end = first
        var lastSpace: Int?
        var isInNewlines = false
        while end < limit {
            let byte = rest[end]
            if byte == 0x0A {
                isInNewlines = true
            } else if isInNewlines {
                return take(to: end)
            } else if byte == 0x20 && end > first {
                lastSpace = end
            } else if byte == 0xE2 && rest[end...].starts(with: Self.reservedMark) {
                return take(to: end)
            }
            end += 1
        }
        if end < rest.endIndex {
            if let lastSpace {
                end = lastSpace
            } else {
                // Not inside a character.
                while rest[end] & 0xC0 == 0x80 { end -= 1 }
            }
        }
        return take(to: end)
    }

    private static let reservedMark: [UInt8] = [0xE2, 0x96, 0x85]

    private mutating func take(to end: Int) -> ArraySlice<UInt8> {
        defer { rest = rest[end...] }
        return rest[..<end]
    }
}
