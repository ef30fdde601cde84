import FalconCheckpoint
import FalconSystem
import FalconTestSupport
import FoundationEssentials
import Testing

/// The values behind the fixtures; see `scripts/fixtures/safetensors_samples.py`.
let sampleValues: [Float] = [
    0.0, -0.0, 1.0, -1.5, 1.00390625, 1.01171875, 1.00048828125, 1.00146484375, 3.14159274,
    65504.0, 65519.0, 65520.0, 1e-7, 6e-8, 0x1p-25, 3.3895314e38, 3.4028235e38,
    Float(bitPattern: 71362),
    .infinity, -.infinity,
]

@Suite struct SafetensorsReaderTests {
    @Test func readsFilesOfThePythonLibrary() throws {
        let doubleSubnormal = Double(bitPattern: 1 << 34)
        let reader = try SafetensorsReader(path: fixtures + "/mixed.safetensors")
        #expect(reader.metadata == ["format": "pt"])
        #expect(reader.tensors.count == 8)
        #expect(reader.tensor(named: "float32")?.shape == [4, 5])
        #expect(try reader.floats("float32").map(\.bitPattern) == sampleValues.map(\.bitPattern))
        #expect(try reader.floats("float16") == sampleValues.map { Float(Float16($0)) })
        #expect(try reader.floats("bfloat16")[4] == 1.0)
        #expect(try reader.floats("bfloat16")[5] == 1.015625)
        #expect(try reader.floats("bfloat16")[16] == .infinity)
        #expect(try reader.doubles("float64") == [1.0, 0.1, 1e300, -doubleSubnormal])
        #expect(try reader.floats("float64") == [1.0, 0.1, .infinity, -0.0])
        #expect(try reader.integers("int64") == [-1, 1 << 62, 0, 7])
        #expect(try reader.floats("scalar") == [2.5])
        #expect(reader.tensor(named: "scalar")?.shape == [])
        #expect(try reader.floats("empty") == [])
    }

