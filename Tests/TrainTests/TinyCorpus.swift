import FalconCheckpoint
import FalconData
import FalconModel
import FalconRecipe
import FalconSystem
import FalconTrain
import Foundation
import Testing

/// A folder with shards of a few words, and runs of a tiny model on them; removed with the value.
final class TinyCorpus {
    let folder: String
    private static let words =
        "the of a union state law people and in to war peace year tax bank land".split(
            separator: " ")

    /// Writes shards of regular documents and some more.
    init(adding texts: [String] = [], documents: Int = 40) throws {
        folder = FileManager.default.temporaryDirectory.path + "/falcon-tiny-\(UUID().uuidString)"
        let text = folder + "/text"
        try FileManager.default.createDirectory(atPath: text, withIntermediateDirectories: true)
        let words = Self.words
        var all = (0..<documents).map { document in
            (0..<90).map { words[($0 * $0 + 3 * document + $0 / 7) % words.count] }
                .joined(separator: " ")
        }
        for (number, document) in all.enumerated() {
            try Data(document.utf8).write(to: URL(fileURLWithPath: text + "/a\(1000 + number).txt"))
        }
        let trained = try TokenizerTrainer(vocabularyCount: 300).train(
            on: DocumentReader(paths: [text]))
        all = texts
        for (number, document) in all.enumerated() {
            try Data(document.utf8).write(to: URL(fileURLWithPath: text + "/b\(number).txt"))
        }
        var writer = CorpusTokenizer(
            tokenizer: try SentencePieceTokenizer(modelBytes: trained.modelBytes))
        writer.validationFraction = 0
        _ = try writer.write(DocumentReader(paths: [text]), to: folder + "/shards")
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    func document(_ settings: [String] = []) throws -> RecipeDocument {
        let yaml = """
            name: tiny
            data: {path: "\(folder)/shards", sequence_length: 24}
            schedule: {warmup_tokens: 192, decay_tokens: 0}
            train: {steps: 8, batch_tokens: 96, micro_batch_sequences: 2}
            checkpoint: {every_steps: 3, keep_last: 9}
            evaluation: {every_steps: null}
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
        return try RecipeDocument(yaml: yaml, name: "tiny.yaml", settings: settings)
    }

    /// Trains to the end, and returns what was told about skipped steps.
    @discardableResult
    func run(
        _ name: String, existing: ExistingRun = .refuse, untilTokens: Int? = nil,
        settings: [String] = []
    ) throws -> [SkippedStep] {
        var skipped: [SkippedStep] = []
        let run = try PretrainingRun(
            document(settings), in: HeldRun(folder + "/" + name), existing: existing,
            threadCount: 2,
            onEvent: { event in if case .skipped(let step) = event { skipped.append(step) } })
        let outcome = try run.run(untilTokens: untilTokens)
        #expect(outcome == (untilTokens == nil ? .finished : .stopped))
        return skipped
    }

    /// The error that a run ends with.
    func divergence(_ name: String, settings: [String]) throws -> Divergence {
        let error = #expect(throws: TrainError.self) { try run(name, settings: settings) }
        guard case .diverged(let divergence) = error else {
            throw try #require(error)
        }
        #expect(error?.exitStatus == .checkFailed)
        return divergence
    }

    func checkpoints(_ name: String) throws -> [Int] {
        try CheckpointFolder(run: folder + "/" + name).steps()
    }

    func bytes(_ path: String) throws -> [UInt8] { try readBytes(ofFile: folder + "/" + path) }

    func metrics(_ name: String) throws -> [StepMetrics] {
        try bytes("\(name)/metrics.jsonl").split(separator: 0x0A).map {
            try decodedJSON(StepMetrics.self, from: $0)
        }
    }

    func event(_ name: String, step: Int) throws -> StepEvent {
        try decodedJSON(StepEvent.self, from: try bytes("\(name)/events/step-\(step).json"))
    }

    /// Whether every number of a checkpoint is finite.
    func isFinite(_ name: String, step: Int) throws -> Bool {
        let path = CheckpointFolder(run: folder + "/" + name).path(ofStep: step)
        let checkpoint = try Checkpoint.open(path)
        let optimizer = try #require(checkpoint.optimizer)
        return try [checkpoint.weights, optimizer].allSatisfy { file in
            try file.tensors.allSatisfy { try file.floats($0.name).allSatisfy(\.isFinite) }
        }
    }
}
