import FalconCheckpoint
import FalconData
import FalconJSON
import FalconRecipe
import FalconRunRecord
import FalconSystem
import FalconTokenizer
import FalconTrain
import Foundation

/// A folder with a tiny corpus as shards, and runs on it that take a fraction of a second; removed with
/// the value.
///
///     text/  shards/  and a folder for each run
package final class TinyRuns {
    /// An outcome other than the one that the test wants.
    package struct Unexpected: Error {
        /// The outcome.
        package let message: String
    }

    /// The folder of the corpus and the runs.
    package let folder: TemporaryFolder
    private let kind: TinyRecipe
    let settings: [String]

    /// Writes shards of regular documents, and of more that the tokenizer has not seen.
    ///
    /// `settings` are those of every run; a test's own come after them.
    package init(
        _ kind: TinyRecipe = .falconH1, documents: Int = 40, adding texts: [String] = [],
        validationFraction: Double = 0.1, settings: [String] = []
    ) throws {
        folder = try TemporaryFolder()
        self.kind = kind
        self.settings = settings
        for (number, document) in tinyDocuments(documents).enumerated() {
            try folder.write("text/\(number).txt", document)
        }
        let text = folder.file("text")
        let trained = try TokenizerTrainer(vocabularyCount: 300).train(
            on: DocumentTexts(DocumentReader(paths: [text])).next)
        for (number, document) in texts.enumerated() {
            try folder.write("text/more-\(1000 + number).txt", document)
        }
        var writer = CorpusTokenizer(
            tokenizer: try SentencePieceTokenizer(modelBytes: trained.modelBytes))
        writer.validationFraction = validationFraction
        _ = try writer.write(DocumentReader(paths: [text]), to: folder.file("shards"))
    }

    /// Runs that train on all documents, validate on none, and do not decay the rate.
    package static func unvalidated(
        documents: Int = 40, adding texts: [String] = []
    ) throws -> TinyRuns {
        try TinyRuns(
            documents: documents, adding: texts, validationFraction: 0,
            settings: ["schedule.decay_tokens=0", "evaluation.every_steps=null"])
    }

    /// The path of something in the folder.
    package func path(_ name: String) -> String { folder.file(name) }

    /// The recipe of a run, not decoded.
    package func document(_ settings: [String] = []) throws -> RecipeDocument {
        try RecipeDocument(yaml: yaml, name: "tiny.yaml", settings: self.settings + settings)
    }

    /// The recipe file of every run.
    var yaml: String { kind.yaml(data: "\"\(folder.path)/shards\"", keptCheckpoints: 9) }

    /// The recipe of a run.
    package func recipe(_ settings: [String] = []) throws -> TrainingRecipe {
        try document(settings).decode(TrainingRecipe.self)
    }

    /// The first micro-batches of a run, 2 sequences of 24 tokens each.
    package func batches(_ count: Int) throws -> [Batch] {
        let stream = try SampleStream(
            TokenDataset(path: path("shards")), sequenceLength: 24, seed: 0)
        let loader = BatchLoader(stream, batchTokens: 48)
        return try (0..<count).map { _ in try loader.next() }
    }

    /// A run that has not trained yet.
    package func begin(
        _ name: String, _ existing: ExistingRun = .refuse, settings: [String] = [],
        document other: RecipeDocument? = nil, branch: BranchPoint? = nil, threads: Int = 2,
        onEvent: @escaping (RunEvent) -> Void = { _ in }
    ) throws -> PretrainingRun {
        try PretrainingRun(
            OpenedRun(
                other ?? document(settings), in: HeldRun(path(name)), existing: existing,
                parent: branch),
            threadCount: threads, onEvent: onEvent)
    }

    /// Runs a recipe to its end, or until a number of tokens, and returns the outcome.
    @discardableResult
    package func run(
        _ name: String, _ existing: ExistingRun = .refuse, settings: [String] = [],
        document: RecipeDocument? = nil, branch: BranchPoint? = nil, untilTokens: Int? = nil
    ) throws -> [RunEvent] {
        var events: [RunEvent] = []
        let run = try begin(
            name, existing, settings: settings, document: document, branch: branch,
            onEvent: { events.append($0) })
        let outcome = try run.run(untilTokens: untilTokens)
        guard outcome == (untilTokens == nil ? .finished : .stopped) else {
            throw Unexpected(message: "\(name): \(outcome)")
        }
        return events
    }

    /// The divergence that a run ends with.
    package func divergence(_ name: String, settings: [String]) throws -> Divergence {
        do { try run(name, settings: settings) } catch let error as TrainError {
            guard case .diverged(let divergence) = error, error.exitStatus == .checkFailed else {
                throw error
            }
            return divergence
        }
        throw Unexpected(message: "\(name) has not diverged")
    }

    /// The folder of a checkpoint.
    package func checkpoint(_ name: String, step: Int = 8) -> String {
        RunFolder(path: path(name)).checkpoints.path(ofStep: step)
    }

    /// The steps of the existing checkpoints.
    package func steps(_ name: String) throws -> [Int] {
        try RunFolder(path: path(name)).checkpoints.steps()
    }

    /// Removes a file or folder.
    package func remove(_ name: String) throws {
        try FileManager.default.removeItem(atPath: path(name))
    }

    /// The bytes of a file.
    package func bytes(_ name: String) throws -> [UInt8] { try readBytes(ofFile: path(name)) }

    /// Writes a file.
    package func write(_ name: String, _ bytes: [UInt8]) throws {
        try folder.write(name, bytes)
    }

    /// The lines of a run's metrics.
    package func metrics(_ name: String) throws -> [StepMetrics] {
        try bytes(name + "/metrics.jsonl").split(separator: 0x0A).map {
            try decodedJSON(StepMetrics.self, from: $0)
        }
    }

    /// The event of a step that a run skipped.
    package func event(_ name: String, step: Int) throws -> StepEvent {
        try decodedJSON(StepEvent.self, from: try bytes("\(name)/events/step-\(step).json"))
    }

    /// Whether every number of a checkpoint is finite.
    package func isFinite(_ name: String, step: Int) throws -> Bool {
        let checkpoint = try Checkpoint.open(checkpoint(name, step: step))
        guard let optimizer = checkpoint.optimizer else {
            throw Unexpected(message: "\(name), step \(step): no optimizer state")
        }
        return try [checkpoint.weights, optimizer].allSatisfy { file in
            try file.tensors.allSatisfy { try file.floats($0.name).allSatisfy(\.isFinite) }
        }
    }

    /// The files of a checkpoint that differ from those of another.
    package func differingFiles(_ first: String, _ second: String) throws -> [String] {
        let names = try Set(namesInFolder(first)).union(namesInFolder(second)).sorted()
        return try names.filter {
            try fileKind(of: first + "/" + $0) != fileKind(of: second + "/" + $0)
                || readBytes(ofFile: first + "/" + $0) != readBytes(ofFile: second + "/" + $0)
        }
    }
}

extension [RunEvent] {
    /// The reports about steps that were not applied.
    package var skipped: [SkippedStep] {
        compactMap { event in if case .skipped(let step) = event { step } else { nil } }
    }
}
