import FalconRecipeSection
import FalconTensor

/// The choices for the scales of matrices.
public enum ParametrizationKind: String, Codable, CaseIterable, Sendable {
    /// The fixed multipliers of `model`, 1 unless a recipe says otherwise.
    case standard
    /// Fixed multipliers and initial deviations that follow the width laws of Falcon-H1 from a base.
    case mup
    /// Multipliers that are trained.
    case learnable
}

/// The initial values of learnable multipliers.
public enum MultiplierStart: String, Codable, CaseIterable, Sendable {
    /// 1, in addition to the fixed multipliers of `model`.
    case one
    /// The values of `mup`: these stay as fixed factors, and the learned factors on top start at 1.
    ///
    /// A learned factor that starts at 1 takes steps relative to its size, whatever the fixed value.
    case mup
}

/// The `parametrization` part of a recipe: muP, learnable multipliers, or neither.
///
/// - SeeAlso: arXiv 2601.04890 (learnable multipliers); arXiv 2507.22448 (Falcon-H1's muP).
public struct ParametrizationSection: RecipeSection, Codable, Equatable {
    /// The choice for the scales of matrices.
    public var kind: ParametrizationKind
    /// `learnable` only: the initial values of multipliers.
    public var start: MultiplierStart
    /// `learnable` only: the matrices with multipliers, and on which sides.
    public var placement: MultiplierPlacement
    /// The multipliers' rate at the top of the schedule; it does not follow
    /// `optimizer.learning_rate`.
    public var learningRate: Double
    /// The multipliers' weight decay, which bounds their symmetries (arXiv 2601.04890, 4.1).
    public var weightDecay: Double
    /// Whether the multipliers' gradients count in the norm that `train.clip_norm` limits.
    ///
    /// They should not (arXiv 2601.04890, section 4.3); they are then not scaled down either.
    public var inClipNorm: Bool
    /// The widths and multipliers from which `mup` scales to the widths of the model.
    public var base: ParametrizationBase

    /// The key of each field.
    public enum CodingKeys: String, CodingKey, CaseIterable {
        case kind, start, placement
        case learningRate = "learning_rate"
        case weightDecay = "weight_decay"
        case inClipNorm = "in_clip_norm"
        case base
    }

    /// The problems with the values; empty if there are none.
    public func problems() -> [RecipeProblem] {
        var found: [RecipeProblem] = []
        if learningRate < 0 {
            found.append(
                RecipeProblem(key: "learning_rate", "got \(learningRate), want 0 or more"))
        }
        if weightDecay < 0 {
            found.append(RecipeProblem(key: "weight_decay", "got \(weightDecay), want 0 or more"))
        }
        return found
            + [
                float32Problem(CodingKeys.learningRate, learningRate),
                float32Problem(CodingKeys.weightDecay, weightDecay),
            ].compactMap { $0 }
    }

    /// Whether fixed multipliers come from the width laws.
    public var usesWidthLaws: Bool { kind == .mup || (kind == .learnable && start == .mup) }

    /// The multipliers to train; nil for none.
    public var multipliers: MultiplierPlacement? { kind == .learnable ? placement : nil }

    /// The model with the fixed multipliers that it is trained with.
    ///
    /// - Parameter model: as the recipe writes it.
    /// - Returns: `model`, with the multipliers of the width laws if they are used.
    public func resolved(_ model: ModelConfiguration) -> ModelConfiguration {
        usesWidthLaws ? ModelConfiguration(model.sizes.withMultipliers(from: base)) : model
    }

    /// The model to train.
    ///
    /// - Parameter model: as the recipe writes it.
    /// - Returns: a declared model, not yet in memory.
    public func makeModel(_ model: ModelConfiguration) -> any LanguageModel {
        resolved(model).makeModel(
            multipliers: multipliers, widthLawBase: usesWidthLaws ? base : nil)
    }
}
