import FalconGGUF
import FalconSystem
import FalconTestSupport
import Testing

@Suite struct GGUFReaderTests {
    @Test func readsFilesOfGGUFPython() throws {
        let reader = try GGUFReader(path: fixtures + "/sample.gguf")
        let metadata = reader.metadata
        #expect(metadata.entries.first?.key == "general.architecture")
        #expect(try metadata.string("general.architecture") == "sample")
        #expect(metadata["value.uint8"] == .uint8(200))
        #expect(metadata["value.int8"] == .int8(-100))
        #expect(metadata["value.uint16"] == .uint16(60000))
        #expect(metadata["value.int16"] == .int16(-30000))
        #expect(metadata["value.uint32"] == .uint32(4_000_000_000))
        #expect(metadata["value.int32"] == .int32(-2_000_000_000))
        #expect(metadata["value.float32"] == .float32(0.1))
        #expect(metadata["value.bool"] == .boolean(true))
        #expect(metadata["value.string"] == .string("Grüße, 世界"))
        #expect(metadata["value.uint64"] == .uint64(.max))
        #expect(metadata["value.int64"] == .int64(.min))
        #expect(metadata["value.float64"] == .float64(0.1))
        #expect(try metadata.strings("list.strings") == ["a", "", "\u{2581}the", "\0"])
        #expect(try metadata.floats("list.floats") == [0.5, -1, 1e10])
        #expect(try metadata.integers("list.integers") == [1, -2, 3])
        #expect(metadata["list.flags"] == .array(.boolean([true, false, true])))

        #expect(
            reader.tensors == [
                GGUFTensor(name: "vector", shape: [5], type: .float32),
                GGUFTensor(name: "matrix", shape: [3, 7], type: .float16),
                GGUFTensor(name: "cube", shape: [2, 3, 4], type: .bfloat16),
                GGUFTensor(name: "row", shape: [1, 64], type: .q80),
                GGUFTensor(name: "four", shape: [2, 1, 3, 32], type: .q40),
            ])
        let values = try reader.tensors.flatMap { try reader.floats($0.name) }
        let want = try floats(ofFixture: "sample.f32")
        #expect(values.map(\.bitPattern) == want.map(\.bitPattern))
    }

    @Test func readsRows() throws {
        let reader = try GGUFReader(path: fixtures + "/sample.gguf")
        let all = try reader.floats("four")
        for rows in [0..<6, 0..<0, 2..<3, 1..<5, 6..<6] {
            var part = [Float](repeating: .nan, count: rows.count * 32)
            var span = part.mutableSpan
            try reader.readFloats("four", rows: rows, into: &span)
            #expect(part == Array(all[rows.lowerBound * 32..<rows.upperBound * 32]))
        }
        #expect(try reader.withBytes(of: "row") { $0.byteCount } == 68)
    }

    @Test func namesWhatIsMissingOrOfAnotherType() throws {
        let path = fixtures + "/sample.gguf"
        let reader = try GGUFReader(path: path)
        let metadata = reader.metadata
        #expect(reader.tensor(named: "column") == nil)
        #expect(problem { _ = try reader.floats("column") } == .missingTensor("column"))
        #expect(
            problem { _ = try metadata.string("general.name") }
                == .missingKey("general.name", want: "STRING"))
        #expect(
            problem { _ = try metadata.integer("value.float32") }
                == .wrongValueType(key: "value.float32", got: "F32", want: "a whole number"))
        #expect(
            problem { _ = try metadata.integer("value.uint64") }
                == .wrongValueType(key: "value.uint64", got: "U64", want: "a whole number"))
        #expect(
            problem { _ = try metadata.floats("list.integers") }
                == .wrongValueType(key: "list.integers", got: "array of I32", want: "array of F32"))
        #expect(try metadata.integer("value.int16") == -30000)
        #expect(try metadata.number("value.float32") == Double(Float(0.1)))
        #expect(try metadata.boolean("value.bool"))
        do {
            _ = try metadata.boolean("value.int8")
        } catch {
            #expect(error.description.hasPrefix("\(path): metadata value.int8 is I8, want BOOL; "))
            #expect(error.exitStatus == .badData)
        }
        #expect(throws: FileError.missing(path: "/nowhere.gguf")) {
            try GGUFReader(path: "/nowhere.gguf")
        }
    }

    @Test func refusesEveryTruncation() throws {
        let whole = try load(fixtures + "/sample.gguf")
        let reader = try GGUFReader(path: fixtures + "/sample.gguf")
        // After the last tensor only padding follows.
        let padding = (32 - (reader.tensors.last?.byteCount ?? 0) % 32) % 32
        try withTemporaryFolder { folder in
            let path = folder + "/cut.gguf"
            for count in 0..<whole.count - padding {
                try store(Array(whole[..<count]), at: path)
                #expect(throws: GGUFError.self, "\(count) bytes") { try GGUFReader(path: path) }
            }
            try store(Array(whole[..<(whole.count - padding)]), at: path)
            #expect(try GGUFReader(path: path).tensors == reader.tensors)
        }
    }

    @Test func survivesEveryDamagedByte() throws {
        let whole = try load(fixtures + "/sample.gguf")
        let tensors = try GGUFReader(path: fixtures + "/sample.gguf").tensors
        let dataByteCount = tensors.reduce(0) { $0 + ($1.byteCount + 31) / 32 * 32 }
        try withTemporaryFolder { folder in
            let path = folder + "/damaged.gguf"
            for index in 0..<whole.count - dataByteCount {
                for value: UInt8 in [0x7F, 0xFF] {
                    var bytes = whole
                    bytes[index] = value
                    try store(bytes, at: path)
                    guard let reader = try? GGUFReader(path: path) else { continue }
                    for tensor in reader.tensors { _ = try reader.floats(tensor.name) }
                }
            }
        }
    }
}
