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

    /// The numbers for a person.
    public var description: String {
        "\(grouped(tokens)) tokens, \(decimal(100 * share, places: 1)) % of the run, \(decimal(epochs, places: 2)) epochs"
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
        return zip(stream.sources, drawn).map { source, drawn in
            PlannedSource(
                path: source.path, tokens: drawn.0, epochs: drawn.1,
                share: Double(drawn.0) / Double(plan.totalTokens))
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
