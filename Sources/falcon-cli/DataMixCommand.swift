import ArgumentParser
import FalconData
import FalconSystem

extension ForeignMixture.Format: ExpressibleByArgument {}

extension DataCommand {
    /// Prints the mixture of another trainer as part of a recipe.
    struct Mix: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the data mixture of another trainer as part of a recipe.",
            discussion: """
                megatron: a blend, the words of --data-path or the file of --data-args-path: weights and prefixes \
                by turns, or prefixes alone, whose shares are their sizes. olmo-core: a mix, lines of a label, a \
                comma and a file; each label is a data set here, its share the size of it.

                The data sets must be token shards: falcon data convert makes them. Weights are rounded to the nine \
                digits that a recipe takes, and the change is told.
                """)

        @Argument(
            help: "A file, or - for stdin; of megatron also the weights and prefixes themselves.")
        var blend: [String]

        @Option(help: "The trainer that the mixture is of: megatron or olmo-core.")
        var from: ForeignMixture.Format

        @Option(
            help: """
                The folder with the data sets, under the last part of a prefix or under the label; without it, \
                prefixes and labels are paths of data sets.
                """)
        var datasets: String?

        @OptionGroup var common: CommonOptions

        func validate() throws {
            if blend.isEmpty { throw ValidationError("give the file of a mixture, or - for stdin") }
            if blend.count > 1 && from != .megatron {
                throw ValidationError("--from \(from.rawValue) takes one file")
            }
        }

        /// A data set in the output of `--json`.
        private struct Part: Encodable {
            let path: String
            let weight: Double
            let tokens: Int
        }

        /// The output of `--json`.
        private struct Output: Encodable {
            let mix: [Part]
            let left_out: [String]
            let largest_share_change: Double
        }

        func run() throws {
            let mix = try ForeignMixture(from, text: text(), path: name).mix(inFolder: datasets)
            for name in mix.leftOut { common.talk("left out \(name), whose weight is 0") }
            if mix.largestChange > 0 {
                common.talk(
                    "rounded the weights to nine digits: no share changes by more than "
                        + scientific(mix.largestChange, places: 1))
            }
            if common.json {
                return try printJSON(
                    Output(
                        mix: mix.parts.map {
                            Part(path: $0.path, weight: $0.weight, tokens: $0.tokens)
                        },
                        left_out: mix.leftOut, largest_share_change: mix.largestChange))
            }
            print(mix.yaml, terminator: "")
        }

        private var name: String {
            blend.count > 1 ? "the blend" : blend[0] == "-" ? "standard input" : blend[0]
        }

        private func text() throws -> String {
            if blend.count > 1 { return blend.joined(separator: " ") }
            let bytes: [UInt8]
            if blend[0] == "-" {
                let input = InputFile.standardInput()
                var all: [UInt8] = []
                while true {
                    let more = try input.read(upTo: 1 << 16)
                    if more.isEmpty { break }
                    all += more
                }
                bytes = all
            } else {
                bytes = try InputFile.contents(of: blend[0])
            }
            guard let text = String(validating: bytes, as: UTF8.self) else {
                throw DataError.unreadableText(path: name, reason: "it is not UTF-8")
            }
            return text
        }
    }
}
