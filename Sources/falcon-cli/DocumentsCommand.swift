import ArgumentParser
import FalconData
import FalconJSON

extension Split: ExpressibleByArgument {}

struct DocumentsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "documents",
        abstract: "Print documents of token shards by the place of one of their tokens.",
        discussion: """
            Places are those of RUN/events/step-N.json: first_token counts tokens from the beginning of
            the split. Prints one JSON object a line with first_token, tokens and text.
            """)

    @Argument(help: "A folder written by `falcon tokenize`.")
    var shards: String

    @Argument(help: "Tokens; the documents that hold them are printed.")
    var tokens: [Int]

    @Option(help: "The split: train or validation.")
    var split: Split = .train

    /// What is printed for each document.
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
