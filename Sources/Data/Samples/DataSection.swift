import FalconRecipeSection

/// The `data` part of a recipe.
///
/// A run reads one data set, `path`, or several, `mix`; in `stages` mixture and sequence length change
/// during the run.
public struct DataSection: RecipeSection, Codable, Equatable {
    /// A folder written by `falcon tokenize`; with a mixture it is not read.
    public var path: String
    /// The data sets that take turns by weight; nil for `path` alone.
    public var mix: [DataSource]?
    /// Stretches of the run, in order, the last of them up to its end; nil for one.
    public var stages: [DataStage]?
    /// Tokens per training sequence.
    public var sequenceLength: Int
    /// How documents are put into training sequences.
    public var packing: Packing

    /// The key of each field.
    public enum CodingKeys: String, CodingKey, CaseIterable {
        case path, mix, stages, packing
        case sequenceLength = "sequence_length"
    }

    /// A stretch of the run with the values that apply to it.
    public struct ResolvedStage: Equatable, Sendable {
        /// Its tokens, rounded up to whole steps; nil for all that are left.
        public let tokens: Int?
        /// T.
        public let sequenceLength: Int
        /// At least one.
        public let sources: [DataSource]
    }

    /// The stages with the values that apply to them; at least one.
    public var resolvedStages: [ResolvedStage] {
        let sources = mix ?? [DataSource(path: path)]
        let whole = [DataStage(tokens: nil, sequenceLength: nil, mix: nil)]
        return (stages ?? whole).map {
            ResolvedStage(
                tokens: $0.tokens, sequenceLength: $0.sequenceLength ?? sequenceLength,
                sources: $0.mix ?? sources)
        }
    }

    /// The folders of all data sets, each once, in the order in which they first appear.
    public var paths: [String] {
        var seen: Set<String> = []
        return resolvedStages.flatMap(\.sources).map(\.path).filter { seen.insert($0).inserted }
    }

    /// Whether the recipe names a mixture or stages, so that what each data set gives is told.
    public var isMixed: Bool { mix != nil || stages != nil }

    /// Whether `path` is read.
    public var readsPath: Bool {
        mix == nil && (stages.map { $0.contains { $0.mix == nil } } ?? true)
    }

    /// The problems with the values; empty if there are none.
    public func problems() -> [RecipeProblem] {
        var found = [lengthProblem(CodingKeys.sequenceLength.rawValue, sequenceLength)]
        found += mix.map { DataSource.problems(of: $0, key: "mix") } ?? []
        guard let stages else { return found.compactMap { $0 } }
        if stages.isEmpty {
            found.append(RecipeProblem(key: "stages", "got none, want at least one, or null"))
        }
        for (place, stage) in stages.enumerated() {
            let (key, isLast) = ("stages.\(place)", place == stages.count - 1)
            if let length = stage.sequenceLength {
                found.append(lengthProblem(key + ".sequence_length", length))
            }
            found += stage.mix.map { DataSource.problems(of: $0, key: key + ".mix") } ?? []
            switch stage.tokens {
            case nil where !isLast:
                found.append(
                    RecipeProblem(
                        key: key,
                        "tokens is missing: only the last stage lasts to the end of the run"))
            case .some where isLast:
                found.append(
                    RecipeProblem(
                        key: key + ".tokens",
                        "the last stage lasts to the end of the run; leave its tokens out"))
            case .some(let tokens) where !(1...Self.tokenLimit).contains(tokens):
                found.append(
                    RecipeProblem(
                        key: key + ".tokens", "got \(tokens), want 1 to \(Self.tokenLimit)"))
            default: break
            }
        }
        return found.compactMap { $0 }
    }

    /// Far above any run, so that sums cannot overflow.
    private static let tokenLimit = 1_000_000_000_000_000

    private func lengthProblem(_ key: String, _ length: Int) -> RecipeProblem? {
        let limit = Int(Int32.max)
        return (1...limit).contains(length)
            ? nil : RecipeProblem(key: key, "got \(length), want 1 to \(limit)")
    }
}

