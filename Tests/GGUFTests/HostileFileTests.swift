import FalconGGUF
import FalconTestSupport
import Testing

/// The bytes of a GGUF file put together by hand.
struct FileBytes {
    var bytes: [UInt8] = []

    static func header(version: UInt32 = 3, tensors: UInt64, entries: UInt64) -> FileBytes {
        FileBytes(bytes: Array("GGUF".utf8)).u32(version).u64(tensors).u64(entries)
    }

    func u32(_ number: UInt32) -> FileBytes { little(number) }
    func u64(_ number: UInt64) -> FileBytes { little(number) }
    func raw(_ more: [UInt8]) -> FileBytes { FileBytes(bytes: bytes + more) }
    func zeros(_ count: Int) -> FileBytes { raw([UInt8](repeating: 0, count: count)) }

    func text(_ text: String) -> FileBytes {
        u64(UInt64(text.utf8.count)).raw(Array(text.utf8))
    }

    func tensor(
        _ name: String, _ lengths: [UInt64], type: UInt32 = 0, offset: UInt64 = 0
    ) -> FileBytes {
        let start = text(name).u32(UInt32(lengths.count))
        return lengths.reduce(start) { $0.u64($1) }.u32(type).u64(offset)
    }

    /// Pads as before the data, then adds data.
    func data(_ count: Int, alignment: Int = 32) -> FileBytes {
        zeros((alignment - bytes.count % alignment) % alignment + count)
    }

    private func little(_ number: some FixedWidthInteger) -> FileBytes {
        raw((0..<number.bitWidth / 8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) })
    }
}

@Suite struct HostileFileTests {
    typealias Case = (file: FileBytes, problem: GGUFProblem)

    private func expect(_ cases: [Case]) throws {
        try withTemporaryFolder { folder in
            let path = folder + "/hostile.gguf"
            for (file, want) in cases {
                try store(file.bytes, at: path)
                #expect(problem { _ = try GGUFReader(path: path) } == want)
            }
        }
    }

    @Test func refusesOtherFiles() throws {
        let none = FileBytes.header(tensors: 0, entries: 0)
        try expect([
            (FileBytes(), .notGGUF),
            (FileBytes(bytes: Array("GGU".utf8)), .notGGUF),
            (FileBytes(bytes: Array("GGML".utf8)).zeros(100), .notGGUF),
            (FileBytes.header(version: 1, tensors: 0, entries: 0), .unsupportedVersion(1)),
            (FileBytes.header(version: 4, tensors: 0, entries: 0), .unsupportedVersion(4)),
            (FileBytes.header(version: 3 << 24, tensors: 0, entries: 0), .bigEndian),
        ])
        try withTemporaryFolder { folder in
            for version: UInt32 in [2, 3] {
                let path = folder + "/\(version).gguf"
                let file = FileBytes.header(version: version, tensors: 1, entries: 0)
                    .tensor("x", [3]).data(12)
                try store(file.bytes, at: path)
                #expect(try GGUFReader(path: path).floats("x") == [0, 0, 0])
            }
            try store(none.bytes, at: folder + "/none.gguf")
            #expect(try GGUFReader(path: folder + "/none.gguf").tensors.isEmpty)
        }
    }

    @Test(arguments: [1, 1 << 20, 1 << 60, UInt64(Int.max), .max])
    func refusesCountsThatCannotBe(_ count: UInt64) throws {
        let entry = FileBytes.header(tensors: 0, entries: 1)
        try expect([
            (
                FileBytes.header(tensors: count, entries: 0),
                .tooMany(what: "tensors", got: count, remainingBytes: 0)
            ),
            (
                FileBytes.header(tensors: 0, entries: count),
                .tooMany(what: "metadata entries", got: count, remainingBytes: 0)
            ),
            (
                entry.u64(count + (count == 1 ? 5 : 0)).raw([1, 2, 3, 4, 5]),
                .tooMany(
                    what: "bytes for a metadata key", got: count + (count == 1 ? 5 : 0),
                    remainingBytes: 5)
            ),
            (
                entry.text("k").u32(8).u64(count),
                .tooMany(what: "bytes for metadata k", got: count, remainingBytes: 0)
            ),
            (
                entry.text("k").u32(9).u32(8).u64(count).raw([1, 2, 3]),
                .tooMany(what: "values of metadata k", got: count, remainingBytes: 3)
            ),
            (
                entry.text("k").u32(9).u32(12).u64(count).raw([1, 2, 3]),
                .tooMany(what: "values of metadata k", got: count, remainingBytes: 3)
            ),
        ])
    }

