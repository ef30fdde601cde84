import ArgumentParser
import FalconConcurrency
import FalconData
import FalconEval
import FalconInterchange
import FalconModel
import FalconRanks
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

            Tasks: \(TaskCatalog.tasks.map(\.name).joined(separator: ", ")).
            Groups: \(TaskCatalog.groups.map(\.name).joined(separator: ", ")), and their parts.
            Suites: \(TaskCatalog.suites.map(\.name).joined(separator: ", ")).
            Prompts, metrics and standard errors are those of lm-evaluation-harness 0.4.13.
            """)

    @Argument(help: "A checkpoint, a run folder, a Hugging Face folder or a GGUF file.")
    var model: String

    @Option(
        parsing: .singleValue,
        help:
            "Score the validation split of a folder written by falcon tokenize; of several, all together."
    )
    var shards: [String] = []

    @Option(parsing: .singleValue, help: "Score a text file, as one document.")
    var text: [String] = []

    @Option(
        parsing: .singleValue,
        help: "Tasks, groups and suites, separated by commas; hellaswag@10 takes ten examples.")
    var tasks: [String] = []

    @Option(help: "The folder that holds the tasks' files, such as hellaswag/validation.jsonl.")
    var data: String?

    @Option(
        parsing: .unconditional,
        help: "Examples before each document. Default: as is usual for the task.")
    var shots: Int?

    @Option(
        parsing: .unconditional,
        help: "Score only this many documents of each task, from the start of its file.")
    var limit: Int?

    @Option(
        help: """
            A folder for the tasks' answers, one JSON line a document in the fields of \
            lm-evaluation-harness; they are written as they come.
            """)
    var samples: String?

    @Flag(help: "Take the answers that are in --samples already, and go on from them.")
    var resume = false

    @Option(help: "Tokens that the model reads at a time; results do not depend on it.")
    var batchTokens = Evaluator.usualRows

    @Option(
        help: """
            The most tokens that see each other when text is scored. Default: as in training, or \
            4096 for a model without a recipe.
            """)
    var sequenceLength: Int?

    @Option(
        parsing: .singleValue,
        help: """
            A bound that a score must keep, such as 'arc_easy.acc_norm>=0.35' or \
            'validation.loss<3'; exit status 1 if it does not.
            """,
        transform: { text in
            guard let requirement = ScoreRequirement(text) else {
                throw ValidationError(
                    "\"\(text)\": want NAME.METRIC, one of >=, <=, > and <, and a number, such as "
                        + "arc_easy.acc_norm>=0.35")
            }
            return requirement
        })
    var require: [ScoreRequirement] = []

    @Option(
        help: """
            Compare with an earlier --json result; exit status 1 if a number differs, 65 if the \
            two were measured on different data.
            """)
    var against: String?

    @Option(
        parsing: .singleValue,
        help: """
            The largest difference allowed from --against, relative to numbers above 1: 0.01, or \
            acc=0.01 for one metric, or 2se or acc=2se for standard errors. Default: 1e-4.
            """,
        transform: { text in
            guard let limit = ScoreTolerance.Limit(text) else {
                throw ValidationError(
                    "\"\(text)\": want a number of 0 or more, perhaps with se behind it and METRIC= before "
                        + "it, such as acc=2se")
            }
            return limit
        })
    var tolerance: [ScoreTolerance.Limit] = []

    @OptionGroup var ranks: RankOptions
    @OptionGroup var common: CommonOptions

    /// Rows of a batch are counted in 32 bits.
    private static let lengthLimit = 1 << 24

    func validate() throws {
        if !tasks.isEmpty && data == nil {
            throw ValidationError("--tasks needs --data, the folder with the tasks' files")
        }
        let idle = [
            ("--data", data != nil), ("--shots", shots != nil), ("--limit", limit != nil),
            ("--samples", samples != nil),
        ]
        for (option, isGiven) in idle where isGiven && tasks.isEmpty {
            throw ValidationError("\(option) needs --tasks, the names of the tasks to score")
        }
        if !tolerance.isEmpty && against == nil {
            throw ValidationError("--tolerance needs --against, the result to compare with")
        }
        if resume && samples == nil {
            throw ValidationError("--resume needs --samples, the folder with the answers")
        }
        if let limit, limit < 1 { throw ValidationError("--limit is \(limit); want at least 1") }
        if let shots, shots < 0 { throw ValidationError("--shots is \(shots); want 0 or more") }
        if !(1...Self.lengthLimit).contains(batchTokens) {
            throw ValidationError(
                "--batch-tokens is \(batchTokens); want 1 to \(Self.lengthLimit)")
        }
        if let sequenceLength, !(1...Self.lengthLimit).contains(sequenceLength) {
            throw ValidationError(
                "--sequence-length is \(sequenceLength); want 1 to \(Self.lengthLimit)")
        }
    }

    func run() throws {
        // What is wrong with the answers is known to all ranks, so that all end in the same way.
        try ranks.run(common) { ranks, common in try run(ranks, common) }
    }

    private func run(_ ranks: RankGroup, _ common: CommonOptions) throws {
        let selection =
            tasks.isEmpty
            ? nil : try TaskSelection(tasks.joined(separator: ","), shots: shots)
        try checkScores(of: selection)
        let golden = try against.map(EvaluationResult.init(path:))
        if let samples, fileKind(of: samples) == .file {
            throw FileError.exists(
                path: samples, advice: "--samples wants a folder; choose another")
        }
        // All data is read before anything is computed: what is missing is said at once.
        let parts = try selection?.data(in: data ?? ".", limit: limit) ?? []
        let loaded = try LoadedModel(path: model, on: common.makeDevice())
        let tokenizer = try loaded.requireTokenizer()
        let evaluator = Evaluator(
            model: loaded.model, tokenizer: tokenizer, device: loaded.device, ranks: ranks)
        let digest = samples == nil && ranks.count == 1 ? "" : loaded.digest()
        try requireAgreement(ranks, model: digest, parts)
        var result = EvaluationResult(model: loaded.path, tokenizer: tokenizer.fingerprint)
        try scoreTexts(of: loaded, with: evaluator, &result)
        // The leader alone writes.
        let lock = try (ranks.isLeader ? samples : nil).map { folder in
            try createFolder(folder)
            return try FolderLock(folder: folder)
        }
        for (index, part) in parts.enumerated() {
            result.tasks[part.key] = try run(
                TaskRun(
                    part.data, key: part.key, limit: limit, modelDigest: digest,
                    samplesFolder: ranks.isLeader ? samples : nil), evaluator, common,
                place: parts.count > 1 ? "\(index + 1)/\(parts.count) " : "")
        }
        withExtendedLifetime(lock) {}
        if let summaries = selection?.summaries(of: result.tasks) {
            result.groups = summaries.groups.isEmpty ? nil : summaries.groups
            result.suites = summaries.suites.isEmpty ? nil : summaries.suites
        }
        // The others have the same result.
        guard ranks.isLeader else { return }
        if common.json { try printJSON(result) } else { printTable(result) }
        let isKept = keepsRequirements(result)
        if let golden, let against { try compare(result, with: golden, from: against) }
        if !isKept { throw ExitCode(ExitStatus.checkFailed.rawValue) }
    }

    /// Checks that all ranks score the same model on the same documents.
    private func requireAgreement(
        _ ranks: RankGroup, model digest: String, _ parts: [(key: String, data: TaskData)]
    ) throws {
        var agreement = RankAgreement()
        agreement.add("the model", digest)
        for part in parts { agreement.add(part.key, part.data.digest) }
        try agreement.check(ranks)
    }

    /// Whether the validation split is scored.
    private var scoresValidation: Bool { !shards.isEmpty || text.isEmpty && tasks.isEmpty }

    /// Checks that what is required or tolerated will be measured, before anything is.
    private func checkScores(of selection: TaskSelection?) throws {
        let texts = text + (scoresValidation ? ["validation"] : [])
        for requirement in require { try requirement.requireMeasured(texts: texts, selection) }
        let metrics = selection?.names.flatMap { selection?.metrics(of: $0) ?? [] } ?? []
        let known = ["loss", "bits_per_byte"] + metrics
        for metric in ScoreTolerance(tolerance).metrics where !known.contains(metric) {
            let last = metric.split(separator: ".").last.map(String.init) ?? metric
            let hint = (known.contains(last) ? last : suggestion(for: metric, among: known))
                .map { "; did you mean \($0)?" }
            throw ValidationError(
                "--tolerance \(metric)=…: there is no metric \(metric)\(hint ?? "")")
        }
    }

    private func scoreTexts(
        of loaded: LoadedModel, with evaluator: Evaluator, _ result: inout EvaluationResult
    ) throws {
        let trained = try TrainingData(of: loaded.files)
        let length =
            sequenceLength ?? trained?.section.sequenceLength
            ?? min(Evaluator.usualLength, loaded.model.configuration.maxPositionEmbeddings)
        if scoresValidation {
            guard let folders = try shards.isEmpty ? trained?.locate() : shards else {
                throw ValidationError("\(model) names no data; give --shards, --text or --tasks")
            }
            result.texts["validation"] = try evaluator.result(
                ofShards: folders, sequenceLength: length)
        }
        for path in text {
            result.texts[path] = try evaluator.result(ofText: path, sequenceLength: length)
        }
    }

    private func run(
        _ task: TaskRun, _ evaluator: Evaluator, _ common: CommonOptions, place: String
    ) throws -> TaskScore {
        let line = common.progressLine()
        defer { line.end() }
        var documents = WorkProgress(.items("documents"), at: monotonicSeconds())
        return try task.run(with: evaluator, resumes: resume, rows: batchTokens) { done in
            documents.advance(
                to: done, of: task.data.documents.count, at: monotonicSeconds())
            line.show("\(place)\(task.key) \(documents)")
        }
    }

    private func printTable(_ result: EvaluationResult) {
        for (name, score) in result.texts.mapValues(\.score).sorted(by: { $0.key < $1.key }) {
            print(
                "\(name)  loss \(decimal(score.loss, places: 4))  perplexity \(decimal(score.perplexity, places: 3))  "
                    + "bits/byte \(decimal(score.bitsPerByte, places: 4))  "
                    + "(\(grouped(score.tokens)) tokens, \(grouped(score.bytes)) bytes)")
        }
        let scores = result.tasks.merging(result.groups ?? [:]) { task, _ in task }
        if !scores.isEmpty {
            var table = Table("task", "shots", "documents", "metric", "value", "± one error")
            for (name, score) in scores.sorted(by: { $0.key < $1.key }) {
                for (metric, value) in score.metrics.sorted(by: { $0.key < $1.key }) {
                    table.add([
                        name, score.shots.map { "\($0)" } ?? "", grouped(score.documents), metric,
                        decimal(value.value, places: 4),
                        value.standardError.map { decimal($0, places: 4) } ?? "",
                    ])
                }
            }
            table.printed()
        }
        for (name, suite) in (result.suites ?? [:]).sorted(by: { $0.key < $1.key }) {
            print(
                "\(name)  \(decimal(suite.score, places: 4)), the mean of \(suite.items) scores"
                    + (suite.missing.isEmpty
                        ? "" : "; without \(suite.missing.joined(separator: ", "))"))
        }
    }

    /// Says which requirements are not kept.
    private func keepsRequirements(_ result: EvaluationResult) -> Bool {
        let failures = require.compactMap { $0.failure(in: result) }
        for failure in failures { writeToStandardError("falcon: required \(failure)\n") }
        if failures.isEmpty && !require.isEmpty {
            common.talk("all \(require.count) requirements are kept")
        }
        return failures.isEmpty
    }

    /// Fails when a score of an earlier result is missing or differs.
    private func compare(
        _ result: EvaluationResult, with golden: EvaluationResult, from path: String
    ) throws {
        let comparison = EvaluationComparison(
            result, with: golden, tolerance: ScoreTolerance([.init(1e-4)] + tolerance))
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
