import ArgumentParser
import FalconData
import FalconEval
import FalconInterchange
import FalconModel
import FalconRecipe
import FalconSystem
import FalconTensor
import FalconTrain
import FoundationEssentials

struct EvalCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "eval",
        abstract: "Score a model on text, a validation split and tasks.",
        discussion: """
            Without --shards, --text and --tasks, the validation split of the data that the model was \
            trained on is scored.
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

    @Option(help: "Only so many documents of each task, from the start of its file.")
    var limit: Int?

    @Option(help: "Write one JSON object per task document to this file.")
    var samples: String?

    @Option(
        help: """
            Tokens that see each other when text is scored; without it, as in training, or of a model \
            without recipe 4096.
            """)
    var sequenceLength: Int?

    @Option(
        help: """
            Compare with an earlier --json result: exit status 1 if a number differs, 65 if the two were \
            measured on different data.
            """)
    var against: String?

    @Option(help: "How far numbers may be from --against, relative to their size.")
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
        let wanted = try (tasks?.split(separator: ",").map(String.init) ?? []).map { name in
            guard let task = Evaluator.tasks.first(where: { $0.name == name }) else {
                throw EvaluationError.unknownTask(name, known: Evaluator.tasks.map(\.name))
            }
            return task
        }
        if let samples { try requireOutput(samples, wanted) }
        let golden = try against.map(earlierResult)
        let loaded = try LoadedModel(path: model, on: common.makeDevice())
        let tokenizer = try loaded.requireTokenizer()
        let evaluator = Evaluator(model: loaded.model, tokenizer: tokenizer, device: loaded.device)
        var output = EvalResult(model: loaded.path, tokenizer: tokenizer.fingerprint)
        let trained = try TrainingData(of: loaded.files)
        let length =
            sequenceLength ?? trained?.section.sequenceLength
            ?? min(Evaluator.usualLength, loaded.model.configuration.maxPositionEmbeddings)
        if shards != nil || (text.isEmpty && wanted.isEmpty) {
            guard let folder = try shards ?? trained?.locate() else {
                throw ValidationError("\(model) names no data; give --shards, --text or --tasks")
            }
            output.texts["validation"] = try score(folder, evaluator, tokenizer, length)
        }
        for path in text {
            output.texts[path] = EvalResult.Text(
                score: try evaluator.score(textFile: path, sequenceLength: length),
                // A pipe can be read only once.
                dataDigest: fileKind(of: path) == .file && !isStream(path)
                    ? try SHA256.hex(ofFile: path) : nil,
                sequenceLength: length)
        }
        for task in wanted { output.tasks[task.name] = try run(task, evaluator) }
        if common.json { try printJSON(output) } else { printTable(output) }
        if let golden, let against { try compare(output, with: golden, from: against) }
    }

    /// Refuses to write samples over what is read.
    private func requireOutput(_ samples: String, _ tasks: [any MultipleChoiceTask]) throws {
        let inputs =
            [model] + text + [against].compactMap { $0 }
            + tasks.map { (data ?? ".") + "/" + $0.file }
        let path = canonicalPath(samples)
        for input in inputs.map(canonicalPath)
        where path == input || path.hasPrefix(input + "/") {
            throw FileError.exists(
                path: samples, advice: "it is read here; choose another --samples")
        }
    }

    private func score(
        _ folder: String, _ evaluator: Evaluator, _ tokenizer: any Tokenizer, _ length: Int
    ) throws -> EvalResult.Text {
        let dataset = try TokenDataset(path: folder)
        try dataset.requireTokenizer(tokenizer)
        let batches = try ValidationBatches(
            dataset: dataset, sequenceLength: length, sequencesPerBatch: 1)
        let iterator = batches.makeIterator()
        guard let score = try evaluator.score({ try iterator.next() }) else {
            throw DataError.splitTooShort(
                path: folder, split: .validation, tokenCount: dataset.index.validation.tokens,
                wanted: 2)
        }
        return EvalResult.Text(
            score: score, dataDigest: dataset.index.datasetDigest, sequenceLength: length)
    }

    private func run(_ task: any MultipleChoiceTask, _ evaluator: Evaluator) throws -> TaskScore {
        var lines = ""
        let score = try evaluator.run(task, dataIn: data ?? ".", limit: limit) { answer, total in
            if samples != nil {
                lines += try jsonText(answer) + "\n"
            }
            if !common.quiet && isTerminal(2) {
                writeToStandardError("\r\(task.name) \(answer.document + 1)/\(total)")
            }
        }
        if !common.quiet && isTerminal(2) { writeToStandardError("\n") }
        if let samples {
            var file = try AtomicFile(path: samples)
            try file.write(lines)
            try file.commit()
        }
        return score
    }

    private func printTable(_ output: EvalResult) {
        for (name, score) in output.texts.mapValues(\.score).sorted(by: { $0.key < $1.key }) {
            print(
                "\(name)  loss \(decimal(score.loss, places: 4))  perplexity \(decimal(score.perplexity, places: 3))  "
                    + "bits/byte \(decimal(score.bitsPerByte, places: 4))  "
                    + "(\(grouped(score.tokens)) tokens, \(grouped(score.bytes)) bytes)")
        }
        for (name, score) in output.tasks.sorted(by: { $0.key < $1.key }) {
            print(
                "\(name)  acc \(decimal(score.acc, places: 4)) ± \(decimal(score.accStandardError, places: 4))  "
                    + "acc_norm \(decimal(score.accNorm, places: 4)) ± \(decimal(score.accNormStandardError, places: 4))  "
                    + "(\(grouped(score.documents)) documents)")
        }
    }

    /// Reads what `--json` printed earlier.
    private func earlierResult(_ path: String) throws -> EvalResult {
        let bytes = try readBytes(ofFile: path)
        do {
            return try decodedJSON(EvalResult.self, from: bytes)
        } catch {
            throw EvaluationError.notAResult(path: path)
        }
    }

    /// Fails when a score of an earlier result is missing or differs.
    private func compare(_ output: EvalResult, with golden: EvalResult, from path: String) throws {
        let comparison = EvalComparison(output, with: golden, tolerance: tolerance)
        for note in comparison.notes { common.talk(note) }
        for difference in comparison.differences {
            writeToStandardError("falcon: \(difference)\n")
        }
        if !comparison.obstacles.isEmpty {
            throw EvaluationError.notComparable(path: path, reasons: comparison.obstacles)
        }
        if !comparison.differences.isEmpty { throw ExitCode(ExitStatus.checkFailed.rawValue) }
        common.talk("every score of \(path) is matched")
    }
}
