import FalconGGUF
import FalconSystem
import FalconTestSupport
import FoundationEssentials
import Testing

@Suite struct GGUFWriterTests {
    /// Tensors of every type and of odd shapes, with values.
    static func tensors() -> [(tensor: GGUFTensor, values: [Float])] {
        var random = LinearGenerator(seed: 11)
        var tensors: [(tensor: GGUFTensor, values: [Float])] = []
        for type in GGMLType.allCases {
            let length = type.blockLength
            for shape in [[length], [1, 3 * length], [7, length], [2, 1, 5, length]] {
                let name = "\(type.name).\(tensors.count)"
                let tensor = GGUFTensor(name: name, shape: shape, type: type)
                tensors.append((tensor, random.weights(tensor.elementCount)))
            }
        }
        return tensors
    }

    @Test func writesWhatIsRead() throws {
        var metadata = GGUFMetadata()
        metadata["general.architecture"] = .string("sample")
        let values: [GGUFValue] = [
            .uint8(200), .int8(-100), .uint16(60000), .int16(-30000), .uint32(.max), .int32(.min),
            .uint64(.max), .int64(.min), .float32(0.1), .float64(0.1), .boolean(true),
            .boolean(false), .string(""), .string("Grüße\0"), .array(.uint8([1, 2])),
            .array(.int8([-1])), .array(.uint16([.max])), .array(.int16([.min])),
            .array(.uint32([])), .array(.int32([.min, 7])), .array(.uint64([.max])),
            .array(.int64([.min])), .array(.float32([0.5])), .array(.float64([0.1])),
            .array(.boolean([true, false])), .array(.string(["", "a", "\u{2581}b"])),
        ]
        for (number, value) in values.enumerated() { metadata["key.\(number)"] = value }
        let tensors = Self.tensors()
        try withTemporaryFolder { folder in
            let path = folder + "/written.gguf"
            let file = try write(tensors, metadata: metadata, to: path)
            let bytes = try load(path)
            #expect(file.name == "written.gguf")
            #expect(file.byteCount == bytes.count && bytes.count.isMultiple(of: 32))
            #expect(file.sha256 == SHA256.hex(of: bytes))
            let reader = try GGUFReader(path: path)
            #expect(reader.metadata == metadata)
            #expect(reader.tensors == tensors.map(\.tensor))
            for (number, (tensor, values)) in tensors.enumerated() {
                let read = try reader.floats(tensor.name)
                #expect(read == tensor.type.values(of: tensor.type.bytes(of: values)))
                let error = file.errors[number]
                #expect(error.tensor == tensor.name && error.type == tensor.type)
                let differences = zip(read, values).map { abs(Double($0 - $1)) }
                #expect(error.maximum == differences.max())
                let squares = differences.reduce(0) { $0 + $1 * $1 }
                let want = squares / values.reduce(0) { $0 + Double($1) * Double($1) }
                #expect(abs(error.relativeRootMeanSquare - want.squareRoot()) < 1e-12)
                #expect((error.maximum == 0) == (tensor.type == .float32))
            }
        }
    }

    @Test func bytesDoNotDependOnThreads() throws {
        // Three and a bit pieces of many rows, and rows longer than a piece.
        let shapes = [[3100, 256], [3, 1 << 18], [2, (1 << 18) + 256], [1, 256]]
        var random = LinearGenerator(seed: 3)
        let tensors = shapes.enumerated().map { number, shape in
            let tensor = GGUFTensor(
                name: "t\(number)", shape: shape, type: number == 1 ? .q6K : .q4K)
            // The same values over and over, but not in step with the rows.
            let values = random.weights(10_007)
            return (tensor, (0..<tensor.elementCount).map { values[$0 % values.count] })
        }
        try withTemporaryFolder { folder in
            var files: [GGUFWrittenFile] = []
            for threads in [1, 2, 3, 8] {
                // A file that is there already is never replaced.
                if threads > 1 { try FileManager.default.removeItem(atPath: folder + "/t.gguf") }
                files.append(try write(tensors, to: folder + "/t.gguf", threads: threads))
            }
            for file in files.dropFirst() {
                #expect(file.sha256 == files[0].sha256)
                #expect(file.errors == files[0].errors)
            }
            let reader = try GGUFReader(path: folder + "/t.gguf")
            for (tensor, values) in tensors {
                let want = tensor.type.values(of: tensor.type.bytes(of: values))
                #expect(try reader.floats(tensor.name) == want)
            }
        }
    }

