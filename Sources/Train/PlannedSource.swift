import FalconData
import FalconSystem

/// What a run reads of a data set.
public struct PlannedSource: Encodable, Equatable, Sendable, CustomStringConvertible {
    /// The data set's folder.
    public let path: String
    /// Tokens of its samples.
    public let tokens: Int
    /// Those tokens over the tokens of its training split.
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
        zip(stream.sources, stream.cursor(at: plan.totalTokens).tokensBySource).map {
            PlannedSource(
                path: $0.path, tokens: $1, epochs: stream.epochs($1, of: $0),
                share: Double($1) / Double(plan.totalTokens))
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
