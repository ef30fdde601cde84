/// The samples of a run in their order: a pure function of the data sets, the stages and the seed.
///
/// Places in it are counted in tokens of the run. Within a stage the sources take turns by weight
/// (`MixtureOrder`), and each source gives its samples of T tokens (`Packing`) in the order of `SampleOrder`, every
/// sample once an epoch. A source that comes back in a later stage with the same T continues where it
/// was; with another T it is cut anew, in an order of its own.
public struct SampleStream: Sendable {
    /// A data set of a stage and its part.
    public struct Share: Sendable, Equatable {
        /// The data set's place in `sources`.
        public let source: Int
        /// Its samples are to all samples of the stage as this is to the sum of all weights; at least 1.
        public let weight: Int

        /// A share.
        ///
        /// - Parameters:
        ///   - source: the data set's place in `sources`.
        ///   - weight: at least 1.
        public init(source: Int, weight: Int) {
            self.source = source
            self.weight = weight
        }
    }

    /// A stretch of a run with one mixture and one sequence length.
    public struct Stage: Sendable, Equatable {
        /// Tokens of the run before it.
        public let firstToken: Int
        /// T: tokens of a sample.
        public let sequenceLength: Int
        /// The data sets, each once.
        public let shares: [Share]

        /// A stage.
        ///
        /// - Parameters:
        ///   - firstToken: tokens of the run before it; 0 for the first stage.
        ///   - sequenceLength: at least 1.
        ///   - shares: at least one, each source once.
        public init(firstToken: Int, sequenceLength: Int, shares: [Share]) {
            self.firstToken = firstToken
            self.sequenceLength = sequenceLength
            self.shares = shares
        }
    }

    /// The data sets of all stages, each once, in the order in which they first appear.
    public let sources: [TokenDataset]
    /// In the order of the run, the last without end; each but the last holds whole samples.
    public let stages: [Stage]
    let seed: UInt64
    /// The samples of each source by T.
    private let layouts: [[Int: SampleLayout]]

    /// The samples of a run.
    ///
    /// - Parameters:
    ///   - sources: the data sets, each once.
    ///   - stages: at least one, the first from token 0.
    ///   - packing: how documents are put into samples.
    ///   - seed: the run's seed.
    /// - Throws: `DataError.splitTooShort` if a source has no sample,
    ///   `DataError.mixedTokenizers` if the sources were written with different ones; what reading the shards throws
    ///   if documents are packed.
    public init(
        sources: [TokenDataset], stages: [Stage], packing: Packing = .split, seed: UInt64
    ) throws {
        precondition(stages.first?.firstToken == 0, "SampleStream: \(stages)")
        for source in sources { try source.requireSameTokenizer(as: sources[0]) }
        var layouts: [[Int: SampleLayout]] = Array(repeating: [:], count: sources.count)
        let ends =
            packing == .split
            ? nil : try sources.map { try $0.documentEnds(of: .train) }
        for stage in stages {
            let length = stage.sequenceLength
            for share in stage.shares where layouts[share.source][length] == nil {
                layouts[share.source][length] = try SampleLayout(
                    sources[share.source], sequenceLength: length,
                    documentEnds: ends?[share.source])
            }
        }
        (self.sources, self.stages, self.seed) = (sources, stages, seed)
        self.layouts = layouts
    }

    /// The samples of one data set.
    ///
    /// - Parameters:
    ///   - dataset: the shards.
    ///   - sequenceLength: T, at least 1.
    ///   - packing: how documents are put into samples.
    ///   - seed: the run's seed.
    /// - Throws: `DataError.splitTooShort` if it has no sample; what reading the shards throws if documents are
    ///   packed.
    public init(
        _ dataset: TokenDataset, sequenceLength: Int, packing: Packing = .split, seed: UInt64
    ) throws {
        try self.init(
            sources: [dataset],
            stages: [
                Stage(
                    firstToken: 0, sequenceLength: sequenceLength,
                    shares: [Share(source: 0, weight: 1)])
            ], packing: packing, seed: seed)
    }

    /// Samples of an epoch of a source.
    ///
    /// - Parameters:
    ///   - source: its place in `sources`.
    ///   - sequenceLength: T of a stage that draws from it.
    /// - Returns: at least 1.
    public func sampleCount(ofSource source: Int, sequenceLength: Int) -> Int {
        layout(ofSource: source, sequenceLength).sampleCount
    }

    /// What a sample consists of.
    ///
    /// - Parameter sample: of this stream.
    /// - Returns: at least one piece; together at most T rows.
    public func pieces(of sample: Sample) -> [SamplePiece] {
        layout(ofSource: sample.source, sample.sequenceLength).pieces(ofSample: sample.number)
    }

