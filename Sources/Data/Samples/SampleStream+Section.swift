import FalconSystem

// The samples that a recipe asks for.
extension SampleStream {
    /// What a stage has drawn from: runs whose histories agree up to a place have seen the same samples.
    public struct StageHistory: Equatable, Sendable {
        /// Tokens of the run before the stage.
        public let firstToken: Int
        /// T.
        public let sequenceLength: Int
        /// The digests of the data sets.
        public let digests: [String]
        /// Their parts, as whole numbers without a common divisor.
        public let weights: [Int]

        /// The stages of a recipe that begin before a place.
        ///
        /// - Parameters:
        ///   - section: without problems.
        ///   - firstTokens: the tokens before each stage.
        ///   - end: tokens of the run before the place.
        ///   - digest: the digest of the data set at a path; nil if it is not known.
        /// - Returns: nil if a data set that is needed is not known.
        public static func stages(
            of section: DataSection, firstTokens: [Int], until end: Int,
            digest: (String) -> String?
        ) -> [StageHistory]? {
            var history: [StageHistory] = []
            let stages = zip(section.resolvedStages, firstTokens).filter { $0.1 < end }
            for (place, (stage, firstToken)) in stages.enumerated() {
                // A stage that is shorter than a step gives nothing.
                if place + 1 < stages.count && stages[place + 1].1 == firstToken { continue }
                let digests = stage.sources.compactMap { digest($0.path) }
                guard digests.count == stage.sources.count else { return nil }
                history.append(
                    StageHistory(
                        firstToken: firstToken, sequenceLength: stage.sequenceLength,
                        digests: digests,
                        weights: MixtureOrder(
                            weights: DataSource.wholeWeights(of: stage.sources) ?? []
                        ).weights))
            }
            return history
        }
    }

    /// Opens the data sets of a recipe.
    ///
    /// - Parameters:
    ///   - section: without problems.
    ///   - firstTokens: the tokens of the run before each stage: whole steps.
    ///   - seed: the run's seed.
    /// - Throws: `FileError` for a folder that is not there, `DataError` for what does not go together.
    public init(_ section: DataSection, firstTokens: [Int], seed: UInt64) throws {
        var sources: [TokenDataset] = []
        /// The place of the data set at a path: data that lies at two places is one source.
        var places: [String: Int] = [:]
        for path in section.paths {
            let dataset = try TokenDataset(path: path)
            let digest = dataset.index.datasetDigest
            let known = sources.firstIndex { $0.index.datasetDigest == digest }
            places[path] = known ?? sources.count
            if known == nil { sources.append(dataset) }
        }
        let stages = try zip(section.resolvedStages, firstTokens).map { stage, firstToken in
            let weights = DataSource.wholeWeights(of: stage.sources) ?? []
            let shares = zip(stage.sources, weights).map {
                Share(source: places[$0.path] ?? 0, weight: $1)
            }
            for (place, share) in shares.enumerated() {
                if let other = shares[..<place].firstIndex(where: { $0.source == share.source }) {
                    throw DataError.sameData(
                        path: stage.sources[place].path, other: stage.sources[other].path)
                }
            }
            return Stage(
                firstToken: firstToken, sequenceLength: stage.sequenceLength, shares: shares)
        }
        try self.init(
            sources: sources, stages: stages, packing: section.packing, seed: seed)
    }

    /// Checks that no data set is read more often than its recipe allows.
    ///
    /// - Parameters:
    ///   - section: the recipe's part.
    ///   - totalTokens: tokens of the run.
    /// - Throws: `DataError.tooManyRepeats`.
    public func requireRepeats(_ section: DataSection, totalTokens: Int) throws(DataError) {
        let limits = section.resolvedStages.flatMap(\.sources)
        guard limits.contains(where: { $0.maxRepeats != nil }) else { return }
        let (end, digests) = (cursor(at: totalTokens), digests(of: section))
        for (place, source) in sources.enumerated() {
            let limit = limits.filter { digests[$0.path] == source.index.datasetDigest }
                .compactMap(\.maxRepeats).min()
            let epochs = end.epochsBySource[place]
            if let limit, epochs > limit {
                throw .tooManyRepeats(
                    path: source.path, tokens: end.tokensBySource[place], epochs: epochs,
                    limit: limit)
            }
        }
    }

    /// The digests of the data sets of a recipe by their paths.
    ///
    /// - Parameter section: the recipe's part, which this was made from.
    /// - Returns: one for every path; data that lies at two places has two.
    public func digests(of section: DataSection) -> [String: String] {
        var digests: [String: String] = [:]
        for (stage, resolved) in zip(stages, section.resolvedStages) {
            for (share, source) in zip(stage.shares, resolved.sources) {
                digests[source.path] = sources[share.source].index.datasetDigest
            }
        }
        return digests
    }

    /// The digest of all data sets, whatever their order and weights: that of the data set if it is one.
    public var digest: String { combinedDigest(sources.map(\.index.datasetDigest)) }

    /// Whether there is something to validate with.
    public var hasValidation: Bool { sources.contains(where: \.hasValidation) }
}

/// A digest of data sets, whatever their order; one that is given twice counts once.
///
/// - Parameter digests: of each, at least one.
/// - Returns: the digest itself of one data set; else a SHA-256 over all.
public func combinedDigest(_ digests: [String]) -> String {
    let parts = Set(digests).sorted()
    if parts.count == 1 { return parts[0] }
    var digest = SHA256()
    for part in parts { digest.update(part + "\n") }
    return digest.finalizeHex()
}

extension TokenDataset {
    /// Whether there is something to validate with.
    public var hasValidation: Bool { index.validation.tokens > 1 }
}
