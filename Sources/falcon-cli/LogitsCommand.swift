import ArgumentParser
import FalconInterchange
import FalconModel
import FalconSystem
import FalconTensor

struct LogitsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logits", abstract: "Print the logits after every token of a prompt, as JSON.")

    @Argument(help: "A checkpoint, a run folder (its newest checkpoint) or a Hugging Face folder.")
    var model: String

    @Option(help: "The tokens, separated by spaces.")
    var ids: String

    @OptionGroup var common: CommonOptions

    /// What is printed.
    private struct Output: Encodable {
        let version = 1
        let logits: [[Float]]
    }

    func run() throws {
        let loaded = try LoadedModel(path: model, on: common.makeDevice())
        let vocabularyCount = loaded.model.configuration.vocabSize
        let tokens = try ids.split(whereSeparator: { $0 == " " || $0 == "," }).map { word in
            guard let id = Int32(word), id >= 0, id < vocabularyCount else {
                throw ValidationError("--ids: \"\(word)\" is not a number below \(vocabularyCount)")
            }
            return id
        }
        if tokens.isEmpty { throw ValidationError("--ids holds no token") }
        try printJSON(Output(logits: loaded.logits(tokens)))
    }
}