    /// The packed samples of a source.
    ///
    /// - Parameters:
    ///   - source: its place in `sources`.
    ///   - sequenceLength: T of a stage that draws from it.
    /// - Returns: nil if its documents are split.
    public func packedSamples(ofSource source: Int, sequenceLength: Int) -> PackedSamples? {
        guard case .packed(let samples) = layout(ofSource: source, sequenceLength) else {
            return nil
        }
        return samples
    }

    private func layout(ofSource source: Int, _ sequenceLength: Int) -> SampleLayout {
        guard let layout = layouts[source][sequenceLength] else {
            preconditionFailure(
                "SampleStream: no stage draws samples of \(sequenceLength) tokens from \(source)")
        }
        return layout
    }

    /// The order of a source's samples.
    func order(ofSource source: Int, sequenceLength: Int) -> SampleOrder {
        SampleOrder(
            datasetDigest: sources[source].index.datasetDigest, seed: seed,
            sampleCount: sampleCount(ofSource: source, sequenceLength: sequenceLength))
    }

    /// The samples from a place on.
    ///
    /// - Parameter position: tokens of the run before it: whole samples of every stage.
    /// - Returns: a cursor before the next sample.
    public func cursor(at position: Int) -> SampleCursor { SampleCursor(self, at: position) }
}

/// A sample of a run.
public struct Sample: Sendable, Equatable {
    /// The data set's place in `SampleStream.sources`.
    public let source: Int
    /// T: its rows.
    public let sequenceLength: Int
    /// Its number among those of T tokens of the data set's training split.
    public let number: Int
}

/// A place among the samples of a run.
public struct SampleCursor: Sendable {
    private let stream: SampleStream
    /// The stage of the next sample.
    private var stage: SampleStream.Stage
    private var nextStages: ArraySlice<SampleStream.Stage>
    private var mixture: MixtureOrder
    /// Orders of the stage's sources.
    private var orders: [SampleOrder]
    /// Samples given, by source and sequence length.
    private var given: [[Int: Int]]
    /// Tokens of the run before the next sample.
    public private(set) var position = 0

    fileprivate init(_ stream: SampleStream, at position: Int) {
        self.stream = stream
        stage = stream.stages[0]
        nextStages = stream.stages[1...]
        (mixture, orders) = Self.begin(stage, of: stream)
        given = Array(repeating: [:], count: stream.sources.count)
        skip(to: position)
    }

    private static func begin(
        _ stage: SampleStream.Stage, of stream: SampleStream
    ) -> (MixtureOrder, [SampleOrder]) {
        (
            MixtureOrder(weights: stage.shares.map(\.weight)),
            stage.shares.map {
                stream.order(ofSource: $0.source, sequenceLength: stage.sequenceLength)
            }
        )
    }

    /// Moves on to a later place.
    private mutating func skip(to end: Int) {
        enterStage()
        while position < end {
            let stop = min(end, nextStages.first?.firstToken ?? .max)
            let (count, rest) = (stop - position).quotientAndRemainder(
                dividingBy: stage.sequenceLength)
            precondition(rest == 0, "SampleCursor: token \(stop) is not the end of a sample")
            for (share, count) in zip(stage.shares, mixture.skip(count)) {
                given[share.source][stage.sequenceLength, default: 0] += count
            }
            position = stop
            enterStage()
        }
    }

    /// Begins the next stage if the cursor is at its first token; an empty stage is passed over.
    private mutating func enterStage() {
        while let next = nextStages.first, next.firstToken <= position {
            stage = next
            nextStages = nextStages.dropFirst()
            (mixture, orders) = Self.begin(stage, of: stream)
        }
    }

    /// The tokens that each source has given so far, in whole samples.
    public var tokensBySource: [Int] {
        given.map { counts in counts.reduce(0) { $0 + $1.key * $1.value } }
    }

    /// How often each source has been read: its samples given over those of an epoch.
    public var epochsBySource: [Double] {
        given.enumerated().map { source, counts in
            counts.reduce(0) {
                $0 + Double($1.value)
                    / Double(stream.sampleCount(ofSource: source, sequenceLength: $1.key))
            }
        }
    }

    /// T of the next sample.
    public var sequenceLength: Int { stage.sequenceLength }

    /// The next sample.
    ///
    /// - Returns: never the end: epochs follow each other.
    public mutating func next() -> Sample {
        let place = mixture.next()
        let (source, length) = (stage.shares[place].source, stage.sequenceLength)
        let number = given[source][length, default: 0]
        given[source][length] = number + 1
        let sample = Sample(
            source: source, sequenceLength: length, number: orders[place].sample(at: number))
        position += length
        enterStage()
        return sample
    }
}