/// A data set of a mixture.
public struct DataSource: RecipeSection, Codable, Equatable {
    /// A folder written by `falcon tokenize`.
    public var path: String
    /// Its part of the samples is this over the sum of all weights; nil if there is no other.
    public var weight: Double?
    /// How often the run may read its training split; nil for any number of times.
    public var maxRepeats: Double?

    /// The key of each field.
    public enum CodingKeys: String, CodingKey, CaseIterable {
        case path, weight
        case maxRepeats = "max_repeats"
    }

    init(path: String) { self.path = path }

    /// The problems with the values; empty if there are none.
    public func problems() -> [RecipeProblem] {
        var found: [RecipeProblem] = []
        if let weight, !(weight > 0 && weight.isFinite) {
            found.append(
                RecipeProblem(
                    key: "weight", "got \(weight), want more than 0; leave out what has no part"))
        }
        if let maxRepeats, !(maxRepeats > 0) {
            found.append(RecipeProblem(key: "max_repeats", "got \(maxRepeats), want more than 0"))
        }
        return found
    }

    /// The problems of a list of sources.
    static func problems(of sources: [DataSource], key: String) -> [RecipeProblem] {
        if sources.isEmpty {
            return [RecipeProblem(key: key, "got none, want at least one data set")]
        }
        // Each has reported its own.
        guard sources.allSatisfy({ $0.problems().isEmpty }) else { return [] }
        var found: [RecipeProblem] = []
        var seen: Set<String> = []
        for (place, source) in sources.enumerated() where !seen.insert(source.path).inserted {
            found.append(
                RecipeProblem(
                    key: "\(key).\(place)",
                    "\(source.path) is there twice; name it once, with one weight"))
        }
        if sources.count > 1, let place = sources.firstIndex(where: { $0.weight == nil }) {
            found.append(
                RecipeProblem(
                    key: "\(key).\(place)", "weight is missing: each of several data sets needs one"
                ))
        } else if sources.count > 1000 {
            found.append(
                RecipeProblem(key: key, "got \(sources.count) data sets, want at most 1000"))
        } else if wholeWeights(of: sources) == nil {
            found.append(
                RecipeProblem(
                    key: key,
                    "the weights \(sources.map { "\($0.weight ?? 1)" }.joined(separator: ", ")) have no "
                        + "exact shares: want numbers that together take at most 9 decimal digits, such as "
                        + "0.7 and 0.25"))
        }
        return found
    }

    /// The weights as whole numbers in the same proportion.
    ///
    /// - Parameter sources: without problems of their own.
    /// - Returns: nil if they take more than 9 digits.
    public static func wholeWeights(of sources: [DataSource]) -> [Int]? {
        // Equal parts need no digits.
        if Set(sources.map(\.weight)).count == 1 { return sources.map { _ in 1 } }
        let limit = 1_000_000_000
        var scale = 1.0
        // A decimal of a recipe is a whole number behind a shift of its point.
        for _ in 0...9 {
            let scaled = sources.map { (($0.weight ?? 1) * scale).rounded() }
            if scaled.reduce(0, +) > Double(limit) { return nil }
            if zip(scaled, sources).allSatisfy({ $0 >= 1 && $0 / scale == $1.weight ?? 1 }) {
                return scaled.map { Int($0) }
            }
            scale *= 10
        }
        return nil
    }
}

/// A stretch of a run.
public struct DataStage: RecipeSection, Codable, Equatable {
    /// Its tokens, rounded up to whole steps; nil for all that are left.
    public var tokens: Int?
    /// Tokens per training sequence; nil for `data.sequence_length`.
    public var sequenceLength: Int?
    /// The data sets that take turns; nil for those of `data`.
    public var mix: [DataSource]?

    /// The key of each field.
    public enum CodingKeys: String, CodingKey, CaseIterable {
        case tokens, mix
        case sequenceLength = "sequence_length"
    }

    init(tokens: Int?, sequenceLength: Int?, mix: [DataSource]?) {
        (self.tokens, self.sequenceLength, self.mix) = (tokens, sequenceLength, mix)
    }

    /// The problems with the values; empty if there are none: `DataSection` knows its place.
    public func problems() -> [RecipeProblem] { [] }
}
