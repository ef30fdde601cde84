import ArgumentParser
import FalconData
import FalconSystem
import FalconTokenizer

extension BytePairTrainer.Words: ExpressibleByArgument {}

/// The kinds of tokenizers that can be trained.
enum TokenizerKind: String, CaseIterable, ExpressibleByArgument {
    case bpe, unigram
    case byteLevel = "byte-level"

    /// The algorithm of SentencePiece; nil for a byte-level tokenizer.
    var sentencePiece: TokenizerTrainer.ModelType? {
        switch self {
        case .bpe: .bpe
        case .unigram: .unigram
        case .byteLevel: nil
        }
    }
}

extension TokenizerCommand {
    /// Learns a tokenizer from text.
    struct Train: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Learn a tokenizer from text.",
            discussion: """
                bpe and unigram are SentencePiece models: they spell rare characters as bytes, keep every \
                space and newline, and give the same tokens in Hugging Face transformers and llama.cpp. \
                byte-level is the kind of GPT-2 and Llama 3, tokenizer.json with merges of bytes; vocabulary \
                and merges are those that Hugging Face's BpeTrainer learns.

                Memory does not grow with the text. bpe keeps 128 MiB of different words and byte-level \
                --word-memory-mib: beyond that the rarest are forgotten, and how many is said. Learning takes \
                three to four times as much. unigram, and bpe with --sentence-limit, keep lines of at most 16 KiB: \
                all of up to 128 MiB of text, or as many as --sentence-limit says.
                """)

        @Option(
            parsing: .upToNextOption,
            help: """
                Files, folders or patterns (*.txt, *.jsonl, with .gz, .zst, .bz2 or .xz; *.parquet), or \
                - for stdin.
                """
        )
        var input: [String]

        @Option(
            help: """
                Pieces in the vocabulary, including 256 bytes and 4 special ones (byte-level: 1, \
                <|endoftext|>, and those of --special-token).
                """)
        var vocabSize: Int

        @Option(
            help: "The model file to write; byte-level: the folder, with tokenizer.json in it.")
        var output: String

        @Option(help: "bpe, unigram (which GGUF cannot hold), or byte-level.")
        var modelType = TokenizerKind.bpe

        @Option(
            help: """
                Share of all characters that get a piece of their own, 0.98 to 1; 0.9995 without it. Not \
                for byte-level.
                """)
        var characterCoverage: Double?

        @Option(
            help: """
                Learn from a sample of this many lines, to bound memory. Default: all. Not for \
                byte-level.
                """)
        var sentenceLimit: Int?

        @OptionGroup(title: "Options of byte-level") var byteLevel: ByteLevelOptions

        @Flag(help: "Replace the output if it exists.")
        var overwrite = false

        @OptionGroup var source: InputOptions
        @OptionGroup var common: CommonOptions

        func validate() throws {
            let others: [(name: String, isGiven: Bool)] =
                modelType == .byteLevel
                ? [
                    ("--character-coverage", characterCoverage != nil),
                    ("--sentence-limit", sentenceLimit != nil),
                ] : byteLevel.given
            if let other = others.first(where: \.isGiven) {
                throw ValidationError(
                    "\(other.name) does not go with --model-type \(modelType.rawValue)")
            }
        }

        func run() throws {
            if fileKind(of: output) != .missing && !overwrite {
                throw FileError.exists(
                    path: output, advice: "choose another --output, or replace it with --overwrite")
            }
            let documents = try source.reader(of: input)
            if documents.reads(output) {
                throw ValidationError("--output \(output) is read; choose another one")
            }
            let texts = DocumentTexts(documents, skipsBadDocuments: source.skipBadDocuments)
            // Opened before reading: a folder that cannot be written to must not cost a whole training.
            try createFolder(RawPath(output).parent)
            let start = monotonicSeconds()
            let line = common.progressLine()
            var bytes = WorkProgress(.bytes, at: start)
            func show(documentsRead count: Int) {
                bytes.advance(
                    to: documents.bytesRead, of: documents.byteCount, at: monotonicSeconds())
                line.show("\(bytes)  \(grouped(count)) documents read")
            }
            var trained =
                if let modelType = modelType.sentencePiece {
                    try trainSentencePiece(modelType, texts, show)
                } else {
                    try trainByteLevel(texts, show) { line.show("\(grouped($0)) tokens learnt") }
                }
            line.end()
            warn(documents, texts.skippedCount, forgotten: trained.forgotten)
            trained.result.skippedDocuments = texts.skippedCount + documents.unreadable.count
            trained.result.elapsedSeconds = monotonicSeconds() - start
            try common.printResult(trained.result, table: table(trained.result))
        }

        private func trainSentencePiece(
            _ modelType: TokenizerTrainer.ModelType, _ texts: DocumentTexts,
            _ show: @escaping (Int) -> Void
        ) throws -> (result: Result, forgotten: Int) {
            var trainer = TokenizerTrainer(vocabularyCount: vocabSize, modelType: modelType)
            if let characterCoverage { trainer.characterCoverage = characterCoverage }
            trainer.sentenceLimit = sentenceLimit
            trainer.threadCount = common.threadCount
            var file = try AtomicFile(path: output, replacing: overwrite)
            let trained = try trainer.train(on: texts.next) { count, _ in show(count) }
            let tokenizer = try SentencePieceTokenizer(
                modelBytes: trained.modelBytes, path: output)
            try file.write(trained.modelBytes)
            try file.commit()
            return (
                result(tokenizer, trained.documentCount, trained.textByteCount),
                trained.forgottenWordCount
            )
        }

        private func trainByteLevel(
            _ texts: DocumentTexts, _ show: @escaping (Int) -> Void,
            learning: @escaping (Int) -> Void
        ) throws -> (result: Result, forgotten: Int) {
            var trainer = BytePairTrainer(vocabularyCount: vocabSize)
            byteLevel.set(&trainer)
            trainer.threadCount = common.threadCount
            if fileKind(of: output) == .folder { try requireTokenizer(inFolder: output) }
            let folder = try AtomicFolder(path: output, replacing: overwrite)
            let trained = try trainer.train(on: texts.next) { stage in
                switch stage {
                case .reading(let documents): show(documents)
                case .learning(let tokens): learning(tokens)
                }
            }
            let tokenizer = try BytePairTokenizer(
                files: trained.files, path: output + "/" + TokenizerFiles.jsonName)
            for file in trained.files.all {
                var output = try AtomicFile(path: folder.partialPath + "/" + file.name)
                try output.write(file.bytes)
                try output.commit()
            }
            try folder.commit()
            return (
                result(tokenizer, trained.documentCount, trained.textByteCount),
                trained.forgottenWordCount
            )
        }

        /// Nothing but a tokenizer is replaced.
        private func requireTokenizer(inFolder folder: String) throws {
            for name in try RawPath(folder).names() {
                let text = String(decoding: name, as: UTF8.self)
                guard TokenizerFiles.names.contains(text) || text == FolderLock.fileName else {
                    throw FileError.exists(
                        path: folder + "/" + text,
                        advice: "it would be replaced with the folder; choose another --output")
                }
            }
        }

        private func result(
            _ tokenizer: any Tokenizer, _ documentCount: Int, _ textByteCount: Int
        ) -> Result {
            Result(
                path: output, modelType: modelType.rawValue,
                vocabularySize: tokenizer.vocabularyCount, documents: documentCount,
                textBytes: textByteCount, sha256: tokenizer.digest)
        }

        private func table(_ result: Result) -> [(String, String)] {
            [
                ("tokenizer", output), ("algorithm", result.modelType),
                ("pieces", grouped(result.vocabularySize)),
                (
                    "learnt from",
                    "\(grouped(result.documents)) documents, \(grouped(result.textBytes)) bytes"
                ),
                ("sha256", result.sha256),
                ("time", decimal(result.elapsedSeconds, places: 1) + " s"),
            ]
        }

        private func warn(_ documents: DocumentReader, _ skippedCount: Int, forgotten: Int) {
            common.talk(of: documents)
            common.talk(of: documents.unreadable, "files, folders or documents that cannot be read")
            common.talk(
                of: documents.unseparated, "texts whole, as the separator does not stand in them",
                as: "took")
            if forgotten > 0 {
                common.talk("forgot \(grouped(forgotten)) rare words to bound memory")
            }
            if skippedCount > 0 {
                common.talk("left out \(skippedCount) documents that are not valid")
            }
        }

        private struct Result: Encodable {
            let path: String
            let modelType: String
            let vocabularySize: Int
            let documents: Int
            var skippedDocuments = 0
            let textBytes: Int
            let sha256: String
            var elapsedSeconds = 0.0

            enum CodingKeys: String, CodingKey {
                case path, documents, sha256
                case modelType = "model_type"
                case vocabularySize = "vocabulary_size"
                case skippedDocuments = "skipped_documents"
                case textBytes = "text_bytes"
                case elapsedSeconds = "elapsed_seconds"
            }
        }
    }
}

