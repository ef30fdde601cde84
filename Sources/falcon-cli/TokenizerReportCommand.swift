import ArgumentParser
import FalconData
import FalconSystem
import FalconTokenizer

extension TokenizerCommand {
    /// Says what a tokenizer makes of texts.
    struct Report: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say how well a tokenizer fits texts.",
            discussion: """
                For every input: bytes a token; the share of tokens that are bytes of characters the vocabulary does \
                not have (byte-level: pieces of characters) or unknown; and the documents that decoding does not give \
                back, with the first places. Then, of all inputs, the pieces that no text used.

                Documents are encoded as falcon tokenize does it, without the tokens that end them.
                """)

        @Argument(help: "A tokenizer.model or tokenizer.json, or a folder with one.")
        var tokenizer: String

        @Argument(
            help: """
                Files, folders or patterns (*.txt, *.jsonl, with .gz, .zst, .bz2 or .xz; *.parquet), or \
                - for stdin; each is a line of the report.
                """)
        var input: [String]

        @OptionGroup var source: InputOptions
        @OptionGroup var common: CommonOptions

        /// The pieces shown that were not used.
        private static let unusedShown = 20

        func validate() throws {
            if input.isEmpty { throw ValidationError("give at least one input") }
        }

        func run() throws {
            let tokenizer = try openTokenizer(path: tokenizer)
            var survey = TokenizerSurvey(tokenizer)
            survey.threadCount = common.threadCount
            survey.skipsBadDocuments = source.skipBadDocuments
            // All inputs are looked up first: a wrong one must not come up after an hour.
            for path in input { _ = try source.reader(of: [path]) }
            let line = common.progressLine()
            var sources: [SourceOutput] = []
            var total = TokenizerSurvey.Source()
            for path in input {
                let documents = try source.reader(of: [path])
                common.talk(of: documents)
                var bytes = WorkProgress(
                    .bytes, of: documents.byteCount, at: monotonicSeconds())
                var found = try survey.read(documents) {
                    bytes.advance(to: $0, at: monotonicSeconds())
                    line.show("\(bytes)  \(path)")
                }
                line.end()
                common.talk(
                    of: found.unreadable, "files, folders or documents that cannot be read")
                common.talk(
                    of: found.unseparated,
                    "texts whole, as the separator does not stand in them", as: "took")
                found.skippedDocuments += found.unreadable.count
                total.add(found)
                sources.append(SourceOutput(path, found))
            }
            let unused = survey.unusedTokens
            let output = Output(
                path: tokenizer.path, sha256: tokenizer.digest,
                vocabulary_size: tokenizer.vocabularyCount, sources: sources,
                total: SourceOutput("all", total), text_pieces: survey.textTokenCount,
                unused_pieces: unused.count,
                // Of 256 bytes most texts lack some.
                first_unused: unused.map { ($0, tokenizer.surface(of: $0)) }
                    .filter { $1.textByteCount > 1 }.prefix(Self.unusedShown)
                    .map { Piece(id: $0, text: Self.text($1)) })
            if common.json { return try printJSON(output) }
            show(output)
        }

        private static func text(_ surface: TokenSurface) -> String {
            switch surface {
            case .text(let text), .placeholder(let text): text
            case .bytes(let bytes):
                String(validating: bytes, as: UTF8.self)
                    ?? bytes.map { "<0x" + hexadecimal([$0]).uppercased() + ">" }.joined()
            case .nothing: ""
            }
        }

        private func show(_ output: Output) {
            var table = Table(
                "input", "documents", "bytes", "tokens", "bytes/token", "byte tokens", "unknown",
                "altered")
            let rows = output.sources.count > 1 ? output.sources + [output.total] : output.sources
            for row in rows {
                table.add([
                    row.path, grouped(row.documents), grouped(row.text_bytes), grouped(row.tokens),
                    decimal(row.bytes_per_token, places: 3), percent3(row.byte_token_share),
                    percent3(row.unknown_token_share), grouped(row.altered_documents),
                ])
            }
            table.printed()
            for row in output.sources {
                for example in row.first_altered { print("altered: " + example) }
                if row.altered_documents > row.first_altered.count { print("altered: ...") }
                if row.skipped_documents > 0 {
                    print("\(row.path): left out \(grouped(row.skipped_documents)) documents")
                }
            }
            let used = output.text_pieces - output.unused_pieces
            print(
                "vocabulary: \(grouped(used)) of \(grouped(output.text_pieces)) pieces with a text are used, "
                    + "\(grouped(output.unused_pieces)) never")
            if !output.first_unused.isEmpty {
                let more = output.first_unused.count == Self.unusedShown ? " ..." : ""
                print(
                    "never used, of more than a byte: "
                        + output.first_unused.map { "\($0.id) \($0.text.debugDescription)" }
                        .joined(separator: ", ") + more)
            }
        }

        /// A share with three places: rare things are what it is about.
        private func percent3(_ share: Double) -> String { decimal(share * 100, places: 3) + " %" }
    }
}

/// A source in the output of `--json`.
private struct SourceOutput: Encodable {
    let path: String
    let documents: Int
    let skipped_documents: Int
    let text_bytes: Int
    let tokens: Int
    let bytes_per_token: Double
    let byte_tokens: Int
    let byte_token_share: Double
    let unknown_tokens: Int
    let unknown_token_share: Double
    let altered_documents: Int
    let first_altered: [String]

    init(_ path: String, _ source: TokenizerSurvey.Source) {
        self.path = path
        documents = source.documents
        skipped_documents = source.skippedDocuments
        text_bytes = source.textBytes
        tokens = source.tokens
        bytes_per_token = source.bytesPerToken
        byte_tokens = source.byteTokens
        byte_token_share = source.byteTokenShare
        unknown_tokens = source.unknownTokens
        unknown_token_share = source.unknownTokenShare
        altered_documents = source.altered.count
        first_altered = source.altered.reasons
    }
}

/// A piece in the output of `--json`.
private struct Piece: Encodable {
    let id: Int32
    let text: String
}

/// The output of `--json`.
private struct Output: Encodable {
    let path: String
    let sha256: String
    let vocabulary_size: Int
    let sources: [SourceOutput]
    let total: SourceOutput
    let text_pieces: Int
    let unused_pieces: Int
    let first_unused: [Piece]
}
