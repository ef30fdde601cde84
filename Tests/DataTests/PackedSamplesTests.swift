import FalconJSON
import FalconSystem
import FalconTestSupport
import Testing

@testable import FalconData

@Suite struct PackedSamplesTests {
    /// The ends of documents of given lengths.
    private func ends(_ lengths: [Int]) -> [Int] {
        lengths.reduce(into: []) { $0.append(($0.last ?? 0) + $1) }
    }

    private func lengths(_ count: Int, upTo limit: Int, seed: UInt64) -> [Int] {
        var random = LinearGenerator(seed: seed)
        return (0..<count).map { _ in 1 + random.below(limit) }
    }

    /// Best fit decreasing as it reads: try all samples, take the fullest with room.
    private func loads(_ lengths: [Int], _ sequenceLength: Int) -> [Int] {
        var rests: [Int] = []
        var loads: [Int] = []
        for length in lengths where length > 1 {
            let (full, rest) = (length - 1).quotientAndRemainder(dividingBy: sequenceLength)
            loads += Array(repeating: sequenceLength, count: full)
            if rest > 0 { rests.append(rest) }
        }
        var open: [Int] = []
        for rest in rests.sorted(by: >) {
            let fitting = open.indices.filter { open[$0] + rest <= sequenceLength }
            if let best = fitting.max(by: { open[$0] < open[$1] }) {
                open[best] += rest
            } else {
                open.append(rest)
            }
        }
        return (loads + open).sorted()
    }

    @Test(arguments: [1, 2, 3, 17, 64, 65, 100, 4097, 9000])
    func samplesAreThoseOfBestFitDecreasing(sequenceLength: Int) {
        for (seed, limit) in [1, 2, sequenceLength, 2 * sequenceLength + 3].enumerated() {
            let lengths = lengths(400, upTo: limit, seed: UInt64(seed))
            let samples = PackedSamples(
                documentEnds: ends(lengths), sequenceLength: sequenceLength)
            let counts = (0..<samples.sampleCount).map { sample in
                samples.pieces(ofSample: sample).reduce(0) { $0 + $1.count }
            }
            #expect(counts.sorted() == loads(lengths, sequenceLength))
            let rows = lengths.reduce(0) { $0 + $1 - 1 }
            #expect(samples.rowCount == rows && counts.reduce(0, +) == rows)
            #expect(
                samples.paddingShare
                    == (rows == 0 ? 0 : 1 - Double(rows) / Double(counts.count * sequenceLength)))
        }
    }

    /// No token is learnt twice or never, and a document that fits is whole.
    @Test func everyTokenButTheFirstOfADocumentIsATargetOnce() {
        let lengths = lengths(500, upTo: 90, seed: 3)
        let ends = ends(lengths)
        let samples = PackedSamples(documentEnds: ends, sequenceLength: 40)
        var targets: [Int] = []
        var pieces: [Int: Int] = [:]
        for sample in 0..<samples.sampleCount {
            for piece in samples.pieces(ofSample: sample) {
                targets += piece.tokens.dropFirst()
                let document = ends.firstIndex { $0 > piece.firstToken } ?? -1
                #expect(piece.tokens.upperBound <= ends[document])
                pieces[document, default: 0] += 1
            }
        }
        let starts = Set([0] + ends.dropLast())
        #expect(targets.sorted() == (0..<ends[499]).filter { !starts.contains($0) })
        for (document, length) in lengths.enumerated() {
            #expect(pieces[document, default: 0] == (length - 1 + 39) / 40)
        }
        #expect(samples.cutDocuments == lengths.count { $0 > 41 })
    }

    /// `pack_dataset` of TRL with its strategy `bfd` fills samples as much, one by one
    /// (`scripts/fixtures/packing.py`).
    @Test func samplesAreAsFullAsThoseOfTRL() throws {
        struct Case: Decodable {
            let sequence_length: Int
            let lengths: [Int]
            let loads: [Int]
        }
        for packed in try decodedJSON(
            [Case].self,
            from: InputFile.contents(of: testsFolder + "/DataTests/Fixtures/packing.json"))
        {
            // TRL counts tokens; here a document takes one row less.
            let samples = PackedSamples(
                documentEnds: ends(packed.lengths.map { $0 + 1 }),
                sequenceLength: packed.sequence_length)
            let loads = (0..<samples.sampleCount).map { sample in
                samples.pieces(ofSample: sample).reduce(0) { $0 + $1.count }
            }
            #expect(loads.sorted() == packed.loads)
        }
    }

    /// Ends are found in shards of any size, and a last document without an end counts.
    @Test(arguments: [16, 64, 1 << 20])
    func endsAreFoundAcrossFramesAndShards(tokensPerShard: Int) throws {
        let folder = try TemporaryFolder()
        let documents = randomDocuments(60, seed: 4)
        let dataset = try writeDataset(
            folder.file("d"), train: documents, tokensPerShard: tokensPerShard)
        #expect(try dataset.documentEnds(of: .train) == ends(documents.map(\.count)))
        #expect(try dataset.documentEnds(of: .validation) == [])
    }

    /// A batch has the rows of its pieces, each document a segment of its own, and padding that is not scored.
    @Test func paddingIsASegmentThatIsNotScored() {
        let batch = Batch(
            samples: [[[5, 6, 7, 2], [8, 2]], [[9, 9, 9, 9, 9, 9, 2]], [[4, 2]]],
            sequenceLength: 6, endOfDocumentID: 2)
        #expect(batch.tokens == [5, 6, 7, 8, 2, 2] + [9, 9, 9, 9, 9, 9] + [4, 2, 2, 2, 2, 2])
        #expect(
            batch.targets == [6, 7, 2, 2, -1, -1] + [9, 9, 9, 9, 9, 2] + [2, -1, -1, -1, -1, -1])
        #expect(batch.documentOffsets == [0, 3, 4, 6, 12, 13, 18] && batch.targetCount == 11)
    }

    /// What ranks read together over two epochs is the packed samples, each once an epoch.
    @Test(arguments: [1, 2, 4])
    func packedSamplesComeOnceAnEpoch(ranks: Int) throws {
        let folder = try TemporaryFolder()
        let dataset = try writeDataset(folder.file("d"), train: randomDocuments(70, seed: 8))
        let stream = try SampleStream(
            dataset, sequenceLength: 24, packing: .bestFit, seed: 2)
        let samples = stream.sampleCount(ofSource: 0, sequenceLength: 24)
        let packed = try #require(stream.packedSamples(ofSource: 0, sequenceLength: 24))
        #expect(samples == packed.sampleCount && packed.paddingShare < 0.2)
        let loaders = (0..<ranks).map {
            BatchLoader(
                stream, batchTokens: 24 * 4 / ranks,
                isWanted: every(ranks, from: $0, tokens: 24 * 4 / ranks))
        }
        var seen: [[Int32]: Int] = [:]
        var (scored, rows) = (0, 0)
        while rows < 2 * samples {
            let batches = try loaders.map { try $0.next() }
            for batch in batches {
                for row in 0..<batch.sequenceCount where rows < 2 * samples {
                    let range = row * 24..<(row + 1) * 24
                    seen[Array(batch.tokens[range]), default: 0] += 1
                    scored += batch.targets[range].count { $0 != Batch.notScored }
                    rows += 1
                }
            }
        }
        #expect(scored == 2 * packed.rowCount && seen.values.allSatisfy { $0 % 2 == 0 })
    }
}
