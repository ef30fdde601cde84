import FalconConcurrency
import FalconSystem
import FalconTestSupport
import FalconTokenizer
import Foundation
import Testing

@testable import FalconData

@Suite struct ShardTests {
    @Test(arguments: [1, 7, 8, 9, 31, 32, 33, 64, 500])
    func anyRangeReadsTheTokensThatWereWritten(documentCount: Int) throws {
        let folder = try TemporaryFolder()
        let documents = randomDocuments(documentCount)
        let stream = Array(documents.joined())
        let dataset = try writeDataset(folder.file("d"), train: documents)
        #expect(dataset.index.train.tokens == stream.count)
        #expect(dataset.index.train.documents == documentCount)
        #expect(dataset.index.train.textBytes == 3 * stream.count)
        #expect(dataset.index.train.shards.count == (stream.count + 31) / 32)
        let reader = dataset.reader(of: .train)
        #expect(try reader.tokens(in: 0..<stream.count) == stream)
        for first in stride(from: 0, through: stream.count, by: 5) {
            for length in [0, 1, 8, 40] where first + length <= stream.count {
                let range = first..<first + length
                #expect(try reader.tokens(in: range) == Array(stream[range]))
            }
        }
    }

    @Test(arguments: [(65_535, 2), (65_536, 2), (65_537, 4), (100_000, 4)])
    func tokensTakeTwoBytesUpToAVocabularyOf65536(vocabularyCount: Int, bytes: Int) throws {
        let folder = try TemporaryFolder()
        let last = Int32(vocabularyCount - 1)
        let documents: [[Int32]] = [[0, last, 255, 256, last, 2], [32768, last - 1, 2]]
        let dataset = try writeDataset(
            folder.file("d"), train: documents, vocabularyCount: vocabularyCount)
        #expect(dataset.index.tokenType.byteCount == bytes)
        #expect(try dataset.reader(of: .train).tokens(in: 0..<9) == Array(documents.joined()))
        let raw = try output(of: "zstd", ["-dcq", folder.file("d/train-00000.tok.zst")])
        #expect(raw.count == 9 * bytes)
    }

    @Test func plainZstdGivesTheRawTokens() throws {
        let folder = try TemporaryFolder()
        let documents = randomDocuments(200, tokens: 70_000)
        for (vocabularyCount, width) in [(65_536, 2), (70_000, 4)] {
            let kept = documents.map { $0.filter { Int($0) < vocabularyCount } }
            let path = folder.file("d\(width)")
            _ = try writeDataset(
                path, train: kept, vocabularyCount: vocabularyCount, tokensPerFrame: 100,
                tokensPerShard: 100_000)
            let raw = try output(of: "zstd", ["-dcq", path + "/train-00000.tok.zst"])
            var wanted: [UInt8] = []
            for token in kept.joined() {
                withUnsafeBytes(of: token.littleEndian) { wanted += $0.prefix(width) }
            }
            #expect(raw == wanted)
            // zstd -t checks the frames' checksums, and skips the seek table.
            _ = try output(of: "zstd", ["-tq", path + "/train-00000.tok.zst"])
        }
    }

    @Test func theSeekTableIsThatOfThePublicFormat() throws {
        var table = SeekTable()
        table.entries = [
            .init(compressedBytes: 0x0102, contentBytes: 0x0304, checksum: 0x0506_0708),
            .init(compressedBytes: 1, contentBytes: 2, checksum: 0xFFFF_FFFF),
        ]
        // Written by hand from zstd_seekable_compression_format.md.
        let wanted: [UInt8] = [
            0x5E, 0x2A, 0x4D, 0x18, 33, 0, 0, 0,
            0x02, 0x01, 0, 0, 0x04, 0x03, 0, 0, 0x08, 0x07, 0x06, 0x05,
            1, 0, 0, 0, 2, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF,
            2, 0, 0, 0, 0x80, 0xB1, 0xEA, 0x92, 0x8F,
        ]
        #expect(table.serialized == wanted)
        #expect(try SeekTable(serialized: wanted) == table)
    }

    @Test func frameChecksumsAreXXH64() throws {
        // XXH64 of "abc" with seed 0 is 44bc2cf5ad770999 (xxHash's own test vectors).
        let frame = ZstdFrameEncoder(level: 3).frame(of: Array("abc".utf8))
        #expect(littleEndianUInt32(frame, at: frame.count - 4) == 0xAD77_0999)
    }

