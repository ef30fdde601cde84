import FalconData

/// The sequences that the steps of a run are made of, with what is in them.
///
/// For one thread.
public struct StepSequences {
    private let stream: SampleStream
    private let batches: BatchPlan
    /// Whether the data set is told with each sequence.
    private let namesSources: Bool
    private let finders: [DocumentFinder]

    /// The sequences of a run.
    ///
    /// - Parameters:
    ///   - recipe: of the run.
    ///   - stream: its samples.
    ///   - batches: its batches.
    /// - Throws: `DataError`, `TokenizerError` or `FileError` if a tokenizer beside the shards cannot be read.
    public init(_ recipe: TrainingRecipe, _ stream: SampleStream, _ batches: BatchPlan) throws {
        (self.stream, self.batches) = (stream, batches)
        namesSources = recipe.data.isMixed
        finders = try stream.sources.map { try DocumentFinder($0, split: .train) }
    }

    /// The samples of a step.
    ///
    /// - Parameter step: at least 1.
    /// - Returns: those of each micro-batch, in their order.
    public func microBatches(ofStep step: Int) -> [[Sample]] {
        // The same order as in the loader.
        var cursor = stream.cursor(at: batches.tokens(afterStep: step - 1))
        return (0..<batches.microBatches(atStep: step)).map { _ in
            (0..<batches.microBatchTokens / cursor.sequenceLength).map { _ in cursor.next() }
        }
    }

    /// What a sample consists of.
    ///
    /// - Parameter sample: of a step.
    /// - Returns: at least one piece.
    public func pieces(of sample: Sample) -> [SamplePiece] { stream.pieces(of: sample) }

    /// A sample with the documents of which it holds a part.
    ///
    /// - Parameters:
    ///   - sample: of a step.
    ///   - beginnings: the tokens from the beginning of each document that are shown as text; nil for the part
    ///     that is in the sequence.
    /// - Returns: the places of the sequence and of its documents, and their texts.
    /// - Throws: `DataError` or `FileError` if the shards cannot be read, `TokenizerError` for a token that is
    ///   not one of the tokenizer's.
    public func sequence(_ sample: Sample, beginnings: Int?) throws -> StepEvent.Sequence {
        let finder = finders[sample.source]
        let pieces = stream.pieces(of: sample)
        let first = pieces[0].firstToken
        let (shard, token) = finder.shard(ofToken: first)
        var documents: [StepEvent.Document] = []
        for piece in pieces {
            let inputs = piece.firstToken..<piece.firstToken + piece.count
            let starts = try finder.starts(in: inputs)
            documents += try starts.enumerated().map { place, start in
                // No further than the piece, or the next document.
                let end = place + 1 < starts.count ? starts[place + 1] : inputs.upperBound
                return StepEvent.Document(
                    firstToken: start,
                    text: try beginnings.map { try finder.text(of: start..<end, limit: $0) }
                        ?? finder.text(of: max(inputs.lowerBound, start)..<end))
            }
        }
        return StepEvent.Sequence(
            source: namesSources ? stream.sources[sample.source].path : nil,
            sample: sample.number, firstToken: first, shard: shard, firstTokenInShard: token,
            documents: documents)
    }
}
