import ArgumentParser
import FalconData
import FalconSystem
import FalconTokenizer

extension ForeignTokenFormat: ExpressibleByArgument {}

extension DataCommand {
    /// Converts from and to the files of other trainers.
    struct Convert: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Convert token shards to the files of another trainer, or back.",
            discussion: """
                --to writes OUTPUT/train and OUTPUT/validation: .bin and .idx (megatron), _000000.bin and on \
                (llm.c), .bin (nanogpt), .npy (olmo-core, without a header), folders of shards with a column \
                "tokens" (mds, of MosaicML's streaming). --from reads such files with the \
                tokenizer that made them, and writes a data set: documents without text are left out, and the \
                bytes of a text are counted by decoding it.

                Of mds it reads folders with index.json whose shards are plain or compressed with zstd, gz or bz2, \
                and whose column of tokens is an ndarray of whole numbers with one axis, or bytes. A sample is \
                a document unless --concatenated is given.
                """)

        @Argument(
            help:
                "With --to, a folder of token shards; with --from, files (mds: folders) of the other trainer."
        )
        var paths: [String]

        @Option(help: "The trainer to write for: megatron, llm.c, nanogpt, olmo-core or mds.")
        var to: ForeignTokenFormat?

        @Option(help: "The trainer whose files are read.")
        var from: ForeignTokenFormat?

        @Option(help: "The folder to write.")
        var output: String

        @Option(help: "With --from: a tokenizer.model or tokenizer.json, or a folder with one.")
        var tokenizer: String?

        @Option(
            help: "With --from: the token that ends a document there; without it, the tokenizer's.")
        var endOfDocumentId: Int?

        @Option(
            help: """
                With --from olmo-core: bytes of a token, 2 or 4; without it, what the vocabulary needs. With \
                --from mds and a column of bytes: 2, 4 or 8; 8 without it.
                """)
        var tokenBytes: Int?

        @Option(
            help: """
                With --from mds: the column with the tokens; without it the only one, "tokens" or \
                "input_ids".
                """)
        var column: String?

        @Flag(
            help: """
                With --from mds: samples are pieces of one stream, as llm-foundry's concat_tokens makes them; \
                a document ends with its token alone.
                """)
        var concatenated = false

        @Flag(help: "With --to mds: compress the shards with zstd.")
        var compress = false

        @Option(
            help:
                "With --from: share of the documents held out for validation, 0 to 1; 0 without it."
        )
        var validationFraction: Double?

        @Flag(help: "With --from: replace the data set in the folder.")
        var overwrite = false

        @OptionGroup var common: CommonOptions

        func validate() throws {
            guard (to == nil) != (from == nil) else {
                throw ValidationError("give one of --to and --from")
            }
            for path in paths where canonicalPath(path) == canonicalPath(output) {
                throw ValidationError("--output \(output) is read; choose another one")
            }
            if to != nil {
                if paths.count != 1 {
                    throw ValidationError("--to takes one folder of token shards")
                }
                let others: [(String, Bool)] = [
                    ("--tokenizer", tokenizer != nil),
                    ("--end-of-document-id", endOfDocumentId != nil),
                    ("--token-bytes", tokenBytes != nil),
                    ("--validation-fraction", validationFraction != nil),
                    ("--overwrite", overwrite), ("--column", column != nil),
                    ("--concatenated", concatenated),
                ]
                if compress && to != .mds { throw ValidationError("--compress goes with --to mds") }
                if let other = others.first(where: \.1) {
                    throw ValidationError("\(other.0) goes with --from")
                }
                return
            }
            if tokenizer == nil { throw ValidationError("--from needs --tokenizer") }
            if let tokenBytes {
                if from != .olmo && from != .mds {
                    throw ValidationError(
                        "--token-bytes does not go with --from \(from?.rawValue ?? "")")
                }
                guard [2, 4].contains(tokenBytes) || from == .mds && tokenBytes == 8 else {
                    throw ValidationError(
                        "--token-bytes is \(tokenBytes), want 2 or 4"
                            + (from == .mds ? " or 8" : ""))
                }
            }
            if compress { throw ValidationError("--compress goes with --to mds") }
            if from != .mds && (column != nil || concatenated) {
                throw ValidationError(
                    "\(column != nil ? "--column" : "--concatenated") goes with --from mds")
            }
            if let fraction = validationFraction, !(0...1).contains(fraction) {
                throw ValidationError("--validation-fraction is \(fraction), want 0 to 1")
            }
            if let end = endOfDocumentId, end < 0 {
                throw ValidationError("--end-of-document-id is \(end), want 0 or more")
            }
        }

        /// The output of `--json`.
        private struct Output: Encodable {
            let output: String
            let documents: Int
            let tokens: Int
            let dataset_digest: String
        }

        func run() throws {
            let index: DatasetIndex
            if let to {
                let dataset = try TokenDataset(path: paths[0])
                var conversion = DataConversion(to)
                conversion.isCompressed = compress
                try conversion.export(dataset, to: output)
                index = dataset.index
            } else if let from, let tokenizer {
                var conversion = DataConversion(from)
                conversion.overwrites = overwrite
                conversion.endOfDocumentID = endOfDocumentId
                conversion.tokenBytes = tokenBytes
                conversion.column = column
                conversion.isConcatenated = concatenated
                conversion.validationFraction = validationFraction ?? 0
                index = try conversion.importFiles(
                    paths, tokenizer: try openTokenizer(path: tokenizer), to: output)
                if index.validation.shards.isEmpty {
                    common.talk(
                        "nothing is held out for validation; --validation-fraction holds out a share"
                    )
                }
            } else {
                return
            }
            let documents = index.train.documents + index.validation.documents
            let tokens = index.train.tokens + index.validation.tokens
            try common.printResult(
                Output(
                    output: output, documents: documents, tokens: tokens,
                    dataset_digest: index.datasetDigest),
                table: [
                    ("output", output), ("documents", grouped(documents)),
                    ("tokens", grouped(tokens)), ("digest", index.datasetDigest),
                ])
        }
    }
}
