import FalconCheckpoint
import FalconGGUF
import FalconModel
import FalconSystem
import FalconTensor
import FalconTestSupport
import Testing

@testable import FalconInterchange

/// A shape of a model, made from a golden one.
struct RoundTripShape: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let golden: String
    let settings: @Sendable (inout FalconH1Configuration) -> Void

    static let all: [RoundTripShape] =
        [false, true].flatMap { hasNorm in
            [1, 2].flatMap { groups in
                [false, true].map { isTied in
                    RoundTripShape(
                        testDescription:
                            "H1, gated norm \(hasNorm), \(groups) groups, tied \(isTied)",
                        golden: "rms_g2_untied"
                    ) {
                        $0.mambaRmsNorm = hasNorm
                        $0.mambaNGroups = groups
                        $0.tieWordEmbeddings = isTied
                    }
                }
            }
        }
        + goldenModelNames.filter { $0 != "rms_g2_untied" }.map { name in
            RoundTripShape(testDescription: name, golden: name) { _ in }
        }

    func configuration() throws -> ModelConfiguration {
        let read = try HuggingFaceConfiguration(folder: goldenModels + "/" + golden).model
        guard var sizes = read.falconH1 else { return read }
        settings(&sizes)
        return ModelConfiguration(sizes)
    }

    /// A checkpoint with random weights.
    func writeCheckpoint(
        _ path: String, scale: (name: String, factor: Float)? = nil
    ) throws -> ModelFiles {
        let configuration = try configuration()
        let model = configuration.makeModel()
        model.allocate(on: Device(threadCount: 1), withGradients: false)
        model.table.initialize(seed: 11)
        for parameter in model.table.parameters where parameter.name == scale?.name {
            parameter.value.upload(parameter.value.toArray().map { $0 * (scale?.factor ?? 1) })
        }
        let contents = CheckpointContents(
            step: 0, tokens: 0,
            parameters: model.table.parameters.map {
                CheckpointParameter(name: $0.name, shape: $0.shape, role: $0.role.rawValue)
            }, configuration: try configuration.encoded())
        try CheckpointWriter(contents, to: path).finish { _, tensor, emit in
            let parameter = model.table.parameters.first { $0.name == tensor.name }
            try parameter?.value.download(emit)
        }
        return try ModelFiles.open(path)
    }
}

