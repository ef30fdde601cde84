import FalconJSON
import FalconSystem
import FalconTestSupport
import Testing

@testable import FalconData

/// Shards of MosaicML's `streaming` (`scripts/fixtures/mosaic_shards.py`, mosaicml-streaming 0.13.0).
@Suite struct MosaicTests {
    private static let lengths = [1, 5, 300, 17, 66000, 2, 40]

    private static func documents(upTo limit: Int = .max) -> [[Int64]] {
        lengths.enumerated().map { number, length in
            (0..<min(limit, length)).map { Int64(3 + (7 * number + 13 * $0) % 900) }
        }
    }

    private static func fixture(_ name: String) -> String {
        testsFolder + "/DataTests/Fixtures/mds/" + name
    }

    private func read(
        _ path: String, column: String? = nil, plainBytes: Int? = nil, isConcatenated: Bool = false
    ) throws -> [[Int64]] {
        var reader = try MosaicReader(
            path: path, column: column, endOfDocumentID: 2, plainBytes: plainBytes,
            isConcatenated: isConcatenated)
        var found: [[Int64]] = []
        while let document = try reader.next() { found.append(document) }
        return found
    }

    @Test(arguments: ["uint16", "zstd", "bytes", "columns"])
    func theirShardsAreRead(name: String) throws {
        let wanted = Self.documents(upTo: name == "zstd" ? .max : 300)
        #expect(try read(Self.fixture(name)) == wanted)
        #expect(try read(Self.fixture(name) + "/index.json") == wanted)
    }

    @Test func severalShardsAreRead() throws {
        let names = try namesInFolder(Self.fixture("uint16"))
        #expect(names.count { $0.hasSuffix(".mds") } >= 2)
    }

    @Test func piecesOfAStreamAreJoined() throws {
        // The last sample, which is not full, was not written.
        let found = try read(Self.fixture("pieces"), isConcatenated: true)
        let wanted = Self.documents(upTo: 300)
        #expect(found.count == wanted.count)
        #expect(found.dropLast() == wanted.dropLast())
        let last = try #require(wanted.last)
        #expect(found.last.map(Array.init) == Array(last.prefix(found.last?.count ?? 0)))
        let error = #expect(throws: DataError.self) { try read(Self.fixture("pieces")) }
        #expect(error?.description.contains("--concatenated") == true)
    }

