import FalconSystem
import FalconTestSupport
import Foundation
import Testing

@testable import FalconData

@Suite struct BatchTests {
    @Test func targetsAndDocumentOffsetsOfATinyStreamAreThoseMadeByHand() throws {
        let folder = try TemporaryFolder()
        // Stream: 5 6 7 2 | 8 2 | 2 | 9 10 11 12 2   (2 ends a document; the third one is empty)
        let dataset = try writeDataset(
            folder.file("d"), train: [[5, 2]],
            validation: [[5, 6, 7, 2], [8, 2], [2], [9, 10, 11, 12, 2]])
        let batches = try ValidationBatches(
            dataset: dataset, sequenceLength: 5, sequencesPerBatch: 2)
        #expect(batches.batchCount == 2 && batches.rowCount == 12)
        let iterator = batches.makeIterator()
        let first = try #require(try iterator.next())
        #expect(first.sequenceCount == 2 && first.sequenceLength == 5)
        #expect(first.tokens == [5, 6, 7, 2, 8, 2, 2, 9, 10, 11])
        #expect(first.targets == [6, 7, 2, -1, 2, -1, -1, 10, 11, 12])
        #expect(first.documentOffsets == [0, 4, 5, 6, 7, 10])
        #expect(first.targetCount == 7)
        let last = try #require(try iterator.next())
        #expect(last.tokens == [12, 2, 2, 2, 2])
        #expect(last.targets == [2, -1, -1, -1, -1])
        #expect(last.documentOffsets == [0, 2, 3, 4, 5])
        #expect(last.targetCount == 1)
        #expect(try iterator.next() == nil)
    }

    @Test(arguments: [1, 2, 3, 7, 64, 1000])
    func validationScoresEveryTokenOnceForAnyBatchSize(batch: Int) throws {
        let folder = try TemporaryFolder()
        let documents = randomDocuments(60)
        let dataset = try writeDataset(
            folder.file("d"), train: [[5, 2]], validation: documents)
        // Every token but the first of each document, in order.
        let wanted = documents.flatMap { $0.dropFirst() }
        for length in [1, 2, 7, 16, 10_000] {
            var scored: [Int32] = []
            let iterator = try ValidationBatches(
                dataset: dataset, sequenceLength: length, sequencesPerBatch: batch
            ).makeIterator()
            while let batch = try iterator.next() {
                let targets = batch.targets.filter { $0 != Batch.notScored }
                #expect(targets.count == batch.targetCount)
                #expect(batch.documentOffsets.first == 0)
                #expect(Int(batch.documentOffsets.last ?? 0) == batch.tokens.count)
                let starts = Set(batch.documentOffsets)
                #expect(starts.count == batch.documentOffsets.count)
                for row in batch.tokens.indices {
                    let isStart = row % length == 0 || batch.tokens[row - 1] == 2
                    #expect(starts.contains(Int32(row)) == isStart)
                }
                scored += targets
            }
            #expect(scored == wanted)
        }
    }

    @Test func aTokenLimitCutsTheSameRowsForAnyBatchSize() throws {
        let folder = try TemporaryFolder()
        let documents = randomDocuments(60)
        let dataset = try writeDataset(folder.file("d"), train: documents)
        let stream = Array(documents.joined())
        for limit in [1, 15, 16, 17, 100, 1_000_000] {
            let rows = min(limit, stream.count)
            let wanted = (0..<rows).compactMap {
                stream[$0] == 2 ? nil : stream[$0 + 1]
            }
            for batch in [1, 3, 50] {
                let iterator = try ValidationBatches(
                    dataset: dataset, split: .train, sequenceLength: 16, sequencesPerBatch: batch,
                    tokenLimit: limit
                ).makeIterator()
                var scored: [Int32] = []
                while let batch = try iterator.next() {
                    scored += batch.targets.filter { $0 != Batch.notScored }
                }
                #expect(scored == wanted, "limit \(limit), batch \(batch)")
            }
        }
    }

    @Test func samplesOverlapByOneTokenAndCoverTheStream() throws {
        let folder = try TemporaryFolder()
        let documents = randomDocuments(50)
        let stream = Array(documents.joined())
        let dataset = try writeDataset(folder.file("d"), train: documents)
        let order = try SampleStream(dataset, sequenceLength: 10, seed: 4)
        let loader = BatchLoader(order, batchTokens: 10)
        let count = order.sampleCount(ofSource: 0, sequenceLength: 10)
        #expect(count == (stream.count - 1) / 10)
        var samples: Set<[Int32]> = []
        for _ in 0..<count { samples.insert(try loader.next().tokens) }
        let wanted = (0..<count).map { Array(stream[$0 * 10..<$0 * 10 + 10]) }
        #expect(samples == Set(wanted))
        #expect(loader.position == 10 * count && loader.cursor.tokensBySource == [10 * count])
    }

