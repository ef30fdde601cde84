import ArgumentParser
import FalconInterchange
import FalconModel
import FalconTensor

struct LogitsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logits", abstract: "Print the logits after every token of a prompt, as JSON.")

    @Argument(help: "A checkpoint, a run folder, a Hugging Face folder or a GGUF file.")
    var model: String

    @Option(help: "The tokens, separated by spaces.")
    var ids: String

    @OptionGroup var common: CommonOptions

    /// The output.
    private struct Output: Encodable {
        let logits: [[Float]]
    }

    func run() throws {
        let loaded = try LoadedModel(path: model, on: common.makeDevice())
        let vocabularyCount = loaded.model.configuration.vocabSize
        let tokens = try tokenIDs(ids, vocabularyCount: vocabularyCount)
        try printJSON(Output(logits: loaded.logits(tokens)))
    }
}
