import ArgumentParser
import FalconData
import FalconSystem

extension DataCommand {
    /// Prints what a data set holds.
    struct Info: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print what a folder of token shards holds.")

        @Argument(help: "A folder written by falcon tokenize.")
        var path: String

        @OptionGroup var common: CommonOptions

        /// A split in the output of `--json`.
        private struct SplitOutput: Encodable {
            let tokens: Int
            let documents: Int
            let text_bytes: Int
            let bytes_per_token: Double
            let shards: Int
            let bytes: Int

            init(_ split: DatasetIndex.SplitIndex) {
                (tokens, documents, text_bytes) = (split.tokens, split.documents, split.textBytes)
                // The token that ends a document stands for no text.
                bytes_per_token = Double(split.textBytes) / Double(max(1, tokens - documents))
                shards = split.shards.count
                bytes = split.shards.reduce(0) { $0 + $1.bytes }
            }
        }

        /// The output of `--json`.
        private struct Output: Encodable {
            let path: String
            let dataset_digest: String
            let tokenizer_sha256: String
            let vocabulary_size: Int
            let token_type: String
            let end_of_document_id: Int32
            let train: SplitOutput
            let validation: SplitOutput
        }

        func run() throws {
            let index = try TokenDataset(path: path).index
            let splits = [
                ("train", SplitOutput(index.train)), ("validation", SplitOutput(index.validation)),
            ]
            if common.json {
                return try printJSON(
                    Output(
                        path: path, dataset_digest: index.datasetDigest,
                        tokenizer_sha256: index.tokenizerDigest,
                        vocabulary_size: index.vocabularyCount,
                        token_type: index.tokenType.rawValue,
                        end_of_document_id: index.endOfDocumentID,
                        train: splits[0].1, validation: splits[1].1))
            }
            print("\(path): \(index.datasetDigest)")
            print(
                "vocabulary \(grouped(index.vocabularyCount)), \(index.tokenType.rawValue), documents end with "
                    + "\(index.endOfDocumentID), tokenizer \(index.tokenizerDigest.prefix(16))…")
            for (name, split) in splits {
                print(
                    "\(name): \(grouped(split.tokens)) tokens, \(grouped(split.documents)) documents, "
                        + "\(grouped(split.text_bytes)) bytes of text (\(decimal(split.bytes_per_token, places: 2)) "
                        + "a token), \(split.shards) shards of \(memory(split.bytes)) in all")
            }
        }
    }
}