    @Test func refusesTypesThatAreNotAskedFor() throws {
        let reader = try SafetensorsReader(path: fixtures + "/mixed.safetensors")
        #expect(
            problems { _ = try reader.floats("uint8") } == [
                .unreadableType(tensor: "uint8", got: .uint8, want: "F32, BF16, F16 or F64")
            ])
        #expect(
            problems { _ = try reader.doubles("float32") } == [
                .unreadableType(tensor: "float32", got: .float32, want: "F64")
            ])
        #expect(
            problems { _ = try reader.floats("float33") } == [
                .missingTensor("float33", like: "float32")
            ])
    }

    static let entry = #""x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}"#

    @Test(
        arguments: [
            ("", 0, .fileTooShort(byteCount: 8)),
            ("[1,2]", 0, .headerNotJSON("not a JSON object: it does not begin with '{'")),
            (" {}", 0, .headerNotJSON("not a JSON object: it does not begin with '{'")),
            (
                "{\(entry)", 8,
                .headerNotJSON(
                    "not valid JSON at byte \(entry.utf8.count + 1): expected ',' or '}'")
            ),
            (
                "{\(entry),\(entry)}", 8,
                .headerNotJSON(
                    "not valid JSON at byte \(entry.utf8.count + 5): the key \"x\" occurs twice")
            ),
            (#"{"__metadata__":{"a":1}}"#, 0, .metadataNotText(key: "a")),
            (#"{"__metadata__":[]}"#, 0, .metadataNotText(key: "__metadata__")),
            (
                #"{"x":7}"#, 0,
                .malformedEntry(tensor: "x", reason: "its entry is a number, not an object")
            ),
            (
                #"{"x":{"shape":[2],"data_offsets":[0,8]}}"#, 8,
                .malformedEntry(tensor: "x", reason: "it has no dtype")
            ),
            (
                #"{"x":{"dtype":"F31","shape":[2],"data_offsets":[0,8]}}"#, 8,
                .unknownType(tensor: "x", type: "F31")
            ),
            (
                #"{"x":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}"#, 8,
                .malformedEntry(
                    tensor: "x", reason: "its shape is not a list of whole numbers >= 0")
            ),
            (
                #"{"x":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}}"#, 8,
                .malformedEntry(
                    tensor: "x", reason: "its shape is not a list of whole numbers >= 0")
            ),
            (
                #"{"x":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}"#, 8,
                .malformedEntry(
                    tensor: "x",
                    reason: "its data_offsets are not [begin, end] with 0 <= begin <= end")
            ),
            (
                #"{"x":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}}"#, 8,
                .malformedEntry(
                    tensor: "x",
                    reason: "its shape [4294967296, 4294967296] is larger than any file")
            ),
            (
                #"{"x":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}"#, 8,
                .sizeMismatch(tensor: "x", got: 8, want: 12)
            ),
            ("{\(entry)}", 7, .outsideBuffer(tensor: "x", end: 8, bufferBytes: 7)),
            ("{\(entry)}", 9, .bytesAfterLastTensor(got: 9, want: 8)),
            ("{}", 1, .bytesAfterLastTensor(got: 1, want: 0)),
            (
                #"{\#(entry),"y":{"dtype":"U8","shape":[1],"data_offsets":[9,10]}}"#, 10,
                .hole(tensor: "y", begin: 9, want: 8)
            ),
            (
                #"{\#(entry),"y":{"dtype":"U8","shape":[3],"data_offsets":[7,10]}}"#, 10,
                .overlap(tensor: "y", begin: 7, previousEnd: 8)
            ),
        ] as [(String, Int, CheckpointProblem)])
    func namesTheRuleThatIsBroken(
        header: String, dataBytes: Int, problem: CheckpointProblem
    ) throws {
        try withTemporaryFolder { folder in
            let path = folder + "/x.safetensors"
            try store(safetensors(header: header, dataBytes: dataBytes), at: path)
            #expect(problems { _ = try SafetensorsReader(path: path) } == [problem])
        }
    }

    @Test(arguments: [UInt64.max, 1 << 63, 100_000_001])
    func refusesHugeHeadersAtOnce(claimed: UInt64) throws {
        try withTemporaryFolder { folder in
            let path = folder + "/x.safetensors"
            try store(safetensors(header: "{}", claimedHeaderBytes: claimed), at: path)
            #expect(
                problems { _ = try SafetensorsReader(path: path) } == [
                    .headerTooLong(byteCount: claimed, limit: 100_000_000)
                ])
        }
    }

    @Test func refusesAHeaderBeyondTheFile() throws {
        try withTemporaryFolder { folder in
            let path = folder + "/x.safetensors"
            try store(safetensors(header: "{}", claimedHeaderBytes: 3), at: path)
            #expect(
                problems { _ = try SafetensorsReader(path: path) } == [
                    .headerOutsideFile(headerBytes: 3, fileBytes: 10)
                ])
        }
    }

    @Test func reportsAllProblemsTogether() throws {
        try withTemporaryFolder { folder in
            let path = folder + "/x.safetensors"
            let header = #"""
                {"a":{"dtype":"F0","shape":[],"data_offsets":[0,0]},
                "b":{"dtype":"F32","shape":[9],"data_offsets":[0,4]},
                "c":{"dtype":"F32","shape":[9],"data_offsets":[4,40]}}
                """#
            try store(safetensors(header: header, dataBytes: 4), at: path)
            let found = problems { _ = try SafetensorsReader(path: path) }
            #expect(
                found == [
                    .unknownType(tensor: "a", type: "F0"),
                    .sizeMismatch(tensor: "b", got: 4, want: 36),
                    .outsideBuffer(tensor: "c", end: 40, bufferBytes: 4),
                ])
        }
    }

    @Test func namesAMissingFile() {
        #expect(throws: FileError.missing(path: "/nowhere.safetensors")) {
            try SafetensorsReader(path: "/nowhere.safetensors")
        }
    }

    @Test func strictMatchNamesEveryDifference() throws {
        let reader = try SafetensorsReader(path: fixtures + "/mixed.safetensors")
        let found = problems {
            try reader.requireExactly([
                TensorDescription(name: "float32", shape: [5, 4]),
                TensorDescription(name: "float", shape: []),
                TensorDescription(name: "float16", shape: [20]),
                TensorDescription(name: "uint8", shape: [3]),
            ])
        }
        #expect(
            Set(found.map(\.description)) == [
                "tensor float32: its shape is [4, 5], want [5, 4]",
                "tensor float is missing; did you mean float64?",
                "tensor uint8: its dtype is U8, want F32, BF16, F16 or F64",
                "tensor bfloat16 is not part of the model",
                "tensor float64 is not part of the model",
                "tensor int64 is not part of the model", "tensor scalar is not part of the model",
                "tensor empty is not part of the model",
            ])
    }

    @Test func similarNamesAreLookedForAFewTimesOnly() throws {
        let reader = try SafetensorsReader(path: fixtures + "/mixed.safetensors")
        let wanted = (0..<1000).map { TensorDescription(name: "float3\($0)", shape: []) }
        let suggested = problems { try reader.requireExactly(wanted) }.filter {
            if case .missingTensor(_, let like) = $0 { like != nil } else { false }
        }
        #expect((1...40).contains(suggested.count))
    }
}