/// A model through files of other programs and back.
@Suite struct RoundTripTests {
    /// Import, export, import: the same bits; for float32 those of the original too.
    @Test(
        arguments: RoundTripShape.all,
        [(ElementType.float32, 1 << 30), (.float32, 9000), (.bfloat16, 1 << 30), (.bfloat16, 5000)])
    func importsOfExportsAreTheSameBits(
        _ shape: RoundTripShape, _ kind: (type: ElementType, limit: Int)
    ) throws {
        try withTemporaryFolder { folder in
            let original = try shape.writeCheckpoint(folder + "/original")
            var export = HuggingFaceExport()
            (export.weightType, export.shardByteLimit) = kind
            let written = try export.write(original, to: folder + "/first")
            #expect(
                (written.contains { $0.name.hasSuffix(".index.json") }) == (kind.limit < 1 << 20))
            try ModelImport.write(ModelFiles.open(folder + "/first"), to: folder + "/imported")
            let imported = try ModelFiles.open(folder + "/imported")
            #expect(try imported.configuration.functionalEquals(original.configuration))
            for parameter in original.configuration.makeModel().table.parameters {
                let wanted = try original.floats(parameter).map {
                    kind.type == .float32 ? $0 : floatFromBFloat16(bfloat16Bits($0))
                }
                let got = try imported.floats(parameter)
                #expect(got.map(\.bitPattern) == wanted.map(\.bitPattern), "\(parameter.name)")
            }
            // Once more: the files themselves, but for the card, which names the folder.
            let again = try export.write(imported, to: folder + "/second")
            #expect(again.map(\.name) == written.map(\.name))
            for (file, other) in zip(again, written) where file.name != "README.md" {
                #expect(file.sha256 == other.sha256, "\(file.name)")
            }
        }
    }

    /// GGUF and back: the logits of the model, to what folding and −e^x round.
    @Test(
        arguments: RoundTripShape.all.filter {
            // llama.cpp's mamba has twice as many channels as the residual stream.
            !["mamba_odd_untied", "mamba_wide_state"].contains($0.testDescription)
        })
    func ggufFilesHoldTheSameFunction(_ shape: RoundTripShape) throws {
        try withTemporaryFolder { folder in
            let original = try shape.writeCheckpoint(folder + "/original")
            _ = try GGUFExport(.float32, threadCount: 1).write(original, to: folder + "/model.gguf")
            let written = try ModelFiles.open(folder + "/model.gguf")
            let device = Device(threadCount: 2)
            let check = try ExportCheck(original, written, on: device)
            // One epsilon serves all norms of a file; the golden model with the class's defaults has two.
            let limit = shape.golden == "mamba_tied" ? 1e-3 : 1e-5
            #expect(check.relativeDifference <= limit)
            #expect(check.tokens == 64)
            // The block types round; the file still opens and computes nearly the same.
            _ = try GGUFExport(.q80, threadCount: 2).write(original, to: folder + "/q8.gguf")
            let rounded = try ExportCheck(
                original, ModelFiles.open(folder + "/q8.gguf"), on: device)
            #expect(rounded.relativeDifference < 0.2)
            #expect(rounded.relativeDifference > limit / 1000)
        }
    }

    /// Weights read block by block give the logits of the model in memory.
    @Test(arguments: RoundTripShape.all) func streamedModelsAreEqual(
        _ shape: RoundTripShape
    ) throws {
        try withTemporaryFolder { folder in
            let files = try shape.writeCheckpoint(folder + "/original")
            let device = Device(threadCount: 2)
            let model = files.configuration.makeModel()
            model.allocate(on: device, withGradients: false)
            for parameter in model.table.parameters {
                try parameter.value.upload { elements, values in
                    try files.weights.readFloats(
                        parameter.name, elements: elements, into: &values)
                }
            }
            let prompts: [[Int32]] = [[5, 1, 60, 7, 7, 2], [3], [9, 8, 7, 6]]
            var tape = Tape(on: device, isRecording: false)
            let hidden = model.hidden(
                device.indices(prompts.flatMap { $0 }), segments: Segments(offsets: [0, 6, 7, 11]),
                on: &tape)
            let wanted = model.logits(hidden, on: &tape).toArray()
            var got: [Float] = []
            try StreamedModel(files, on: device).logits(of: prompts) { range, logits in
                #expect(range == 0..<61)
                got += logits.toArray()
            }
            #expect(got == wanted)
        }
    }

    /// A projection whose inputs are beyond float16 is written in a type of wide range, and no other is.
    @Test(
        arguments: [false, true], [(GGUFFileType.float16, "F16", "F32"), (.q80, "Q8_0", "BF16")])
    func largeScanOutputsGetAWideType(
        isLarge: Bool, _ kind: (type: GGUFFileType, usual: String, wide: String)
    ) throws {
        try withTemporaryFolder { folder in
            let shape = try #require(
                RoundTripShape.all.first {
                    $0.testDescription == "H1, gated norm false, 1 groups, tied false"
                })
            let original = try shape.writeCheckpoint(
                folder + "/original", scale: ("model.layers.1.mamba.D", isLarge ? 1e7 : 1))
            _ = try GGUFExport(kind.type, threadCount: 1).write(
                original, to: folder + "/model.gguf")
            let types = try GGUFReader(path: folder + "/model.gguf").tensors
                .filter { $0.name.hasSuffix("ssm_out.weight") }
            #expect(types.map(\.name) == ["blk.0.ssm_out.weight", "blk.1.ssm_out.weight"])
            #expect(types.map(\.type.name) == [kind.usual, isLarge ? kind.wide : kind.usual])
        }
    }

    @Test func whatGGUFCannotHoldIsRefused() throws {
        try withTemporaryFolder { folder in
            let shape = try #require(
                RoundTripShape.all.first { $0.testDescription == "mamba_odd_untied" })
            let original = try shape.writeCheckpoint(folder + "/original")
            #expect {
                try GGUFExport(.float32, threadCount: 1).write(original, to: folder + "/m.gguf")
            } throws: {
                "\($0)".contains("36 channels") && "\($0)".contains("2 * hidden_size = 40")
            }
            #expect(try names(folder) == ["original"])
        }
    }
}

extension ModelConfiguration {
    fileprivate func functionalEquals(_ other: ModelConfiguration) throws -> Bool {
        try functionalDifferences(from: other).isEmpty
    }
}