    @Test func asksForAllRowsInOrderInPieces() throws {
        let tensors = [
            GGUFTensor(name: "a", shape: [9, 1 << 16], type: .float16),
            GGUFTensor(name: "b", shape: [5], type: .float32),
        ]
        try withTemporaryFolder { folder in
            var asked: [String] = []
            let writer = GGUFWriter(metadata: GGUFMetadata(), tensors: tensors)
            _ = try writer.write(to: folder + "/a.gguf", threads: 4) { number, rows, values in
                #expect(values.count == rows.count * tensors[number].rowLength)
                for index in values.indices { values[index] = 0 }
                asked.append("\(number): \(rows)")
            }
            #expect(asked == ["0: 0..<4", "0: 4..<8", "0: 8..<9", "1: 0..<1"])
        }
    }

    @Test(arguments: GGMLType.allCases) func refusesWhatSpoilsABlock(_ type: GGMLType) throws {
        let tensor = GGUFTensor(name: "spoilt", shape: [3, 256], type: type)
        for value in [Float.nan, .infinity, -.infinity] {
            var values = [Float](repeating: 1, count: 768)
            values[2 * 256 + 17] = value
            try withTemporaryFolder { folder in
                let path = folder + "/x.gguf"
                guard type.isQuantized else {
                    let file = try write([(tensor, values)], to: path)
                    #expect(file.errors[0].maximum == 0)
                    let read = try GGUFReader(path: path).floats("spoilt")
                    #expect(read[2 * 256 + 17].isNaN == value.isNaN && read[0] == 1)
                    return
                }
                let problem = try #require(problem { try write([(tensor, values)], to: path) })
                guard case .notFinite("spoilt", type, 2, 17, let got) = problem else {
                    Issue.record("\(problem)")
                    return
                }
                #expect(got == value || got.isNaN && value.isNaN)
                #expect(isEmpty(folder: folder))
            }
        }
    }

    @Test(arguments: [Float(1e9), 1e13, 1e38])
    func refusesWhatATypeCannotHold(_ size: Float) throws {
        for type in GGMLType.allCases {
            let tensor = GGUFTensor(name: "large", shape: [256], type: type)
            let values = (0..<256).map { $0 % 2 == 0 ? size : -size }
            try withTemporaryFolder { folder in
                let path = folder + "/x.gguf"
                if type == .float32 || type == .bfloat16 {
                    try write([(tensor, values)], to: path)
                } else {
                    #expect(
                        problem { try write([(tensor, values)], to: path) }
                            == .outOfRange(tensor: "large", type: type))
                }
            }
        }
    }

    @Test func leavesNothingBehindWhenValuesAreMissing() throws {
        struct Stop: Error {}
        let tensor = GGUFTensor(name: "x", shape: [8, 1 << 16], type: .float32)
        try withTemporaryFolder { folder in
            let path = folder + "/x.gguf"
            let writer = GGUFWriter(metadata: GGUFMetadata(), tensors: [tensor])
            #expect(throws: Stop.self) {
                _ = try writer.write(to: path, threads: 1) { _, rows, values in
                    if rows.lowerBound > 0 { throw Stop() }
                    for index in values.indices { values[index] = 0 }
                }
            }
            #expect(isEmpty(folder: folder))
        }
    }

    @Test func writesAFileWithoutTensors() throws {
        try withTemporaryFolder { folder in
            try write([], to: folder + "/none.gguf")
            let reader = try GGUFReader(path: folder + "/none.gguf")
            #expect(reader.tensors.isEmpty && reader.metadata.entries.isEmpty)
        }
    }

    @Test func metadataKeepsItsOrder() {
        var metadata = GGUFMetadata()
        metadata["a"] = .uint32(1)
        metadata["b"] = .uint32(2)
        metadata["c"] = .uint32(3)
        metadata["a"] = .uint32(4)
        metadata["b"] = nil
        metadata["missing"] = nil
        #expect(metadata.entries.map(\.key) == ["a", "c"])
        #expect(metadata["a"] == .uint32(4) && metadata["b"] == nil && metadata["c"] == .uint32(3))
    }
}
