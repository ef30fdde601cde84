import FalconGGUF
import FalconTestSupport
import Testing

@Suite struct GGMLTypeTests {
    /// A line of blocks.txt and its place in blocks.bin.
    struct Sample {
        var type: GGMLType
        var bytes: [UInt8]
        var hash: UInt64
    }

    static func samples() throws -> [Sample] {
        let all = try load(fixtures + "/blocks.bin")
        let floats = try load(fixtures + "/samples.f32")
        var start = 0
        return try lines(ofFixture: "blocks.txt").map { line in
            let parts = line.split(separator: " ").map(String.init)
            let type = try #require(GGMLType.allCases.first { $0.name == parts[0] })
            let count = try #require(Int(parts[2]))
            let hash = try #require(UInt64(parts[3], radix: 16))
            if type == .float32 { return Sample(type: type, bytes: floats, hash: hash) }
            defer { start += count }
            return Sample(type: type, bytes: Array(all[start..<start + count]), hash: hash)
        }
    }

    @Test func storesTheBytesOfLlamaCPP() throws {
        let values = try floats(ofFixture: "samples.f32")
        let samples = try Self.samples()
        #expect(Set(samples.map(\.type)) == Set(GGMLType.allCases))
        for sample in samples {
            let size = sample.type.blockByteCount
            let bytes = sample.type.bytes(of: values)
            let wrong = stride(from: 0, to: bytes.count, by: size).filter {
                bytes[$0..<$0 + size] != sample.bytes[$0..<$0 + size]
            }
            #expect(wrong.isEmpty, "\(sample.type.name): blocks differ at \(wrong.prefix(5))")
        }
    }

    @Test func readsTheValuesOfGGUFPython() throws {
        for sample in try Self.samples() {
            let values = sample.type.values(of: sample.bytes)
            #expect(hash(values) == sample.hash, "\(sample.type.name)")
        }
    }

    @Test(arguments: GGMLType.allCases) func storingTwiceChangesLittle(_ type: GGMLType) {
        // An odd number of blocks, among them none.
        for blocks in [0, 1, 3, 5] {
            var random = LinearGenerator(seed: UInt64(blocks))
            let values = random.weights(blocks * type.blockLength)
            let read = type.values(of: type.bytes(of: values))
            // A block of four bits spans about five standard deviations in 16 steps.
            #expect(largestDifference(values, read) <= 0.3, "\(type.name)")
            if !type.isQuantized {
                #expect(type.values(of: type.bytes(of: read)) == read, "\(type.name)")
            }
        }
    }

    @Test(arguments: GGMLType.allCases) func keepsZerosAndConstants(_ type: GGMLType) {
        let zeros = [Float](repeating: 0, count: 256)
        #expect(type.values(of: type.bytes(of: zeros)) == zeros)
        let negativeZeros = [Float](repeating: -0.0, count: 256)
        #expect(type.values(of: type.bytes(of: negativeZeros)) == zeros)
        for constant: Float in [0.5, -0.5] {
            let values = [Float](repeating: constant, count: 256)
            for value in type.values(of: type.bytes(of: values)) {
                #expect(abs(value - constant) < 1e-3, "\(type.name)")
            }
        }
    }

    @Test func keepsWhatFloatTypesCanHold() {
        let special: [Float] = [.infinity, -.infinity, -0.0, 0x1p-24, 0x1p-25, 65504]
        for type in [GGMLType.float16, .bfloat16, .float32] {
            let read = type.values(of: type.bytes(of: special + [.nan]))
            #expect(read.last?.isNaN == true)
            #expect(read[0] == .infinity && read[1] == -.infinity)
            #expect(read[2].sign == .minus && read[2] == 0)
            #expect(read[3] == 0x1p-24)
        }
        for bits in UInt16.min ... .max {
            let value = Float(Float16(bitPattern: bits))
            guard !value.isNaN else { continue }
            let bytes = GGMLType.float16.bytes(of: [value])
            #expect(UInt16(bytes[0]) | UInt16(bytes[1]) << 8 == bits)
            #expect(GGMLType.float16.values(of: bytes)[0].bitPattern == value.bitPattern)
        }
        var random = LinearGenerator(seed: 5)
        for _ in 0..<10_000 {
            let value = Float(bitPattern: UInt32(truncatingIfNeeded: random.next() >> 32))
            guard !value.isNaN else { continue }
            let bits = Float16(value).bitPattern
            let bytes = GGMLType.float16.bytes(of: [value])
            #expect(UInt16(bytes[0]) | UInt16(bytes[1]) << 8 == bits, "\(value)")
        }
    }

    @Test func knowsSizes() {
        #expect(GGMLType.q4K.byteCount(elements: 512) == 288)
        #expect(GGMLType.q6K.byteCount(elements: 0) == 0)
        #expect(GGMLType(rawValue: 30) == .bfloat16)
        #expect(GGMLType(rawValue: 4) == nil)
    }
}
