import FalconGGUF
import Testing

@Suite struct GGUFFileTypeTests {
    @Test func choosesTheTypesOfLlamaCPP() throws {
        let lines = try lines(ofFixture: "types.txt")
        let fileTypes = try lines[0].split(separator: " ").dropFirst(2).map { name in
            try #require(GGUFFileType(name: String(name)))
        }
        #expect(Set(fileTypes) == Set(GGUFFileType.allCases))
        var architecture = ""
        var layerCount = 0
        var hasOutput = false
        var compared = 0
        for line in lines.dropFirst() {
            let parts = line.split(separator: " ").map(String.init)
            if parts[0] == "model" {
                architecture = parts[1]
                layerCount = try #require(Int(parts[2]))
                hasOutput = parts[3] == "1"
                continue
            }
            let shape = try parts[1].split(separator: "x").map { try #require(Int($0)) }
            try #require(parts.count == fileTypes.count + 2)
            for (fileType, want) in zip(fileTypes, parts.dropFirst(2)) {
                let type = fileType.tensorType(
                    name: parts[0], shape: shape, architecture: architecture,
                    layerCount: layerCount, hasOutput: hasOutput)
                #expect(
                    type.name == want,
                    "\(architecture) of \(layerCount): \(parts[0]) \(shape) in \(fileType.name)")
                #expect(shape.last?.isMultiple(of: type.blockLength) == true)
                compared += 1
            }
        }
        #expect(compared > 3000)
    }

    /// With others llama.cpp's products of large inputs overflow.
    @Test(arguments: [
        ("f32", 384, "F32"), ("f16", 384, "F32"), ("bf16", 384, "BF16"), ("q8_0", 384, "BF16"),
        ("q4_0", 384, "BF16"), ("q4_k_m", 384, "BF16"), ("q6_k", 384, "BF16"),
        ("q4_k_m", 512, "Q4_K"), ("q6_k", 512, "Q6_K"), ("q8_0", 512, "BF16"),
    ])
    func givesLargeInputsAWideType(fileType: String, rowLength: Int, want: String) throws {
        let type = try #require(GGUFFileType(name: fileType)).tensorType(
            name: "blk.1.ssm_out.weight", shape: [256, rowLength], architecture: "falcon-h1",
            layerCount: 6, hasOutput: true, needsWideRange: true)
        #expect(type.name == want)
    }

    @Test func hasNames() {
        #expect(GGUFFileType(name: "Q4_K_M") == .q4KM)
        #expect(GGUFFileType(name: "q5_k_m") == nil)
        #expect(GGUFFileType.q4KM.rawValue == 15)
        #expect(!GGUFFileType.bfloat16.isQuantized && GGUFFileType.q80.isQuantized)
    }
}
