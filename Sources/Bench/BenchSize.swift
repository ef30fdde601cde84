import FalconData
import FalconModel
import FalconRecipe
import FalconTensor
import FalconTrain

/// The model sizes for which speed is quoted, each with its batch.
public enum BenchSize: String, CaseIterable, Sendable {
    /// 7.8 million parameters, 4 × 512 tokens per step.
    case tiny
    /// 91 million parameters, 1 × 1024 tokens per step.
    case small
    /// 521 million parameters, 1 × 512 tokens per step.
    case halfBillion = "0.5b"

    /// The shipped recipe with the geometry.
    public var recipe: String {
        switch self {
        case .tiny: "demo"
        case .small: "h1-tiny-90m"
        case .halfBillion: "h1-0.5b"
        }
    }

    /// Tokens per sequence.
    public var sequenceLength: Int { self == .small ? 1024 : 512 }
    /// Sequences per step.
    public var sequences: Int { self == .tiny ? 4 : 1 }
}

/// The mixers of the measured model.
public enum BenchArchitecture: String, CaseIterable, Sendable {
    /// The recipe's own mixers.
    case falconH1 = "falcon-h1"
    /// Only attention, with an MLP wide enough to keep the number of parameters.
    case attention
}

/// The subject of a measurement: a recipe and changes to it.
public struct BenchSubject: Sendable, Equatable {
    /// A recipe file, or the name of a shipped recipe.
    public var recipe: String
    /// The name in tables.
    public var label: String
    /// Sequences per step; nil for the recipe's micro-batch.
    public var sequences: Int?
    /// Tokens per sequence; nil for the recipe's.
    public var sequenceLength: Int?
    /// Blocks; nil for the recipe's.
    public var layers: Int?
    /// The hidden size, with every other width in proportion; nil for the recipe's.
    public var width: Int?
    /// The mixers.
    public var architecture: BenchArchitecture
    /// The activations kept for backward; nil for the recipe's setting.
    public var recompute: Recompute?
    /// The type of the factors in products; nil for the recipe's.
    public var precision: Precision?
    /// More settings, `key.path=value` each, over all of these.
    public var settings: [String] = []

    /// One of the quoted sizes, with everything kept for backward.
    ///
    /// - Parameters:
    ///   - size: model and batch.
    ///   - architecture: the mixers.
    public init(_ size: BenchSize, architecture: BenchArchitecture = .falconH1) {
        recipe = size.recipe
        label = size.rawValue
        sequences = size.sequences
        sequenceLength = size.sequenceLength
        recompute = Recompute.none
        self.architecture = architecture
    }

    /// A recipe as it is, except that a step is one micro-batch.
    ///
    /// - Parameters:
    ///   - recipe: a path or the name of a shipped recipe.
    ///   - architecture: the mixers.
    public init(recipe: String, architecture: BenchArchitecture = .falconH1) {
        self.recipe = recipe
        label = recipe
        self.architecture = architecture
    }

    /// Every combination of widths, numbers of blocks and lengths; nil for the subject's own.
    ///
    /// - Parameters:
    ///   - widths: hidden sizes.
    ///   - layers: numbers of blocks.
    ///   - lengths: tokens per sequence.
    /// - Returns: the combinations, widths outermost, lengths innermost.
    public func combined(
        widths: [Int]?, layers: [Int]?, lengths: [Int]?
    ) -> [BenchSubject] {
        func varied(
            _ subjects: [BenchSubject], _ values: [Int]?,
            _ field: WritableKeyPath<BenchSubject, Int?>
        ) -> [BenchSubject] {
            guard let values else { return subjects }
            return subjects.flatMap { subject in
                values.map { value in
                    var changed = subject
                    changed[keyPath: field] = value
                    return changed
                }
            }
        }
        return varied(
            varied(varied([self], widths, \.width), layers, \.layers), lengths, \.sequenceLength)
    }

    /// The whole recipe of this subject.
    ///
    /// - Returns: a recipe without problems.
    /// - Throws: `RecipeError` for an impossible recipe; `TrainError` for a width that does not
    ///   scale; `FileError` for an unreadable file.
    public func resolved() throws -> TrainingRecipe {
        let written = try RecipeDocument(recipe: recipe, settings: settings)
            .decode(TrainingRecipe.self)
        let length = sequenceLength ?? written.data.sequenceLength
        let rows = sequences ?? written.train.microBatchSequences
        var changes = [
            "data.sequence_length=\(length)", "train.micro_batch_sequences=\(rows)",
            "train.batch_tokens=\(rows * length)", "train.batch_ramp=null",
        ]
        if length > written.model.maxPositionEmbeddings {
            // Used only in exports.
            changes.append("model.max_position_embeddings=\(length)")
        }
        if let layers { changes.append("model.num_hidden_layers=\(layers)") }
        if let precision { changes.append("train.precision=\(precision.rawValue)") }
        if let recompute { changes.append("train.recompute=\(recompute.rawValue)") }
        if let width { changes += try written.settings(scaledToWidth: width) }
        let scaled = try RecipeDocument(recipe: recipe, settings: changes + settings)
            .decode(TrainingRecipe.self)
        guard architecture == .attention else { return scaled }
        guard let sizes = scaled.model.falconH1 else {
            throw BenchError.noAttention(architecture: scaled.model.architecture)
        }
        let attention = [
            "model.mixers=attention",
            "model.intermediate_size=\(sizes.attentionIntermediateSize)",
        ]
        return try RecipeDocument(recipe: recipe, settings: changes + settings + attention)
            .decode(TrainingRecipe.self)
    }
}

extension FalconH1Sizes {
    /// The width of the MLP, in steps of 32, that gives an attention-only model as many parameters
    /// as this one: those of the state-space mixer go into the MLP.
    public var attentionIntermediateSize: Int {
        let mixer =
            hiddenSize * (inProjRows + mambaDSsm) + convChannels * (mambaDConv + 1)
            + 3 * mambaNHeads
        let width = Double(3 * hiddenSize * intermediateSize + mixer) / Double(3 * hiddenSize)
        return Int((width / 32).rounded(.toNearestOrEven)) * 32
    }
}