    @Test func everyFlippedByteIsFoundAndPlaced() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("d")
        let documents = randomDocuments(40)
        let dataset = try writeDataset(path, train: documents, tokensPerShard: 128)
        let name = path + "/" + dataset.index.train.shards[1].name
        let whole = try InputFile.contents(of: name)
        try dataset.verify(threadCount: 3)
        for offset in whole.indices {
            var damaged = whole
            damaged[offset] ^= 0x10
            try Data(damaged).write(to: URL(fileURLWithPath: name))
            let error = #expect(throws: DataError.self, "byte \(offset)") {
                let opened = try TokenDataset(path: path)
                try opened.verify(threadCount: 2)
            }
            guard case .damagedShard(name, let bytes, _) = error else {
                Issue.record("byte \(offset): \(String(describing: error))")
                continue
            }
            #expect(bytes.contains(offset), "byte \(offset): \(bytes)")
            #expect(error?.exitStatus == .badData)
            // A reader meets damage in a frame too.
            if bytes.upperBound < whole.count - 60 {
                #expect(throws: DataError.self) {
                    let opened = try TokenDataset(path: path)
                    let count = opened.index.train.tokens
                    _ = try opened.reader(of: .train).tokens(in: 0..<count)
                }
            }
        }
    }

    @Test func aCutOrGrownShardIsFoundAtOpening() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("d")
        let dataset = try writeDataset(path, train: randomDocuments(9))
        let name = path + "/" + dataset.index.train.shards[0].name
        let whole = try InputFile.contents(of: name)
        for bytes in [Array(whole.dropLast()), [], whole + [0]] {
            try Data(bytes).write(to: URL(fileURLWithPath: name))
            #expect(
                throws: DataError.wrongShardSize(
                    path: name, got: bytes.count, wanted: whole.count)
            ) { try TokenDataset(path: path) }
        }
        try removeFile(name)
        #expect(throws: FileError.missing(path: name)) { try TokenDataset(path: path) }
    }

    @Test func anIndexThatCannotBeRightIsRefused() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("d")
        _ = try writeDataset(path, train: randomDocuments(9))
        let index = path + "/index.json"
        let text = String(decoding: try InputFile.contents(of: index), as: UTF8.self)
        for (old, new, part) in [
            ("\"version\" : 1", "\"version\" : 2", "version 2, want falcon-token-shards version 1"),
            ("\"documents\" : 9", "\"documents\" : 8", "contradict each other"),
            ("\"tokens\" :", "\"token\" :", "a field is missing"),
            ("\"end_of_document_id\" : 2", "\"end_of_document_id\" : 3", "changed by hand"),
            (text, "{\"something\": 1}", "not an index"),
        ] {
            #expect(text.contains(old))
            try folder.write("d/index.json", text.replacingOccurrences(of: old, with: new))
            let error = #expect(throws: DataError.self) { try TokenDataset(path: path) }
            #expect(error?.description.contains(part) == true, "\(String(describing: error))")
            #expect(error?.description.hasPrefix(index) == true)
        }
        try removeFile(index)
        #expect(throws: FileError.missing(path: index)) { try TokenDataset(path: path) }
    }

    @Test func sixteenReadersSeeTheSameTokens() throws {
        let folder = try TemporaryFolder()
        let documents = randomDocuments(800)
        let stream = Array(documents.joined())
        let dataset = try writeDataset(folder.file("d"), train: documents)
        let answers = BoundedQueue<Bool>(capacity: 16)
        let threads = try (0..<16).map { thread in
            try WorkerThread {
                let reader = dataset.reader(of: .train)
                var first = thread * 37
                var isEqual = true
                for _ in 0..<300 {
                    first = (first * 31 + 17) % (stream.count - 50)
                    let range = first..<first + 50
                    isEqual = isEqual && (try? reader.tokens(in: range)) == Array(stream[range])
                }
                answers.push(isEqual)
            }
        }
        for thread in threads { thread.join() }
        answers.finish()
        var count = 0
        while let isEqual = answers.pop() {
            #expect(isEqual)
            count += 1
        }
        #expect(count == 16)
    }

    @Test func anotherTokenizerIsRefused() throws {
        let folder = try TemporaryFolder()
        let dataset = try writeDataset(folder.file("d"), train: [[5, 2]])
        let tiny = SHA256.hex(of: Array("tiny".utf8))
        let other = try SentencePieceTokenizer(path: tokenizerFixture(mistralModel))
        #expect(
            throws: DataError.tokenizerMismatch(
                path: dataset.path, got: tiny, wanted: other.digest)
        ) { try dataset.requireTokenizer(other) }
    }
}
