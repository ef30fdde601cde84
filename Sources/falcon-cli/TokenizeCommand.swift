import ArgumentParser
import FalconData
import FalconSystem
import FalconTokenizer

extension Deduplication: ExpressibleByArgument {}

/// Turns text into token shards.
struct TokenizeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tokenize", abstract: "Turn text into token shards.",
        discussion: """
            Documents are held out for validation by the SHA-256 of their text, so the same text \
            always falls in the same split. If none falls in the validation split, the ends of the \
            documents are held out. `zstd -d` turns a shard into raw little-endian tokens.
            """)

    @Argument(
        help: """
            Files, folders or patterns (*.txt, *.jsonl, with .gz, .zst, .bz2 or .xz; *.parquet), or - \
            for stdin.
            """
    )
    var paths: [String] = []

    @Option(help: "A tokenizer.model or tokenizer.json, or a folder with one.")
    var tokenizer: String

    @Option(help: "The folder to write shards and index.json to.")
    var output: String

    @Option(help: "Share of the documents held out for validation, 0 to 1.")
    var validationFraction = 0.01

    @Option(
        help: """
            Keep the first of several documents that are the same: off, exact (the same bytes), or \
            normalized (the same letters and digits, whatever their case). A digest of every document is \
            kept in memory.
            """)
    var deduplicate = Deduplication.off

    @Flag(help: "Replace the data set in the folder.")
    var overwrite = false

    @OptionGroup var source: InputOptions
    @OptionGroup var common: CommonOptions

    func validate() throws {
        if paths.isEmpty && isTerminal(0) {
            throw ValidationError("name files to read, or pipe text in")
        }
        if !(0...1).contains(validationFraction) {
            throw ValidationError("--validation-fraction is \(validationFraction), want 0 to 1")
        }
        let folder = canonicalPath(output)
        for path in paths where fileKind(of: path) == .folder && canonicalPath(path) == folder {
            throw ValidationError(
                "--output \(output) is a folder to read; choose another one")
        }
    }

    func run() throws {
        let tokenizer = try openTokenizer(path: tokenizer)
        var corpus = CorpusTokenizer(tokenizer: tokenizer)
        corpus.validationFraction = validationFraction
        corpus.threadCount = common.threadCount
        corpus.skipsBadDocuments = source.skipBadDocuments
        corpus.overwrites = overwrite
        corpus.deduplication = deduplicate
        let documents = try source.reader(of: paths.isEmpty ? ["-"] : paths)
        common.talk(of: documents)
        let start = monotonicSeconds()
        let line = common.progressLine()
        var bytes = WorkProgress(.bytes, of: documents.byteCount, at: start)
        let (index, counts) = try corpus.write(documents, to: output) { counts in
            bytes.advance(to: counts.inputBytes, at: monotonicSeconds())
            line.show("\(bytes)  \(grouped(counts.tokens)) tokens")
        }
        line.end()
        warn(index, counts, tokenizer.endOfDocumentText)
        let seconds = monotonicSeconds() - start
        try common.printResult(
            Result(output, index, counts, seconds), table: table(index, counts, seconds))
    }

    private func warn(
        _ index: DatasetIndex, _ counts: CorpusTokenizer.Progress, _ endText: String?
    ) {
        common.talk(of: counts.unreadable, "files, folders or documents that cannot be read")
        if let first = counts.firstBadDocument {
            common.talk("left out \(counts.badDocuments) documents that are not valid: \(first)")
        }
        if counts.badDocuments + counts.unreadable.count > 0 {
            common.talk("what could not be read is listed in \(output)/\(RejectedItem.fileName)")
        }
        common.talk(
            of: counts.unseparated, "texts whole, as the separator does not stand in them",
            as: "took")
        if counts.duplicateDocuments > 0 {
            common.talk(
                "left out \(grouped(counts.duplicateDocuments)) documents, "
                    + "\(grouped(counts.duplicateBytes)) bytes, that are the same as an earlier one"
            )
        }
        if counts.emptyDocuments > 0 {
            common.talk("left out \(counts.emptyDocuments) empty documents")
        }
        if counts.endTokenTexts > 0, let text = endText {
            common.talk(
                "\(text), which ends documents, occurs \(grouped(counts.endTokenTexts)) times in "
                    + "them and was taken for text; if it separates documents, give each a line "
                    + "(jsonl) or a file")
        }
        if counts.cutDocuments > 0 {
            common.talk(
                "no document fell in the validation split: the ends of "
                    + "\(grouped(counts.cutDocuments)) documents were held out, "
                    + "\(grouped(index.validation.textBytes)) bytes")
        } else if validationFraction > 0 && index.validation.documents == 0 {
            common.talk(
                "no document fell in the validation split, and there is too little text to cut "
                    + "some off: training will have no validation")
        }
    }

    private func table(
        _ index: DatasetIndex, _ counts: CorpusTokenizer.Progress, _ seconds: Double
    ) -> [(String, String)] {
        func part(_ split: Split) -> String {
            let part = index[split]
            return "\(grouped(part.documents)) documents, \(grouped(part.tokens)) tokens, "
                + "\(grouped(part.textBytes)) bytes, \(part.shards.count) shards"
        }
        let bytesPerToken = Double(counts.textBytes) / Double(max(1, counts.tokens))
        return [
            ("shards", output), ("train", part(.train)), ("validation", part(.validation)),
            ("token type", index.tokenType.rawValue),
            ("bytes per token", decimal(bytesPerToken, places: 2)),
            ("digest", index.datasetDigest),
            (
                "time",
                "\(decimal(seconds, places: 1)) s, "
                    + "\(megabytes(Int(Double(counts.textBytes) / max(seconds, 1e-9))))/s"
            ),
        ]
    }

    private struct Result: Encodable {
        let path: String
        let datasetDigest: String
        let tokenizerDigest: String
        let tokenType: TokenType
        let vocabularySize: Int
        let documents: Int
        let duplicateDocuments: Int
        let duplicateBytes: Int
        let emptyDocuments: Int
        let skippedDocuments: Int
        let skippedFiles: Int
        let cutDocuments: Int
        let endTokenTexts: Int
        let tokens: Int
        let textBytes: Int
        let train: DatasetIndex.SplitIndex
        let validation: DatasetIndex.SplitIndex
        let elapsedSeconds: Double

        enum CodingKeys: String, CodingKey {
            case path, documents, tokens, train, validation
            case datasetDigest = "dataset_digest"
            case tokenizerDigest = "tokenizer_sha256"
            case tokenType = "token_type"
            case vocabularySize = "vocabulary_size"
            case duplicateDocuments = "duplicate_documents"
            case duplicateBytes = "duplicate_bytes"
            case emptyDocuments = "empty_documents"
            case skippedDocuments = "skipped_documents"
            case skippedFiles = "skipped_files"
            case cutDocuments = "cut_documents"
            case endTokenTexts = "end_token_texts"
            case textBytes = "text_bytes"
            case elapsedSeconds = "elapsed_seconds"
        }

        init(
            _ path: String, _ index: DatasetIndex, _ counts: CorpusTokenizer.Progress,
            _ elapsedSeconds: Double
        ) {
            self.path = path
            datasetDigest = index.datasetDigest
            tokenizerDigest = index.tokenizerDigest
            tokenType = index.tokenType
            vocabularySize = index.vocabularyCount
            documents = counts.documents
            duplicateDocuments = counts.duplicateDocuments
            duplicateBytes = counts.duplicateBytes
            emptyDocuments = counts.emptyDocuments
            skippedDocuments = counts.badDocuments
            skippedFiles = counts.unreadable.count
            cutDocuments = counts.cutDocuments
            endTokenTexts = counts.endTokenTexts
            tokens = counts.tokens
            textBytes = counts.textBytes
            train = index.train
            validation = index.validation
            self.elapsedSeconds = elapsedSeconds
        }
    }
}
