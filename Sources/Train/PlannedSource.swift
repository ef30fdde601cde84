import FalconData
import FalconSystem

/// What a run reads of a data set.
public struct PlannedSource: Encodable, Equatable, Sendable, CustomStringConvertible {
    /// The data set's folder.
    public let path: String
    /// Tokens of its samples.
    public let tokens: Int
    /// How often its training split is read: samples over those of an epoch.
    public let epochs: Double
    /// Its part of the run's tokens.
    public let share: Double
    /// How its documents are packed, for each sequence length; nil if they are split.
    public let packed: [Packed]?

    /// Samples of one sequence length.
    public struct Packed: Encodable, Equatable, Sendable, CustomStringConvertible {
        /// T.
        public let sequenceLength: Int
        /// Samples of an epoch.
        public let samples: Int
        /// The share of their rows that is padded.
        public let padding: Double
        /// Documents that do not fit into one.
        public let cutDocuments: Int

        enum CodingKeys: String, CodingKey {
            case samples, padding
            case sequenceLength = "sequence_length"
            case cutDocuments = "cut_documents"
        }

        /// The numbers for a person.
        public var description: String {
            "packed into \(grouped(samples)) samples of \(grouped(sequenceLength)): "
                + "\(decimal(100 * padding, places: 2)) % padded, \(grouped(cutDocuments)) documents cut"
        }
    }

    /// The numbers for a person.
    public var description: String {
        "\(grouped(tokens)) tokens, \(decimal(100 * share, places: 1)) % of the run, \(decimal(epochs, places: 2)) epochs"
            + (packed ?? []).map { "; \($0)" }.joined()
    }

    /// What a run reads.
    ///
    /// - Parameters:
    ///   - stream: its samples.
    ///   - plan: its numbers.
    /// - Returns: each data set once.
    public static func all(of stream: SampleStream, _ plan: RunPlan) -> [PlannedSource] {
        let end = stream.cursor(at: plan.totalTokens)
        let drawn = zip(end.tokensBySource, end.epochsBySource)
        return zip(stream.sources, drawn).enumerated().map { place, source in
            let (source, drawn) = source
            return PlannedSource(
                path: source.path, tokens: drawn.0, epochs: drawn.1,
                share: Double(drawn.0) / Double(plan.totalTokens),
                packed: packed(ofSource: place, in: stream))
        }
    }

    private static func packed(ofSource source: Int, in stream: SampleStream) -> [Packed]? {
        let lengths = stream.stages.filter { $0.shares.contains { $0.source == source } }
            .map(\.sequenceLength)
        let packed = Set(lengths).sorted().compactMap {
            stream.packedSamples(ofSource: source, sequenceLength: $0)
        }
        return packed.isEmpty
            ? nil
            : packed.map {
                Packed(
                    sequenceLength: $0.sequenceLength, samples: $0.sampleCount,
                    padding: $0.paddingShare, cutDocuments: $0.cutDocuments)
            }
    }
}

extension TrainingRecipe {
    /// Opens the data sets.
    ///
    /// - Parameter plan: of this recipe.
    /// - Returns: the samples of the run.
    /// - Throws: `TrainError.noData` for a folder that is not there; `DataError`, `FileError`.
    public func openedData(_ plan: RunPlan) throws -> SampleStream {
        do {
            let stream = try SampleStream(data, firstTokens: plan.stageStarts, seed: seed)
            try stream.requireRepeats(data, totalTokens: plan.totalTokens)
            return stream
        } catch FileError.missing(let missing) {
            let path = data.paths.first { missing.hasPrefix($0) } ?? data.path
            throw TrainError.noData(path: path, missing: missing)
        }
    }
}