    @Test func refusesBadMetadata() throws {
        let one = FileBytes.header(tensors: 0, entries: 1)
        let two = FileBytes.header(tensors: 0, entries: 2)
        let alignment = one.text("general.alignment")
        try expect([
            (one.text("").u32(0).raw([1]), .emptyKey),
            (one.u64(2).raw([0xC3, 0x28]).u32(4).u32(1), .notText(what: "a metadata key")),
            (one.text("k").u32(8).u64(1).raw([0xFF]), .notText(what: "metadata k")),
            (
                two.text("k").u32(4).u32(1).text("k").u32(8).text("v"), .duplicateKey("k")
            ),
            (one.text("k").u32(13).u64(0), .unknownValueType(key: "k", got: 13)),
            (one.text("k").u32(9).u32(13).u64(0), .unknownValueType(key: "k", got: 13)),
            (one.text("k").u32(9).u32(9).u64(1).u32(0).u64(0), .nestedArray(key: "k")),
            (one.text("k").u32(7).raw([2]), .notBoolean(key: "k", got: 2)),
            (one.text("k").u32(9).u32(7).u64(2).raw([1, 3]), .notBoolean(key: "k", got: 3)),
            (alignment.u32(4).u32(0), .badAlignment(got: "0")),
            (alignment.u32(4).u32(48), .badAlignment(got: "48")),
            (alignment.u32(10).u64(32), .badAlignment(got: "U64")),
        ])
    }

    @Test func refusesBadTensors() throws {
        let one = FileBytes.header(tensors: 1, entries: 0)
        let two = FileBytes.header(tensors: 2, entries: 0)
        let long = String(repeating: "n", count: 65)
        let huge: UInt64 = 1 << 60
        try expect([
            (one.tensor("", [8]).data(32), .badTensorName(got: 0, limit: 64)),
            (one.tensor(long, [8]).data(32), .badTensorName(got: 65, limit: 64)),
            (
                two.tensor("x", [8]).tensor("x", [8], offset: 32).data(64), .duplicateTensor("x")
            ),
            (
                one.tensor("x", []).data(64), .badDimensionCount(tensor: "x", got: 0)
            ),
            (
                one.tensor("x", [1, 1, 1, 1, 1]).data(64),
                .badDimensionCount(tensor: "x", got: 5)
            ),
            (
                one.text("x").u32(.max).data(64), .badDimensionCount(tensor: "x", got: .max)
            ),
            (one.tensor("x", [4, 0]).data(64), .badShape(tensor: "x", got: [4, 0])),
            (one.tensor("x", [huge, 8]).data(64), .badShape(tensor: "x", got: [huge, 8])),
            (one.tensor("x", [.max]).data(64), .badShape(tensor: "x", got: [.max])),
            (
                one.tensor("x", [huge * 4]).data(64), .badShape(tensor: "x", got: [huge * 4])
            ),
            (
                one.tensor("x", [huge]).data(64),
                .outsideFile(tensor: "x", end: huge * 4, dataByteCount: 64)
            ),
            (one.tensor("x", [32], type: 10).data(64), .unreadableType(tensor: "x", got: 10)),
            (one.tensor("x", [32], type: 99).data(64), .unreadableType(tensor: "x", got: 99)),
            (
                one.tensor("x", [33, 32], type: 8).data(9999),
                .brokenRows(tensor: "x", rowLength: 33, type: .q80)
            ),
            (
                one.tensor("x", [128, 2], type: 12).data(9999),
                .brokenRows(tensor: "x", rowLength: 128, type: .q4K)
            ),
        ])
    }

    @Test func refusesBadPlaces() throws {
        let one = FileBytes.header(tensors: 1, entries: 0)
        let two = FileBytes.header(tensors: 2, entries: 0)
        try expect([
            (
                one.tensor("x", [8], offset: 8).data(64),
                .unaligned(tensor: "x", offset: 8, alignment: 32)
            ),
            (
                one.tensor("x", [9], offset: 32).data(64),
                .outsideFile(tensor: "x", end: 68, dataByteCount: 64)
            ),
            (
                one.tensor("x", [8], offset: .max - 31).data(64),
                .outsideFile(tensor: "x", end: .max, dataByteCount: 64)
            ),
            (
                one.tensor("x", [8]), .outsideFile(tensor: "x", end: 32, dataByteCount: 0)
            ),
            (
                two.tensor("x", [9]).tensor("y", [8], offset: 32).data(64),
                .overlap(tensor: "y", offset: 32, previousEnd: 36)
            ),
            (
                two.tensor("x", [8], offset: 32).tensor("y", [9]).data(64),
                .overlap(tensor: "x", offset: 32, previousEnd: 36)
            ),
            (
                two.tensor("x", [8]).tensor("y", [8]).data(64),
                .overlap(tensor: "y", offset: 0, previousEnd: 32)
            ),
        ])
    }

    @Test func readsOtherAlignments() throws {
        let key = "general.alignment"
        try withTemporaryFolder { folder in
            for alignment in [1, 8, 4096] {
                let path = folder + "/\(alignment).gguf"
                let file = FileBytes.header(tensors: 2, entries: 1)
                    .text(key).u32(4).u32(UInt32(alignment))
                    .tensor("y", [1], offset: UInt64(max(4, alignment))).tensor("x", [1])
                    .data(max(4, alignment), alignment: alignment).raw([0, 0, 0x80, 0x3F])
                try store(file.bytes, at: path)
                let reader = try GGUFReader(path: path)
                #expect(try reader.floats("x") == [0])
                #expect(try reader.floats("y") == [1])
            }
        }
    }
}
