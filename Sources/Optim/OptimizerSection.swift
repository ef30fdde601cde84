import FalconRecipeSection
import FalconTensor

/// The update rules that recipes can name.
public enum OptimizerKind: String, Codable, CaseIterable, Sendable {
    case adamw
    /// Muon for matrices between hidden activations, AdamW for everything else.
    case muon
}

/// The `optimizer` part of a recipe.
public struct OptimizerSection: RecipeSection, Codable, Equatable {
    /// The update rule.
    public var kind: OptimizerKind
    /// The peak of the schedule.
    public var learningRate: Double
    /// Decoupled: w −= learningRate · weightDecay · w each step; groups may override it.
    public var weightDecay: Double
    /// Decay rates of the first and second moment.
    public var betas: [Double]
    /// Added to the root of the second moment.
    public var epsilon: Double
    /// The settings of Muon.
    public var muon: MuonSection
    /// The first group whose rule matches a parameter holds it.
    public var groups: [OptimizerGroup]

    /// The key of each field.
    public enum CodingKeys: String, CodingKey, CaseIterable {
        case kind
        case learningRate = "learning_rate"
        case weightDecay = "weight_decay"
        case betas, epsilon, muon, groups
    }

    /// The problems with the values; empty if there are none.
    public func problems() -> [RecipeProblem] {
        var found: [RecipeProblem] = []
        if learningRate <= 0 {
            found.append(
                RecipeProblem(key: "learning_rate", "got \(learningRate), want a positive number"))
        }
        if weightDecay < 0 {
            found.append(RecipeProblem(key: "weight_decay", "got \(weightDecay), want 0 or more"))
        }
        found += Self.problems(betas: betas, epsilon: epsilon)
        if groups.isEmpty {
            found.append(RecipeProblem(key: "groups", "got none, want at least one"))
        }
        let own = [
            float32Problem(CodingKeys.learningRate, learningRate),
            float32Problem(CodingKeys.weightDecay, weightDecay),
        ].compactMap { $0 }
        return found + (own.isEmpty ? groupProblems : own)
    }

    /// Rates of groups, with their scales, that float32 cannot hold.
    private var groupProblems: [RecipeProblem] {
        groups.enumerated().flatMap { place, group in
            [
                float32Problem(
                    CodingKeys.groups, learningRate(of: group),
                    as: "the learning rate of group \(place)"),
                float32Problem(
                    CodingKeys.groups, weightDecay(of: group),
                    as: "the weight decay of group \(place)"),
            ].compactMap { $0 }
        }
    }

    /// Whether Muon updates a parameter.
    func usesMuon(_ parameter: Parameter, in group: OptimizerGroup) -> Bool {
        (group.kind ?? kind) == .muon && parameter.role == .hiddenMatrix
    }

    /// The learning rate of a group at the top of the schedule.
    func learningRate(of group: OptimizerGroup) -> Double {
        group.learningRate ?? learningRate * (group.learningRateScale ?? 1)
    }

    func weightDecay(of group: OptimizerGroup) -> Double {
        group.weightDecay ?? weightDecay * (group.weightDecayScale ?? 1)
    }

    static func problems(betas: [Double]?, epsilon: Double?) -> [RecipeProblem] {
        var found: [RecipeProblem] = []
        if let betas, betas.count != 2 || !betas.allSatisfy({ (0..<1).contains($0) }) {
            found.append(
                RecipeProblem(key: "betas", "got \(betas), want two numbers from 0 to below 1"))
        }
        if let epsilon, epsilon <= 0 {
            found.append(RecipeProblem(key: "epsilon", "got \(epsilon), want a positive number"))
        }
        // The name of the key is that of groups, too.
        let keys = OptimizerSection.CodingKeys.self
        return found + (betas ?? []).compactMap { float32RateProblem(keys.betas, $0) }
            + [epsilon.flatMap { float32Problem(keys.epsilon, $0) }].compactMap { $0 }
    }
}

