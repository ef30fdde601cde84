import ArgumentParser
import FalconData
import FalconJSON

extension Split: ExpressibleByArgument {}

struct DocumentsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "documents",
        abstract: "Print the documents of token shards that hold given tokens.",
        discussion: """
            Tokens are given by their places, counted from the beginning of the split, as in the
            first_token of RUN/events/step-N.json. Prints one JSON object per line with first_token,
            tokens and text.
            """)

    @Argument(help: "A folder written by `falcon tokenize`.")
    var shards: String

    @Argument(help: "Places of tokens; the documents that hold them are printed.")
    var tokens: [Int]

    @Option(help: "The split: train or validation.")
    var split: Split = .train

    /// The line printed for each document.
    private struct Line: Encodable {
        let first_token: Int
        let tokens: Int
        let text: String
    }

    func run() throws {
        let finder = try DocumentFinder(TokenDataset(path: shards), split: split)
        for token in tokens {
            guard (0..<finder.tokenCount).contains(token) else {
                throw ValidationError(
                    "token \(token) is not in the \(split.rawValue) split of \(shards), which has "
                        + "\(finder.tokenCount)")
            }
        }
        for token in tokens {
            let document = try finder.document(with: token)
            print(
                try jsonText(
                    Line(
                        first_token: document.lowerBound, tokens: document.count,
                        text: try finder.text(of: document))))
        }
    }
}
