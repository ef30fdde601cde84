import ArgumentParser
import FalconData
import FalconEval
import FalconInterchange
import FalconModel
import FalconSystem
import FalconTokenizer
import FalconTrain

struct EvalCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "eval",
        abstract: "Score a model on text, a validation split and tasks.",
        discussion: """
            Without --shards, --text or --tasks, this scores the validation split of the data that \
            the model was trained on.
            """)

    @Argument(help: "A checkpoint, a run folder, a Hugging Face folder or a GGUF file.")
    var model: String

    @Option(help: "Score the validation split of a folder written by falcon tokenize.")
    var shards: String?

    @Option(parsing: .singleValue, help: "Score a text file, as one document.")
    var text: [String] = []

    @Option(help: "Tasks to run, separated by commas: hellaswag.")
    var tasks: String?

    @Option(help: "The folder that holds the tasks' files, such as hellaswag/validation.jsonl.")
    var data: String?

    @Option(help: "Score only this many documents of each task, from the start of its file.")
    var limit: Int?

    @Option(help: "Write one JSON object per task document to this file.")
    var samples: String?

    @Option(
        help: """
            The most tokens that see each other when text is scored. Default: as in training, or \
            4096 for a model without a recipe.
            """)
    var sequenceLength: Int?

    @Option(
        help: """
            Compare with an earlier --json result; exit status 1 if a number differs, 65 if the \
            two were measured on different data.
            """)
    var against: String?

    @Option(help: "The largest relative difference allowed from --against.")
    var tolerance = 1e-4

    @OptionGroup var common: CommonOptions

    /// Rows of a batch are counted in 32 bits.
    private static let lengthLimit = 1 << 24

    func validate() throws {
        if tasks != nil && data == nil {
            throw ValidationError("--tasks needs --data, the folder with the tasks' files")
        }
        if let limit, limit < 1 { throw ValidationError("--limit is \(limit); want at least 1") }
        if !(tolerance >= 0) {
            throw ValidationError("--tolerance is \(tolerance); want 0 or more")
        }
        if let sequenceLength, !(1...Self.lengthLimit).contains(sequenceLength) {
            throw ValidationError(
                "--sequence-length is \(sequenceLength); want 1 to \(Self.lengthLimit)")
        }
    }

    func run() throws {
        let wanted = try (tasks?.split(separator: ",") ?? []).map {
            try Evaluator.task(named: String($0))
        }
        if let samples { try requireOutput(samples, wanted) }
        let golden = try against.map(EvaluationResult.init(path:))
        let loaded = try LoadedModel(path: model, on: common.makeDevice())
        let tokenizer = try loaded.requireTokenizer()
        let evaluator = Evaluator(model: loaded.model, tokenizer: tokenizer, device: loaded.device)
        var result = EvaluationResult(model: loaded.path, tokenizer: tokenizer.fingerprint)
        let trained = try TrainingData(of: loaded.files)
        let length =
            sequenceLength ?? trained?.section.sequenceLength
            ?? min(Evaluator.usualLength, loaded.model.configuration.maxPositionEmbeddings)
        if shards != nil || (text.isEmpty && wanted.isEmpty) {
            guard let folder = try shards ?? trained?.locate() else {
                throw ValidationError("\(model) names no data; give --shards, --text or --tasks")
            }
            result.texts["validation"] = try evaluator.result(
                ofShards: folder, sequenceLength: length)
        }
        for path in text {
            result.texts[path] = try evaluator.result(ofText: path, sequenceLength: length)
        }
        for task in wanted { result.tasks[task.name] = try run(task, evaluator) }
        if common.json { try printJSON(result) } else { printTable(result) }
        if let golden, let against { try compare(result, with: golden, from: against) }
    }

    /// Refuses to write samples over an input.
    private func requireOutput(_ samples: String, _ tasks: [any MultipleChoiceTask]) throws {
        let inputs =
            [model] + text + [against].compactMap { $0 }
            + tasks.map { (data ?? ".") + "/" + $0.file }
        let path = canonicalPath(samples)
        for input in inputs.map(canonicalPath)
        where path == input || path.hasPrefix(input + "/") {
            throw FileError.exists(
                path: samples, advice: "it is an input of this command; choose another --samples")
        }
    }

    private func run(_ task: any MultipleChoiceTask, _ evaluator: Evaluator) throws -> TaskScore {
        let line = common.progressLine()
        defer { line.end() }
        var documents = WorkProgress(.items("documents"), at: monotonicSeconds())
        return try evaluator.run(
            task, dataIn: data ?? ".", limit: limit, samplesPath: samples
        ) { done, total in
            documents.advance(to: done, of: total, at: monotonicSeconds())
            line.show("\(task.name) \(documents)")
        }
    }

    private func printTable(_ result: EvaluationResult) {
        for (name, score) in result.texts.mapValues(\.score).sorted(by: { $0.key < $1.key }) {
            print(
                "\(name)  loss \(decimal(score.loss, places: 4))  perplexity \(decimal(score.perplexity, places: 3))  "
                    + "bits/byte \(decimal(score.bitsPerByte, places: 4))  "
                    + "(\(grouped(score.tokens)) tokens, \(grouped(score.bytes)) bytes)")
        }
        for (name, score) in result.tasks.sorted(by: { $0.key < $1.key }) {
            print(
                "\(name)  acc \(decimal(score.acc, places: 4)) ± \(decimal(score.accStandardError, places: 4))  "
                    + "acc_norm \(decimal(score.accNorm, places: 4)) ± \(decimal(score.accNormStandardError, places: 4))  "
                    + "(\(grouped(score.documents)) documents)")
        }
    }

    /// Fails when a score of an earlier result is missing or differs.
    private func compare(
        _ result: EvaluationResult, with golden: EvaluationResult, from path: String
    ) throws {
        let comparison = EvaluationComparison(result, with: golden, tolerance: tolerance)
        for note in comparison.notes { common.talk(note) }
        for difference in comparison.differences {
            writeToStandardError("falcon: \(difference)\n")
        }
        switch comparison.verdict {
        case .matches: common.talk("every score matches \(path)")
        case .differs: throw ExitCode(ExitStatus.checkFailed.rawValue)
        case .notComparable:
            throw EvaluationError.notComparable(path: path, reasons: comparison.obstacles)
        }
    }
}
