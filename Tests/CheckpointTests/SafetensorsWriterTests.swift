import FalconCheckpoint
import FalconSystem
import FalconTestSupport
import FoundationEssentials
import Testing

@Suite struct SafetensorsWriterTests {
    @Test func writesTheBytesOfThePythonLibrary() throws {
        try withTemporaryFolder { folder in
            let values = sampleValues
            let path = folder + "/floats.safetensors"
            var writer = try SafetensorsWriter(
                path: path,
                tensors: [
                    TensorDescription(name: "half", shape: [20], type: .float16),
                    TensorDescription(name: "b.weight", shape: [4, 5]),
                    TensorDescription(name: "brain", shape: [20], type: .bfloat16),
                    TensorDescription(name: "quoted \"name\"\n", shape: [1]),
                    TensorDescription(name: "empty", shape: [0, 3]),
                    TensorDescription(name: "a.weight", shape: [5, 4]),
                ])
            while let tensor = writer.next {
                try writer.append(values.span.extracting(0..<tensor.elementCount))
            }
            let written = try writer.finish()
            let bytes = try load(path)
            #expect(bytes == (try load(fixtures + "/floats.safetensors")))
            #expect(written.name == "floats.safetensors")
            #expect(written.byteCount == bytes.count)
            #expect(written.sha256 == (try SHA256.hex(ofFile: path)))
        }
    }

    @Test func valuesMayComeInPieces() throws {
        try withTemporaryFolder { folder in
            let values = (0..<40_000).map { Float($0) * 0.37 - 5000 }
            for type in [ElementType.float32, .bfloat16, .float16] {
                let path = folder + "/\(type).safetensors"
                let tensor = TensorDescription(name: "x", shape: [200, 200], type: type)
                var writer = try SafetensorsWriter(path: path, tensors: [tensor])
                try writer.append(values.span.extracting(0..<1))
                try writer.append(values.span.extracting(1..<30_001))
                try writer.append(values.span.extracting(30_001..<40_000))
                _ = try writer.finish()
                let got = try SafetensorsReader(path: path).floats("x")
                let want = values.map { value in
                    switch type {
                    case .bfloat16: floatFromBFloat16(bfloat16Bits(value))
                    case .float16: Float(Float16(value))
                    default: value
                    }
                }
                #expect(got == want)
            }
        }
    }

    @Test(
        arguments: [
            (0x3F80_0000, 0x3F80), (0x3F80_7FFF, 0x3F80), (0x3F80_8000, 0x3F80),
            (0x3F80_8001, 0x3F81), (0x3F81_8000, 0x3F82), (0xBF81_8000, 0xBF82),
            (0x7F7F_FFFF, 0x7F80), (0x7F80_0000, 0x7F80), (0xFF80_0000, 0xFF80),
            (0x7F80_0001, 0x7FC0), (0xFFFF_FFFF, 0x7FC0), (0x0000_8000, 0x0000),
            (0x0000_8001, 0x0001), (0x8000_0000, 0x8000),
        ] as [(UInt32, UInt16)])
    func bfloat16RoundsToNearestEven(bits: UInt32, want: UInt16) {
        #expect(bfloat16Bits(Float(bitPattern: bits)) == want)
    }

    @Test func unfinishedFilesLeaveNothing() throws {
        try withTemporaryFolder { folder in
            let values = sampleValues
            do {
                var writer = try SafetensorsWriter(
                    path: folder + "/x.safetensors",
                    tensors: [TensorDescription(name: "x", shape: [20])])
                try writer.append(values.span)
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == [])
        }
    }

    @Test(arguments: [1, 80, 100, 160, 1000])
    func shardsReadAsOneSet(limit: Int) throws {
        try withTemporaryFolder { folder in
            let tensors = ["d", "a", "c", "b"].map { TensorDescription(name: $0, shape: [20]) }
            var writer = try WeightsWriter(folder: folder, tensors: tensors, shardByteLimit: limit)
            for tensor in writer.tensors {
                let values = sampleValues.map { $0 + Float(tensor.name.utf8.first ?? 0) }
                try writer.append(values.span)
            }
            let written = try writer.finish()
            let names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
            #expect(written.map(\.name).sorted() == names)
            #expect(written.count == [1: 5, 80: 5, 100: 5, 160: 3, 1000: 1][limit])
            for file in written {
                #expect(file.sha256 == (try SHA256.hex(ofFile: folder + "/" + file.name)))
            }
            let reader = try SafetensorsReader(path: folder)
            #expect(reader.tensors.count == 4)
            try reader.requireExactly(tensors)
            #expect(try reader.floats("c")[2] == 100)
        }
    }

    @Test func namesDisagreementsOfIndexAndShards() throws {
        try withTemporaryFolder { folder in
            let tensors = ["a", "b", "c"].map { TensorDescription(name: $0, shape: [2]) }
            var writer = try WeightsWriter(folder: folder, tensors: tensors, shardByteLimit: 16)
            for _ in tensors { try writer.append([1, 2].span) }
            _ = try writer.finish()
            let index = folder + "/model.safetensors.index.json"
            let first = "model-00001-of-00002.safetensors"
            let second = "model-00002-of-00002.safetensors"
            let map = "{\"a\":\"\(first)\",\"c\":\"\(first)\",\"z\":\"\(second)\"}"
            try store(Array("{\"weight_map\":\(map)}".utf8), at: index)
            #expect(
                problems { _ = try SafetensorsReader(path: folder) } == [
                    .tensorNotInShard(tensor: "c", file: first),
                    .tensorNotInShard(tensor: "z", file: second),
                    .tensorNotInIndex(tensor: "b", file: first),
                ])
            try store(Array("{\"weight_map\":{\"a\":\"../x\"}}".utf8), at: index)
            #expect(
                problems { _ = try SafetensorsReader(path: folder) } == [
                    .indexMalformed("\"weight_map\" gives no plain file name for a")
                ])
        }
    }
}
