import FalconTestSupport
import Testing

@testable import FalconData

@Suite struct SampleStreamTests {
    private let folder: TemporaryFolder
    private let sets: [TokenDataset]

    init() throws {
        let folder = try TemporaryFolder()
        sets = try [(90, 1), (50, 2), (40, 3)].map { count, seed in
            try writeDataset(
                folder.file("set\(seed)"), train: randomDocuments(count, seed: UInt64(seed)))
        }
        self.folder = folder
    }

    private func stage(_ firstToken: Int, _ length: Int, _ weights: [Int]) -> SampleStream.Stage {
        SampleStream.Stage(
            firstToken: firstToken, sequenceLength: length,
            shares: weights.enumerated().map { SampleStream.Share(source: $0, weight: $1) })
    }

    private func stream(_ stages: [SampleStream.Stage], seed: UInt64 = 5) throws -> SampleStream {
        try SampleStream(sources: sets, stages: stages, seed: seed)
    }

    /// 0.7, 0.2 and 0.1, then 1 : 1 : 2 in longer samples: shares exact to a sample after every one.
    @Test func sharesOfBothStagesAreExactToASample() throws {
        let stream = try stream([stage(0, 8, [7, 2, 1]), stage(480, 16, [1, 1, 2])])
        var cursor = stream.cursor(at: 0)
        var first = [0, 0, 0]
        for sample in 1...60 {
            #expect(cursor.sequenceLength == 8)
            first[cursor.next().source] += 1
            for (count, share) in zip(first, [0.7, 0.2, 0.1]) {
                #expect(abs(Double(count) - share * Double(sample)) < 1)
            }
        }
        #expect(first == [42, 12, 6] && cursor.position == 480)
        var second = [0, 0, 0]
        for sample in 1...100 {
            #expect(cursor.sequenceLength == 16)
            let next = cursor.next()
            #expect(next.sequenceLength == 16)
            second[next.source] += 1
            for (count, share) in zip(second, [0.25, 0.25, 0.5]) {
                #expect(abs(Double(count) - share * Double(sample)) < 1)
            }
        }
        #expect(cursor.tokensBySource == zip(first, second).map { 8 * $0 + 16 * $1 })
    }

    /// Three epochs and more of each source, in stages of other weights.
    @Test func everySampleComesOnceAnEpochThroughAChangeOfWeights() throws {
        let stream = try stream([
            stage(0, 8, [7, 2, 1]), stage(800, 8, [1, 5, 5]), stage(1600, 8, [2, 1, 1]),
        ])
        var cursor = stream.cursor(at: 0)
        var seen: [[Int]] = [[], [], []]
        let counts = (0..<3).map { stream.sampleCount(ofSource: $0, sequenceLength: 8) }
        while zip(seen, counts).contains(where: { $0.count < 3 * $1 }) {
            let sample = cursor.next()
            seen[sample.source].append(sample.number)
        }
        for (numbers, count) in zip(seen, counts) {
            for epoch in 0..<3 {
                #expect(numbers[epoch * count..<(epoch + 1) * count].sorted() == Array(0..<count))
            }
            #expect(Array(numbers[..<count]) != Array(numbers[count..<2 * count]))
        }
    }

    @Test func aCursorAnywhereGoesOnAsOneFromTheBeginning() throws {
        let stream = try stream([
            stage(0, 8, [7, 2, 1]), stage(240, 16, [3, 1, 1]), stage(240, 4, [9, 1, 1]),
            stage(720, 8, [1, 5, 5]),
        ])
        var cursor = stream.cursor(at: 0)
        var places: [(cursor: SampleCursor, next: Sample)] = []
        for _ in 0..<400 {
            let before = cursor
            places.append((before, cursor.next()))
        }
        for (before, next) in places {
            var resumed = stream.cursor(at: before.position)
            #expect(resumed.tokensBySource == before.tokensBySource)
            #expect(resumed.sequenceLength == next.sequenceLength)
            #expect(resumed.next() == next)
        }
        // The empty stage has given nothing.
        #expect(!places.contains { $0.next.sequenceLength == 16 })
    }

    /// What ranks read together is what one reader reads, at every number of ranks, with stops.
    @Test(arguments: [1, 2, 3, 4, 8])
    func ranksAndStopsChangeNothing(ranks: Int) throws {
        let stages = [stage(0, 8, [7, 2, 1]), stage(24 * 48, 16, [1, 1, 2])]
        let stream = try stream(stages)
        var random = LinearGenerator(seed: UInt64(ranks))
        let steps = 40
        // 384 tokens a step: 8 ranks of 48.
        var cursor = stream.cursor(at: 0)
        var (step, loaders) = (0, [BatchLoader]())
        while step < steps {
            loaders = (0..<ranks).map {
                BatchLoader(
                    stream, batchTokens: 384 / ranks, position: 384 * step,
                    isWanted: every(ranks, from: $0, tokens: 384 / ranks))
            }
            for _ in 0..<min(steps - step, 1 + random.below(9)) {
                let rows = 384 / cursor.sequenceLength
                let wanted = try (0..<rows).flatMap { _ in
                    let sample = cursor.next()
                    return try sets[sample.source].reader(of: .train).tokens(
                        in: sample.number * sample.sequenceLength..<(sample.number + 1)
                            * sample.sequenceLength)
                }
                #expect(try loaders.flatMap { try $0.next().tokens } == wanted)
                #expect(loaders.last?.cursor.tokensBySource == cursor.tokensBySource)
                step += 1
            }
        }
    }

    /// Rows of different documents never see each other, in any stage.
    @Test func documentsAreIsolatedInEveryStage() throws {
        let stream = try stream([stage(0, 8, [7, 2, 1]), stage(192, 24, [1, 1, 2])])
        let loader = BatchLoader(stream, batchTokens: 48)
        for _ in 0..<30 {
            let batch = try loader.next()
            let starts = Set(batch.documentOffsets)
            for row in batch.tokens.indices {
                let isStart = row % batch.sequenceLength == 0 || batch.tokens[row - 1] == 2
                #expect(starts.contains(Int32(row)) == isStart)
                #expect((batch.targets[row] == Batch.notScored) == (batch.tokens[row] == 2))
            }
        }
    }

    @Test func oneDataSetKeepsTheOrderItAlwaysHad() throws {
        let stream = try SampleStream(sets[0], sequenceLength: 8, seed: 3)
        let order = SampleOrder(
            datasetDigest: sets[0].index.datasetDigest, seed: 3,
            sampleCount: (sets[0].index.train.tokens - 1) / 8)
        var cursor = stream.cursor(at: 80)
        for position in 10..<400 { #expect(cursor.next().number == order.sample(at: position)) }
    }

    @Test func dataThatDoNotGoTogetherAreRefused() throws {
        #expect(
            throws: DataError.splitTooShort(
                path: sets[2].path, split: .train, tokenCount: sets[2].index.train.tokens,
                wanted: 501)
        ) { try stream([stage(0, 8, [7, 2, 1]), stage(80, 500, [1, 1, 1])]) }
        let section = DataSection(
            path: "unused",
            mix: [DataSource(path: sets[0].path), DataSource(path: folder.file("copy"))],
            stages: nil, sequenceLength: 8, packing: .split)
        _ = try writeDataset(folder.file("copy"), train: randomDocuments(90, seed: 1))
        #expect(throws: DataError.sameData(path: folder.file("copy"), other: sets[0].path)) {
            try SampleStream(section, firstTokens: [0], seed: 0)
        }
    }
}
