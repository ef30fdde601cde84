import ArgumentParser
import FalconConcurrency
import FalconInterchange
import FalconModel
import FalconSystem
import FalconTensor
import FalconTokenizer
import FoundationEssentials

struct GenerateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "generate", abstract: "Continue a prompt, token by token.")

    @Argument(help: "A checkpoint, a run folder, a Hugging Face folder or a GGUF file.")
    var model: String

    @Option(help: "The text to continue; - reads standard input.")
    var prompt: String?

    @Option(
        help: ArgumentHelp(
            "The prompt as token ids, separated by spaces; nothing is put before them.",
            valueName: "ids"))
    var ids: String?

    @Option(help: "The most tokens to write.")
    var maxTokens = 128

    @Option(help: "Divides the logits; 0 always takes the most probable token.")
    var temperature = 0.8

    @Option(help: "Consider only the most probable tokens that sum to this probability.")
    var topP = 1.0

    @Option(help: "The seed of the random choices.")
    var seed: UInt64 = 0

    @Flag(help: "Write token ids instead of text.")
    var outputIds = false

    @Flag(help: "Continue after the token that ends documents.")
    var ignoreEnd = false

    @OptionGroup var common: CommonOptions

    func validate() throws {
        if (prompt == nil) == (ids == nil) {
            throw ValidationError("give one of --prompt and --ids")
        }
        if maxTokens < 1 { throw ValidationError("--max-tokens is \(maxTokens); want at least 1") }
        if !(temperature >= 0 && temperature.isFinite) {
            throw ValidationError("--temperature is \(temperature); want 0 or more")
        }
        if !(topP > 0 && topP <= 1) {
            throw ValidationError("--top-p is \(topP); want more than 0 and at most 1")
        }
    }

    /// The output of `--json`.
    private struct Output: Encodable {
        let prompt_tokens: Int
        let ids: [Int32]
        let text: String?
        let tokens_per_second: Double
    }

    func run() throws {
        let loaded = try LoadedModel(path: model, on: common.makeDevice())
        let tokenizer = loaded.tokenizer
        let vocabularyCount = loaded.model.configuration.vocabSize
        let ids = try promptTokens(loaded, vocabularyCount: vocabularyCount)
        if tokenizer == nil && !outputIds && !common.json {
            common.talk("\(loaded.path) has no tokenizer: token ids are written")
        }
        let writesIDs = outputIds || tokenizer == nil
        var decoder = tokenizer.map { StreamingDecoder($0, continuesText: true) }
        var written: [Int32] = []
        var text = ""
        let start = monotonicSeconds()
        try loaded.model.generate(
            from: ids, maxTokens: maxTokens,
            sampler: TokenSampler(
                temperature: temperature, topP: topP, seed: seed, allowed: loaded.writableTokens),
            end: ignoreEnd ? nil : tokenizer?.eosID, on: loaded.device
        ) { token in
            written.append(token)
            let piece = try decoder?.append(token) ?? ""
            if common.json {
                text += piece
            } else {
                try write(writesIDs ? (written.count > 1 ? " \(token)" : "\(token)") : piece)
            }
            return !Signals.stopRequested
        }
        let seconds = monotonicSeconds() - start
        let rest = decoder?.finish() ?? ""
        if common.json {
            try printJSON(
                Output(
                    prompt_tokens: ids.count, ids: written,
                    text: tokenizer.map { _ in text + rest },
                    tokens_per_second: Double(written.count) / seconds))
        } else {
            try write((writesIDs ? "" : rest) + "\n")
        }
        common.talk(
            "\(ids.count) prompt tokens, \(written.count) written, "
                + "\(decimal(Double(written.count) / seconds, places: 1)) tokens/s")
    }

    private func promptTokens(
        _ loaded: LoadedModel, vocabularyCount: Int
    ) throws -> [Int32] {
        if let ids { return try tokenIDs(ids, vocabularyCount: vocabularyCount) }
        // Checked before waiting for standard input.
        _ = try loaded.requireTokenizer()
        var text = prompt ?? ""
        if text == "-" {
            var lines: [String] = []
            while let line = readLine(strippingNewline: false) { lines.append(line) }
            text = lines.joined()
        }
        return try loaded.promptTokens(text)
    }

    /// Writes at once, so that a reader sees each token as it comes.
    private func write(_ text: String) throws {
        guard !text.isEmpty else { return }
        print(text, terminator: "")
        try flushStandardOutput()
    }
}

/// The token ids of an option `--ids`.
func tokenIDs(_ text: String, vocabularyCount: Int) throws -> [Int32] {
    let ids = try text.split(whereSeparator: { $0 == " " || $0 == "," }).map { word in
        guard let id = Int32(word), id >= 0, id < vocabularyCount else {
            throw ValidationError("--ids: \"\(word)\" is not a number below \(vocabularyCount)")
        }
        return id
    }
    if ids.isEmpty { throw ValidationError("--ids holds no token") }
    return ids
}
