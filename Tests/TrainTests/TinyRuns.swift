import FalconCheckpoint
import FalconData
import FalconRecipe
import FalconSystem
import FalconTrain
import Foundation
import Testing

/// A folder with a tiny corpus as shards, and runs on it that take a fraction of a second.
final class TinyRuns {
    let folder: String

    init() throws {
        folder = FileManager.default.temporaryDirectory.path + "/falcon-runs-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: folder + "/text", withIntermediateDirectories: true)
        let words = "the of a union state law people and in to war peace year tax bank land".split(
            separator: " ")
        for document in 0..<40 {
            let text = (0..<90).map { words[($0 * $0 + 3 * document + $0 / 7) % words.count] }
            try text.joined(separator: " ").write(
                toFile: folder + "/text/\(document).txt", atomically: true, encoding: .utf8)
        }
        let trained = try TokenizerTrainer(vocabularyCount: 300).train(
            on: DocumentReader(paths: [folder + "/text"]))
        var writer = CorpusTokenizer(
            tokenizer: try SentencePieceTokenizer(modelBytes: trained.modelBytes))
        writer.validationFraction = 0.1
        _ = try writer.write(DocumentReader(paths: [folder + "/text"]), to: folder + "/shards")
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
        return try RecipeDocument(yaml: yaml, name: "tiny.yaml", settings: settings)
    }

    /// Runs a recipe to its end and says what happened.
    @discardableResult
    func run(
        _ name: String, _ existing: ExistingRun = .refuse, settings: [String] = [],
        document other: RecipeDocument? = nil, branch: BranchPoint? = nil
    ) throws -> [RunEvent] {
        var events: [RunEvent] = []
        let run = try PretrainingRun(
            other ?? document(settings), in: HeldRun(path(name)), existing: existing,
            branch: branch, threadCount: 2, onEvent: { events.append($0) })
        #expect(try run.run() == .finished)
        return events
    }

    func recipe(_ settings: [String] = []) throws -> TrainingRecipe {
        try document(settings).decode(TrainingRecipe.self)
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

    /// The files of a checkpoint that differ from those of another.
    func differingFiles(_ first: String, _ second: String) throws -> [String] {
        let names = try namesInFolder(first)
        #expect(try names == namesInFolder(second))
        return try names.filter {
            try readBytes(ofFile: first + "/" + $0) != readBytes(ofFile: second + "/" + $0)
        }
    }
}
