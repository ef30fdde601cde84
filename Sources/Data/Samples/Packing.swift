/// How the documents of a data set are put into samples of T tokens.
public enum Packing: String, CaseIterable, Codable, Sendable {
    /// One after the other, cut every T tokens: nothing is padded, and most samples begin and end inside a
    /// document.
    case split
    /// A document of at most T tokens stands whole in one sample, beside those that fill it best (`PackedSamples`);
    /// what is left free is padded and not learnt from.
    case bestFit = "best_fit"
}

/// Rows of a sample that follow each other in the training split.
public struct SamplePiece: Sendable, Equatable {
    /// The place of the first input in the split.
    public let firstToken: Int
    /// The number of inputs; their targets are as many tokens, one later.
    public let count: Int

    /// The places of inputs and targets: one more than inputs.
    var tokens: Range<Int> { firstToken..<firstToken + count + 1 }
}

/// How the training split of a data set is cut into samples of T tokens.
enum SampleLayout: Sendable {
    /// Sample i covers tokens i·T to (i+1)·T, both included.
    case split(sequenceLength: Int, sampleCount: Int)
    case packed(PackedSamples)

    /// - Parameters:
    ///   - dataset: the data set.
    ///   - sequenceLength: T.
    ///   - documentEnds: those of its training split if its documents are packed; nil if they are split.
    /// - Throws: `DataError.splitTooShort` if there is no sample.
    init(_ dataset: TokenDataset, sequenceLength: Int, documentEnds: [Int]?) throws(DataError) {
        let tokenCount = dataset.index.train.tokens
        if let documentEnds {
            self = .packed(
                PackedSamples(documentEnds: documentEnds, sequenceLength: sequenceLength))
        } else {
            self = .split(
                sequenceLength: sequenceLength, sampleCount: (tokenCount - 1) / sequenceLength)
        }
        guard sampleCount > 0 else {
            throw .splitTooShort(
                path: dataset.path, split: .train, tokenCount: tokenCount,
                wanted: documentEnds == nil ? sequenceLength + 1 : 2)
        }
    }

    /// Samples of an epoch.
    var sampleCount: Int {
        switch self {
        case .split(_, let sampleCount): sampleCount
        case .packed(let samples): samples.sampleCount
        }
    }

    /// What a sample consists of.
    ///
    /// - Parameter sample: from 0 to `sampleCount - 1`.
    /// - Returns: at least one piece; together at most T rows.
    func pieces(ofSample sample: Int) -> [SamplePiece] {
        switch self {
        case .split(let length, _): [SamplePiece(firstToken: sample * length, count: length)]
        case .packed(let samples): samples.pieces(ofSample: sample)
        }
    }
}