/// The options of byte-level tokenizers.
struct ByteLevelOptions: ParsableArguments {
    @Option(
        help: """
            How texts are cut into words: gpt-2, smollm (gpt-2 with digits apart), llama3, qwen2 (llama3 \
            with digits apart) or falcon; llama3 without it.
            """)
    var words: BytePairTrainer.Words?

    @Option(help: "The least count of a pair that becomes a token; 2 without it.")
    var minFrequency: Int?

    @Option(
        parsing: .upToNextOption, help: "More special tokens; they follow <|endoftext|>.")
    var specialToken: [String] = []

    @Option(
        help: """
            Memory for different words and their counts; 256 without it. Beyond it the rarest are \
            forgotten.
            """)
    var wordMemoryMib: Int?

    /// The options, and whether each was given.
    var given: [(name: String, isGiven: Bool)] {
        [
            ("--words", words != nil), ("--min-frequency", minFrequency != nil),
            ("--special-token", !specialToken.isEmpty),
            ("--word-memory-mib", wordMemoryMib != nil),
        ]
    }

    func validate() throws {
        // A tebibyte.
        if let wordMemoryMib, !(1...(1 << 20)).contains(wordMemoryMib) {
            throw ValidationError("--word-memory-mib is \(wordMemoryMib), want 1 to \(1 << 20)")
        }
    }

    /// Passes the options on.
    func set(_ trainer: inout BytePairTrainer) {
        if let words { trainer.words = words }
        if let minFrequency { trainer.minimumCount = minFrequency }
        trainer.specialTokens = specialToken
        if let wordMemoryMib { trainer.wordBytes = wordMemoryMib << 20 }
    }
}