/// A rule for parameters, and the values that apply to them instead of the optimizer's.
public struct OptimizerGroup: RecipeSection, Codable, Equatable {
    /// Roles that belong here; nil for any.
    public var roles: [ParameterRole]?
    /// The update rule, instead of the optimizer's.
    public var kind: OptimizerKind?
    /// Names that belong here, with `*` for any text; nil for any name.
    ///
    /// With `roles`, both must match.
    public var names: [String]?
    /// The learning rate at the top of the schedule, instead of the optimizer's.
    public var learningRate: Double?
    /// A factor on the learning rate; nil for 1.
    public var learningRateScale: Double?
    /// The weight decay, instead of the optimizer's.
    public var weightDecay: Double?
    /// A factor on the optimizer's weight decay; nil for 1.
    public var weightDecayScale: Double?
    /// The decay rates of the moments, instead of the optimizer's.
    public var betas: [Double]?
    /// The addend to the root of the second moment, instead of the optimizer's.
    public var epsilon: Double?
    /// Whether clipping applies to its gradients; not a key of recipes.
    public var isClipped = true

    /// A group made in code.
    ///
    /// - Parameters:
    ///   - roles: the roles that belong here.
    ///   - learningRate: at the top of the schedule, instead of the optimizer's.
    ///   - weightDecay: instead of the optimizer's.
    ///   - isClipped: whether clipping applies to its gradients.
    public init(
        roles: [ParameterRole], learningRate: Double, weightDecay: Double, isClipped: Bool
    ) {
        self.roles = roles
        self.learningRate = learningRate
        self.weightDecay = weightDecay
        self.isClipped = isClipped
    }

    /// The key of each field.
    public enum CodingKeys: String, CodingKey, CaseIterable {
        case roles, names, kind
        case learningRate = "learning_rate"
        case learningRateScale = "learning_rate_scale"
        case weightDecay = "weight_decay"
        case weightDecayScale = "weight_decay_scale"
        case betas, epsilon
    }

    /// The problems with the values; empty if there are none.
    public func problems() -> [RecipeProblem] {
        var found = OptimizerSection.problems(betas: betas, epsilon: epsilon)
        if let learningRate, learningRate < 0 {
            found.append(
                RecipeProblem(key: "learning_rate", "got \(learningRate), want 0 or more"))
        }
        if learningRate != nil && learningRateScale != nil {
            found.append(
                RecipeProblem(
                    key: "learning_rate", "learning_rate_scale is given too; leave one out"))
        }
        if let scale = learningRateScale, scale < 0 {
            found.append(RecipeProblem(key: "learning_rate_scale", "got \(scale), want 0 or more"))
        }
        if weightDecay != nil && weightDecayScale != nil {
            found.append(
                RecipeProblem(
                    key: "weight_decay", "weight_decay_scale is given too; leave one out"))
        }
        if let scale = weightDecayScale, scale < 0 {
            found.append(RecipeProblem(key: "weight_decay_scale", "got \(scale), want 0 or more"))
        }
        if kind == .muon, let roles, !roles.contains(.hiddenMatrix) {
            found.append(
                RecipeProblem(
                    key: "kind",
                    "muon is for matrices between hidden activations; want the role hidden_matrix"))
        }
        if let decay = weightDecay, decay < 0 {
            found.append(RecipeProblem(key: "weight_decay", "got \(decay), want 0 or more"))
        }
        return found
    }

    /// Whether the rule matches a parameter.
    ///
    /// - Parameters:
    ///   - name: the parameter's name.
    ///   - role: the parameter's role.
    /// - Returns: whether both conditions, where given, hold.
    public func matches(name: String, role: ParameterRole) -> Bool {
        (roles?.contains(role) ?? true)
            && (names?.contains {
                Self.matches(Array(name.utf8)[...], pattern: Array($0.utf8)[...])
            } ?? true)
    }

    /// Whether a name equals a pattern in which `*` stands for any text.
    private static func matches(_ name: ArraySlice<UInt8>, pattern: ArraySlice<UInt8>) -> Bool {
        guard let first = pattern.first else { return name.isEmpty }
        let rest = pattern.dropFirst()
        if first == UInt8(ascii: "*") {
            return (name.startIndex...name.endIndex).contains {
                matches(name[$0...], pattern: rest)
            }
        }
        return name.first == first && matches(name.dropFirst(), pattern: rest)
    }
}