    @Test func aResumedLoaderGoesOnAsIfItHadNeverStopped() throws {
        let folder = try TemporaryFolder()
        let dataset = try writeDataset(folder.file("d"), train: randomDocuments(80))
        let order = try SampleStream(dataset, sequenceLength: 9, seed: 11)
        let whole = BatchLoader(order, batchTokens: 36)
        let epochs = 3
        let steps = epochs * order.sampleCount(ofSource: 0, sequenceLength: 9) / 4 + 2
        let batches = try (1...steps).map { step in
            let batch = try whole.next()
            #expect(whole.position == 36 * step)
            return batch
        }
        for stop in stride(from: 0, to: steps, by: 7) {
            let resumed = BatchLoader(order, batchTokens: 36, position: 36 * stop)
            for step in stop..<min(steps, stop + 5) {
                #expect(try resumed.next() == batches[step])
            }
        }
    }

    @Test(arguments: [1, 2, 3, 5])
    func ranksTogetherSeeWhatOneLoaderSees(ranks: Int) throws {
        let folder = try TemporaryFolder()
        let dataset = try writeDataset(folder.file("d"), train: randomDocuments(80))
        let order = try SampleStream(dataset, sequenceLength: 6, seed: 2)
        let alone = BatchLoader(order, batchTokens: 12 * ranks)
        let parts = (0..<ranks).map {
            BatchLoader(order, batchTokens: 12, isWanted: every(ranks, from: $0, tokens: 12))
        }
        for _ in 0..<200 {
            let whole = try alone.next()
            let pieces = try parts.map { try $0.next() }
            #expect(pieces.flatMap(\.tokens) == whole.tokens)
            #expect(pieces.flatMap(\.targets) == whole.targets)
            #expect(parts.last?.position == alone.position)
        }
    }

    @Test func damageSurfacesAtNextAndStays() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("d")
        let documents = randomDocuments(100)
        let dataset = try writeDataset(path, train: documents)
        let name = path + "/" + dataset.index.train.shards[2].name
        var bytes = try InputFile.contents(of: name)
        bytes[20] ^= 1
        try Data(bytes).write(to: URL(fileURLWithPath: name))
        let opened = try TokenDataset(path: path)
        let order = try SampleStream(opened, sequenceLength: 8, seed: 0)
        let loader = BatchLoader(order, batchTokens: 8)
        var failures = 0
        for _ in 0..<2 * order.sampleCount(ofSource: 0, sequenceLength: 8) {
            do {
                _ = try loader.next()
                #expect(failures == 0)
            } catch DataError.damagedShard(let path, _, _) {
                #expect(path == name)
                failures += 1
            }
        }
        #expect(failures > 1)
    }

    @Test func loadersStopAtOnceWhenDropped() throws {
        let folder = try TemporaryFolder()
        let dataset = try writeDataset(folder.file("d"), train: randomDocuments(30))
        for turn in 0..<300 {
            let loader = BatchLoader(
                try SampleStream(dataset, sequenceLength: 5, seed: UInt64(turn)), batchTokens: 15)
            if turn % 3 > 0 { _ = try loader.next() }
        }
        // Each loader's thread is joined; more than a few left over would be a leak.
        let threads = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").count
        #expect(threads < 100)
    }

    @Test func aSplitWithoutAWholeSampleIsAnError() throws {
        let folder = try TemporaryFolder()
        let dataset = try writeDataset(folder.file("d"), train: [[5, 6, 7, 2]])
        _ = try SampleStream(dataset, sequenceLength: 3, seed: 0)
        #expect(
            throws: DataError.splitTooShort(
                path: dataset.path, split: .train, tokenCount: 4, wanted: 5)
        ) { try SampleStream(dataset, sequenceLength: 4, seed: 0) }
        #expect(
            throws: DataError.splitTooShort(
                path: dataset.path, split: .validation, tokenCount: 0, wanted: 2)
        ) { try ValidationBatches(dataset: dataset, sequenceLength: 4, sequencesPerBatch: 1) }
    }
}
