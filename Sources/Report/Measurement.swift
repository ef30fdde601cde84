import FalconCheckpoint
import FalconData
import FalconRunRecord
import FalconSweep
import FalconTrain

/// The data that a run's loss was measured on, as far as its folder tells.
struct Measurement: Equatable {
    /// A text that was scored as a whole.
    struct ScoredText: Equatable {
        let documents: Int
        let bytes: Int
    }

    /// Validation or training.
    var objective: RunObjective = .validationLoss
    /// The digest of all tokens, their order and their tokenizer; nil without a checkpoint.
    var dataDigest: String?
    /// The path of the data in the recipe.
    var dataPath: String?
    /// The most validation tokens that were scored; nil for all.
    var tokens: Int?
    /// The validation text, if all of it was scored and the data is still there.
    var text: ScoredText?

    /// An unknown measurement.
    init() {}

    /// The measurement of a run folder.
    ///
    /// - Parameters:
    ///   - path: the run.
    ///   - recipe: its recipe.
    ///   - indexes: of the data that the recipe names; none if some no longer exists.
    init(run path: String, _ recipe: TrainingRecipe, indexes: [DatasetIndex]) {
        dataDigest = RunFolder(path: path).checkpoints.newestManifest()?.dataDigest
        dataPath = recipe.data.paths.joined(separator: ", ")
        tokens = recipe.evaluation.tokens
        let splits = indexes.map(\.validation)
        guard !indexes.isEmpty, combinedDigest(indexes.map(\.datasetDigest)) == dataDigest else {
            return
        }
        // The limit is that of each data set.
        if let limit = tokens, splits.allSatisfy({ limit >= $0.tokens }) { tokens = nil }
        if tokens == nil {
            text = ScoredText(
                documents: splits.reduce(0) { $0 + $1.documents },
                bytes: splits.reduce(0) { $0 + $1.textBytes })
        }
    }

    /// Whether losses in nats tell which of two runs is better.
    func isSame(as other: Measurement) -> Bool {
        guard objective == other.objective else { return false }
        if objective == .validationLoss && tokens != other.tokens { return false }
        if let dataDigest, let digest = other.dataDigest { return dataDigest == digest }
        return dataPath == other.dataPath
    }

    /// Whether bits per byte do: for the same text, whatever tokens it was cut into.
    func isSameText(as other: Measurement) -> Bool {
        objective == .validationLoss && other.objective == .validationLoss && text != nil
            && text == other.text
    }

    /// The reason why losses cannot be compared.
    func difference(from other: Measurement) -> String {
        if objective != other.objective {
            return "one is \(words(objective)), the other \(words(other.objective))"
        }
        if dataDigest != other.dataDigest || dataDigest == nil && dataPath != other.dataPath {
            return "they are of different data or tokenizers (\(name), \(other.name))"
        }
        func count(_ tokens: Int?) -> String { tokens.map { "\($0)" } ?? "all" }
        return "they are of \(count(tokens)) and \(count(other.tokens)) validation tokens"
    }

    private func words(_ objective: RunObjective) -> String {
        switch objective {
        case .validationLoss: "a validation loss"
        case .loss: "a training loss"
        case .score: objective.name
        }
    }

    private var name: String {
        [dataPath, dataDigest.map { "digest \($0.prefix(8))" }].compactMap { $0 }
            .joined(separator: ", ")
    }
}
