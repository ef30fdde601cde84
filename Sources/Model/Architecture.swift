import FalconRecipeSection
import FalconSystem
import FalconTensor

/// A family of models that recipes can name.
public struct Architecture: RawRepresentable, CaseIterable, Codable, Hashable, Sendable {
    /// Every architecture: a new one takes a line here.
    private static let known: [any ArchitectureConfiguration.Type] = [
        FalconH1Configuration.self, FalconMambaConfiguration.self, Mamba2Configuration.self,
    ]

    /// The type of its sizes, which describes it.
    public let configurationType: any ArchitectureConfiguration.Type
    /// Its name in recipes, such as `falcon-h1`.
    public var rawValue: String { configurationType.recipeName }

    /// Every architecture; the first is the default of recipes.
    public static var allCases: [Architecture] { known.map(Architecture.init) }

    private init(_ type: any ArchitectureConfiguration.Type) { configurationType = type }

    /// The architecture with a name.
    ///
    /// - Parameter rawValue: as in recipes; the result is nil for other names.
    public init?(rawValue: String) {
        guard let found = Self.known.first(where: { $0.recipeName == rawValue }) else { return nil }
        self.init(found)
    }

    /// Whether two are the same.
    public static func == (left: Architecture, right: Architecture) -> Bool {
        left.rawValue == right.rawValue
    }

    /// Mixes the name into a hash.
    public func hash(into hasher: inout Hasher) { hasher.combine(rawValue) }

    /// The names of the parameters, which are Hugging Face's.
    public var parameterNames: ParameterNames { configurationType.parameterNames }

    /// Whether muP's width laws are known.
    public var hasWidthLaws: Bool { configurationType.hasWidthLaws }
}

/// The description of an architecture: its sizes, under the keys of recipes, and their model.
///
/// `ForeignArchitecture` adds how its models are written in the files of other programs.
public protocol ArchitectureConfiguration: RecipeSection, Codable, Equatable {
    /// The name in recipes.
    static var recipeName: String { get }
    /// The names of the parameters, which are Hugging Face's.
    static var parameterNames: ParameterNames { get }

    /// The architecture, as the recipe names it.
    var architecture: Architecture { get }
    /// V, rows of the embedding.
    var vocabSize: Int { get set }
    /// D, the width of the residual stream.
    var hiddenSize: Int { get }
    /// Blocks.
    var numHiddenLayers: Int { get set }
    /// The longest context, in tokens.
    var maxPositionEmbeddings: Int { get }
    /// Whether the head is the embedding.
    var tieWordEmbeddings: Bool { get set }
    /// Standard deviation of initial matrices.
    var initializerRange: Double { get }
    /// Weights that take part in matrix products, including the head but not the embedding look-up.
    var productParameterCount: Int { get }

    /// Floating-point operations of a training step (forward and backward) per token.
    ///
    /// - Parameter sequenceLength: T, tokens that see each other.
    /// - Returns: FLOPs per token.
    func trainingFLOPsPerToken(sequenceLength: Int) -> Double

    /// The settings that make the model `width` wide, in proportion.
    ///
    /// - Parameter width: the new `hidden_size`.
    /// - Returns: `model.key=value` each; nil if a count would not be whole.
    func settings(scaledToWidth width: Int) -> [String]?

    /// The model of these sizes, not yet in memory.
    ///
    /// - Parameters:
    ///   - multipliers: the learnable multipliers of matrices; nil for none.
    ///   - widthLawBase: the base of the width laws for the deviations of initial matrices; nil
    ///     leaves them as they are. Given only where there are width laws.
    /// - Returns: a declared model.
    func makeModel(
        multipliers: MultiplierPlacement?, widthLawBase: ParametrizationBase?
    ) -> any LanguageModel

    /// Whether muP's width laws are known, so that `withMultipliers` can be used.
    static var hasWidthLaws: Bool { get }
    /// Whether every fixed multiplier is 1.
    var hasUnitMultipliers: Bool { get }
    /// The keys of recipes that mean nothing with the other values, such as sizes of a mixer that is left out.
    var idleKeys: [String] { get }

    /// The model with the multipliers of a base, each scaled by its width law.
    ///
    /// - Parameter base: shape and multipliers.
    /// - Returns: other multipliers, the same sizes.
    func withMultipliers(from base: ParametrizationBase) -> Self
}

// The defaults for an architecture without fixed multipliers.
extension ArchitectureConfiguration {
    /// False.
    public static var hasWidthLaws: Bool { false }
    /// True.
    public var hasUnitMultipliers: Bool { true }
    /// None.
    public var idleKeys: [String] { [] }
    /// The sizes as they are.
    public func withMultipliers(from base: ParametrizationBase) -> Self { self }
}
