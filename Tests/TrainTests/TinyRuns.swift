import FalconCheckpoint
import FalconData
import FalconRecipe
import FalconRunRecord
import FalconSystem
import FalconTrain
import Foundation
import Testing

/// A folder with a tiny corpus as shards, and runs on it that take a fraction of a second; removed with
/// the value.
///
///     text/  shards/  and a folder for each run
final class TinyRuns {
    let folder: String
    private let settings: [String]

    /// Writes shards of regular documents and some more, which the tokenizer has not seen.
    ///
    /// `settings` are those of every run; a test's own come after them.
    init(
        documents: Int = 40, adding texts: [String] = [], validationFraction: Double = 0.1,
        settings: [String] = []
    ) throws {
        folder = FileManager.default.temporaryDirectory.path + "/falcon-runs-\(UUID().uuidString)"
        self.settings = settings
        let text = folder + "/text"
        try FileManager.default.createDirectory(atPath: text, withIntermediateDirectories: true)
        let words = "the of a union state law people and in to war peace year tax bank land".split(
            separator: " ")
        for document in 0..<documents {
            let chosen = (0..<90).map { words[($0 * $0 + 3 * document + $0 / 7) % words.count] }
            try write("text/\(document).txt", Array(chosen.joined(separator: " ").utf8))
        }
        let trained = try TokenizerTrainer(vocabularyCount: 300).train(
            on: DocumentReader(paths: [text]))
        for (number, document) in texts.enumerated() {
            try write("text/more-\(1000 + number).txt", Array(document.utf8))
        }
        var writer = CorpusTokenizer(
            tokenizer: try SentencePieceTokenizer(modelBytes: trained.modelBytes))
        writer.validationFraction = validationFraction
        _ = try writer.write(DocumentReader(paths: [text]), to: folder + "/shards")
    }

    /// All documents are trained on, none is validated on, and the rate stays as it is.
    static func unvalidated(
        documents: Int = 40, adding texts: [String] = []
    ) throws -> TinyRuns {
        try TinyRuns(
            documents: documents, adding: texts, validationFraction: 0,
            settings: ["schedule.decay_tokens=0", "evaluation.every_steps=null"])
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    func path(_ name: String) -> String { folder + "/" + name }

    func document(_ settings: [String] = []) throws -> RecipeDocument {
        let yaml = """
            name: tiny
            data: {path: "\(folder)/shards", sequence_length: 24}
            schedule: {warmup_tokens: 192, decay_tokens: 192}
            train: {steps: 8, batch_tokens: 96, micro_batch_sequences: 2}
            checkpoint: {every_steps: 3, keep_last: 9}
            evaluation: {every_steps: 4, tokens: 200}
            model:
              vocab_size: 300
              hidden_size: 16
              num_hidden_layers: 2
              intermediate_size: 24
              num_attention_heads: 2
              num_key_value_heads: 1
              head_dim: 10
              mamba_d_ssm: 24
              mamba_n_heads: 3
              mamba_d_head: 8
              mamba_d_state: 5
              mamba_chunk_size: 7
              max_position_embeddings: 64
              tie_word_embeddings: true
            """
        return try RecipeDocument(
            yaml: yaml, name: "tiny.yaml", settings: self.settings + settings)
    }

    func recipe(_ settings: [String] = []) throws -> TrainingRecipe {
        try document(settings).decode(TrainingRecipe.self)
    }

    /// The first micro-batches of a run, 2 sequences of 24 tokens each.
    func batches(_ count: Int) throws -> [Batch] {
        let loader = try BatchLoader(
            dataset: TokenDataset(path: path("shards")), sequenceLength: 24, sequencesPerBatch: 2,
            seed: 0)
        return try (0..<count).map { _ in try loader.next() }
    }

    /// A run that has not begun.
    func begin(
        _ name: String, _ existing: ExistingRun = .refuse, settings: [String] = [],
        document other: RecipeDocument? = nil, branch: BranchPoint? = nil, threads: Int = 2,
        onEvent: @escaping (RunEvent) -> Void = { _ in }
    ) throws -> PretrainingRun {
        try PretrainingRun(
            other ?? document(settings), in: HeldRun(path(name)), existing: existing,
            branch: branch, threadCount: threads, onEvent: onEvent)
    }

    /// Runs a recipe to its end, or until a number of tokens, and says what happened.
    @discardableResult
    func run(
        _ name: String, _ existing: ExistingRun = .refuse, settings: [String] = [],
        document: RecipeDocument? = nil, branch: BranchPoint? = nil, untilTokens: Int? = nil
    ) throws -> [RunEvent] {
        var events: [RunEvent] = []
        let run = try begin(
            name, existing, settings: settings, document: document, branch: branch,
            onEvent: { events.append($0) })
        let outcome = try run.run(untilTokens: untilTokens)
        #expect(outcome == (untilTokens == nil ? .finished : .stopped))
        return events
    }

    /// The divergence that a run ends with.
    func divergence(_ name: String, settings: [String]) throws -> Divergence {
        let error = #expect(throws: TrainError.self) { try run(name, settings: settings) }
        guard case .diverged(let divergence) = error else {
            throw try #require(error)
        }
        #expect(error?.exitStatus == .checkFailed)
        return divergence
    }

    func checkpoint(_ name: String, step: Int = 8) -> String {
        RunFolder(path: path(name)).checkpoints.path(ofStep: step)
    }

    func steps(_ name: String) throws -> [Int] {
        try RunFolder(path: path(name)).checkpoints.steps()
    }

    func remove(_ name: String) throws {
        try FileManager.default.removeItem(atPath: path(name))
    }

    func bytes(_ name: String) throws -> [UInt8] { try readBytes(ofFile: path(name)) }

    func write(_ name: String, _ bytes: [UInt8]) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: path(name)))
    }

    func metrics(_ name: String) throws -> [StepMetrics] {
        try bytes(name + "/metrics.jsonl").split(separator: 0x0A).map {
            try decodedJSON(StepMetrics.self, from: $0)
        }
    }

    func event(_ name: String, step: Int) throws -> StepEvent {
        try decodedJSON(StepEvent.self, from: try bytes("\(name)/events/step-\(step).json"))
    }

    /// Whether every number of a checkpoint is finite.
    func isFinite(_ name: String, step: Int) throws -> Bool {
        let checkpoint = try Checkpoint.open(checkpoint(name, step: step))
        let optimizer = try #require(checkpoint.optimizer)
        return try [checkpoint.weights, optimizer].allSatisfy { file in
            try file.tensors.allSatisfy { try file.floats($0.name).allSatisfy(\.isFinite) }
        }
    }

    /// The files of a checkpoint that differ from those of another.
    func differingFiles(_ first: String, _ second: String) throws -> [String] {
        let names = try namesInFolder(first)
        #expect(try names == namesInFolder(second))
        return try names.filter {
            try readBytes(ofFile: first + "/" + $0) != readBytes(ofFile: second + "/" + $0)
        }
    }
}

extension [RunEvent] {
    /// What was told about steps that were not applied.
    var skipped: [SkippedStep] {
        compactMap { event in if case .skipped(let step) = event { step } else { nil } }
    }
}