    @Test func whatIsNoTokenIsRefused() throws {
        func error(_ name: String, column: String? = nil, plainBytes: Int? = nil) -> String {
            do {
                return "\(try read(Self.fixture(name), column: column, plainBytes: plainBytes))"
            } catch {
                return "\(error)"
            }
        }
        #expect(
            error("uint16", plainBytes: 2).contains(
                "column tokens is ndarray:uint16, which tells it"))
        #expect(error("floats").contains("column tokens is ndarray:float32, want tokens"))
        #expect(error("brotli").contains("compressed with br, want zstd, gz or bz2"))
        #expect(error("columns", column: "text").contains("column text is str"))
        #expect(error("columns", column: "absent").contains("no column absent; it has id,"))
        #expect(error("zstd", column: "x").contains("it has tokens; say which with --column"))
    }

    @Test func aColumnOfBytesMayHaveOtherWidths() throws {
        let found = try read(Self.fixture("bytes"), plainBytes: 4)
        #expect(found[0] == [Self.documents()[0][0], 0])
    }

    @Test func whatWasWrittenIsReadBack() throws {
        let documents: [[Int32]] = [[5], [], Array(repeating: 7, count: 255), [70000 % 900]]
        for (bytes, isCompressed) in [(2, false), (4, true)] {
            try withTemporaryFolder { folder in
                var writer = MosaicWriter(
                    folder: folder + "/train", endOfDocumentID: 2, tokenBytes: bytes,
                    isCompressed: isCompressed)
                for document in documents { try writer.append(document) }
                try writer.finish()
                let found = try read(folder + "/train")
                #expect(found == documents.map { $0.map(Int64.init) })
                let names = try namesInFolder(folder + "/train").sorted()
                #expect(
                    names == ["index.json", "shard.00000.mds" + (isCompressed ? ".zstd" : "")])
            }
        }
    }

    @Test func documentsFillSeveralShards() throws {
        let documents = (0..<200).map { number in (0..<number % 37).map { Int32($0 + 3) } }
        try withTemporaryFolder { folder in
            var writer = MosaicWriter(
                folder: folder + "/train", endOfDocumentID: 2, tokenBytes: 2, isCompressed: false,
                shardBytes: 1500)
            for document in documents { try writer.append(document) }
            try writer.finish()
            #expect(try read(folder + "/train") == documents.map { $0.map(Int64.init) })
            let names = try namesInFolder(folder + "/train").filter { $0.hasSuffix(".mds") }
            #expect(names.count > 5 && names.contains("shard.00005.mds"))
            for name in names { #expect(try load("\(folder)/train/\(name)").count <= 1500) }
        }
    }

    /// Changes the index of a copy of a fixture.
    private func readChanged(
        _ name: String = "uint16", _ change: (inout JSONObject) -> Void
    ) throws -> String {
        let copy = try TemporaryFolder(copying: Self.fixture(name))
        let root = try JSONValue(parsing: load(copy.file("index.json")))
        var object = try #require(root.object)
        var shards = try #require(object["shards"]?.array)
        var shard = try #require(shards[0].object)
        change(&shard)
        shards[0] = .object(shard)
        object["shards"] = .array(shards)
        try copy.write("index.json", JSONValue.object(object).serialized())
        let error = #expect(throws: (any Error).self) { try read(copy.path) }
        return error.map { "\($0)" } ?? ""
    }

    @Test func aWrongIndexIsAnError() throws {
        func raw(_ key: String, _ value: JSONValue) throws -> String {
            try readChanged { shard in
                guard var raw = shard["raw_data"]?.object else { return }
                raw[key] = value
                shard["raw_data"] = .object(raw)
            }
        }
        #expect(try readChanged { $0["version"] = .integer(1) }.contains("shard 0 is not of"))
        #expect(try readChanged { $0["format"] = .string("csv") }.contains("shard 0 is not of"))
        for name in ["../shard.00000.mds", "", ".", "a/b", "/etc/passwd"] {
            #expect(try raw("basename", .string(name)).contains("no name of a file"))
        }
        for bytes in [-1, 3, 1 << 33, Int.max] {
            #expect(try raw("bytes", .integer(bytes)).contains("no possible size"))
        }
        #expect(try raw("bytes", .integer(100)).contains("contradict"))
        #expect(try readChanged { $0["samples"] = .integer(-1) }.contains("number of samples"))
        #expect(try readChanged { $0["samples"] = .integer(1 << 40) }.contains("number of samples"))
        #expect(try readChanged { $0["samples"] = .integer(1) }.contains("it tells of"))
        #expect(try readChanged { $0["column_sizes"] = .array([]) }.contains("no columns"))
        #expect(
            try readChanged { $0["column_sizes"] = .array([.integer(-4)]) }.contains("column 0"))
        #expect(
            try readChanged { $0["column_sizes"] = .array([.integer(4)]) }.contains("its columns"))
        #expect(try readChanged("zstd") { $0["compression"] = .null }.contains("no compression"))
        #expect(try readChanged("zstd") { $0["zip_data"] = .null }.contains("shard.00000.mds"))
        let other: JSONValue = .array([.string("ndarray:int32")])
        #expect(try readChanged { $0["column_encodings"] = other }.contains("sample 0"))
    }

    @Test func aDamagedShardIsAnError() throws {
        func error(_ name: String, _ file: String, _ change: (inout [UInt8]) -> Void) throws
            -> String
        {
            let copy = try TemporaryFolder(copying: Self.fixture(name))
            var bytes = try load(copy.file(file))
            change(&bytes)
            try copy.write(file, bytes)
            let error = #expect(throws: (any Error).self) { try read(copy.path) }
            return error.map { "\($0)" } ?? ""
        }
        let shard = "shard.00000.mds"
        #expect(try error("uint16", shard) { $0.removeLast() }.contains("it ends after"))
        #expect(try error("uint16", shard) { $0 = [] }.contains("it ends after 0 bytes"))
        #expect(try error("uint16", shard) { $0.append(0) }.contains("it goes on behind"))
        // Places that rise too far, or fall; the length of a sample, then of its array.
        #expect(try error("uint16", shard) { $0[7] = 0xFF }.contains("contradict"))
        #expect(try error("uint16", shard) { $0[8] = 1 }.contains("contradict"))
        let start = Int(littleEndianUInt32(try load(Self.fixture("uint16/" + shard)), at: 4))
        #expect(try error("uint16", shard) { $0[start + 3] = 0xFF }.contains("its columns"))
        #expect(try error("uint16", shard) { $0[start + 4] = 2 << 2 }.contains("2 axes"))
        #expect(try error("uint16", shard) { $0[start + 5] = 9 }.contains("it tells of 9"))
        #expect(try error("uint16", shard) { $0[start + 6] ^= 1 }.contains("SHA-256"))
        let zip = shard + ".zstd"
        #expect(try error("zstd", zip) { $0.removeLast(9) }.contains("cut short"))
        #expect(try error("zstd", zip) { $0[0] = 0 }.contains("not compressed with zstd"))
        #expect(try error("columns", shard + ".gz") { $0[$0.count - 5] ^= 1 }.contains(".mds.gz"))
        #expect(try error("uint16", "index.json") { $0 = Array("[]".utf8) }.contains("no index"))
        #expect(try error("uint16", "index.json") { $0.removeLast(20) }.contains("index.json"))
    }

    /// No byte, whatever it becomes, makes the reader do anything but read or throw.
    @Test(arguments: ["uint16", "columns", "pieces"])
    func flippedBitsNeverCrash(name: String) throws {
        var random = LinearGenerator(seed: 11)
        let files = try namesInFolder(Self.fixture(name))
        let copy = try TemporaryFolder(copying: Self.fixture(name))
        var errors = 0
        for _ in 0..<300 {
            let file = files[random.below(files.count)]
            let bytes = try load(copy.file(file))
            var changed = bytes
            for _ in 0...random.below(2) {
                changed[random.below(bytes.count)] ^= UInt8(1 << random.below(8))
            }
            try copy.write(file, changed)
            do {
                _ = try read(copy.path, isConcatenated: true)
            } catch {
                #expect(!"\(error)".isEmpty)
                errors += 1
            }
            try copy.write(file, bytes)
        }
        #expect(errors > 50)
    }
}
