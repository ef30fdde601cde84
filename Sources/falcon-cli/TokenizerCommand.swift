import ArgumentParser
import FalconData
import FalconSystem
import FalconTokenizer

/// Groups the commands that make tokenizers.
struct TokenizerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tokenizer", abstract: "Make and use tokenizers.",
        subcommands: [Train.self, Encode.self])
}

/// The options of reading text.
struct InputOptions: ParsableArguments {
    @Option(
        help: """
            The layout of documents in files: text (one per file), jsonl (one per line), parquet (one \
            per row), or auto (by the first bytes and the name).
            """)
    var format = DocumentFormat.auto

    @Option(
        help: """
            The field of a jsonl object, or the column of a Parquet file, that holds the text; a.b is b \
            in the object or struct a.
            """)
    var field = "text"

    @Option(
        help: """
            What stands between the documents of a text file, such as '<|endoftext|>'; a line break on \
            either side belongs to it.
            """)
    var separator: String?

    @Flag(
        help: "Leave out documents, files and folders that cannot be read; count and name them."
    )
    var skipBadDocuments = false

    func reader(of paths: [String]) throws -> DocumentReader {
        try DocumentReader(
            paths: paths, format: format, field: field, separator: separator,
            skipsBadItems: skipBadDocuments)
    }
}

extension CommonOptions {
    /// Reports the files and folders that a reader left out.
    func talk(of documents: DocumentReader) {
        talk(of: documents.ignoredFiles, "files whose names do not tell a text format")
        talk(of: documents.linkedFolders, "links to folders; name such a folder itself to read it")
    }

    /// Reports the number of things left out, and names the first few.
    func talk(of leftOut: LeftOut, _ what: String, as verb: String = "left out") {
        guard leftOut.count > 0 else { return }
        let more = leftOut.count > leftOut.reasons.count ? "\n  ..." : ""
        talk(
            "\(verb) \(leftOut.count) \(what):\n  " + leftOut.reasons.joined(separator: "\n  ")
                + more)
    }
}

extension DocumentFormat: ExpressibleByArgument {}
extension TokenizerTrainer.ModelType: ExpressibleByArgument {}

extension TokenizerCommand {
    /// Learns a tokenizer from text.
    struct Train: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Learn a SentencePiece tokenizer from text.",
            discussion: """
                The model spells rare characters as bytes, keeps every space and newline, and \
                gives the same tokens in Hugging Face transformers and llama.cpp.
                """)

        @Option(
            parsing: .upToNextOption,
            help: """
                Files, folders or patterns (*.txt, *.jsonl, with .gz, .zst, .bz2 or .xz; *.parquet), or \
                - for stdin.
                """
        )
        var input: [String]

        @Option(help: "Pieces in the vocabulary, including 4 special ones and 256 bytes.")
        var vocabSize: Int

        @Option(help: "The model file to write.")
        var output: String

        @Option(help: "bpe, or unigram (which GGUF cannot hold).")
        var modelType = TokenizerTrainer.ModelType.bpe

        @Option(help: "Share of all characters that get a piece of their own, 0.98 to 1.")
        var characterCoverage = 0.9995

        @Option(help: "Learn from a sample of this many lines, to bound memory. Default: all.")
        var sentenceLimit: Int?

        @Flag(help: "Replace the model file if it exists.")
        var overwrite = false

        @OptionGroup var source: InputOptions
        @OptionGroup var common: CommonOptions

        func run() throws {
            if fileKind(of: output) != .missing && !overwrite {
                throw FileError.exists(
                    path: output, advice: "choose another --output, or replace it with --overwrite")
            }
            var trainer = TokenizerTrainer(vocabularyCount: vocabSize, modelType: modelType)
            trainer.characterCoverage = characterCoverage
            trainer.sentenceLimit = sentenceLimit
            trainer.threadCount = common.threadCount
            let documents = try source.reader(of: input)
            let texts = DocumentTexts(documents, skipsBadDocuments: source.skipBadDocuments)
            // Opened now: a folder that cannot be written to must not cost a whole training.
            if let slash = output.lastIndex(of: "/"), slash != output.startIndex {
                try createFolder(String(output[..<slash]))
            }
            var file = try AtomicFile(path: output, replacing: overwrite)
            let start = monotonicSeconds()
            let line = common.progressLine()
            var bytes = WorkProgress(.bytes, at: start)
            let trained = try trainer.train(on: texts.next) { count, _ in
                bytes.advance(
                    to: documents.bytesRead, of: documents.byteCount, at: monotonicSeconds())
                line.show("\(bytes)  \(grouped(count)) documents read")
            }
            line.end()
            let tokenizer = try SentencePieceTokenizer(
                modelBytes: trained.modelBytes, path: output)
            try file.write(trained.modelBytes)
            try file.commit()
            warn(documents, texts.skippedCount, trained)
            let seconds = monotonicSeconds() - start
            try common.printResult(
                Result(
                    path: output, modelType: modelType.rawValue,
                    vocabularySize: tokenizer.vocabularyCount, documents: trained.documentCount,
                    skippedDocuments: texts.skippedCount + documents.unreadable.count,
                    textBytes: trained.textByteCount, sha256: tokenizer.digest,
                    elapsedSeconds: seconds),
                table: [
                    ("tokenizer", output), ("algorithm", modelType.rawValue),
                    ("pieces", grouped(tokenizer.vocabularyCount)),
                    (
                        "learnt from",
                        "\(grouped(trained.documentCount)) documents, "
                            + "\(grouped(trained.textByteCount)) bytes"
                    ),
                    ("sha256", tokenizer.digest),
                    ("time", decimal(seconds, places: 1) + " s"),
                ])
        }

        private func warn(
            _ documents: DocumentReader, _ skippedCount: Int, _ trained: TokenizerTrainer.Result
        ) {
            common.talk(of: documents)
            common.talk(of: documents.unreadable, "files, folders or documents that cannot be read")
            common.talk(
                of: documents.unseparated, "texts whole, as the separator does not stand in them",
                as: "took")
            if trained.forgottenWordCount > 0 {
                common.talk(
                    "forgot \(grouped(trained.forgottenWordCount)) rare words to bound memory")
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
            let skippedDocuments: Int
            let textBytes: Int
            let sha256: String
            let elapsedSeconds: Double

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
