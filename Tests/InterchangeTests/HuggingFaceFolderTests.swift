import FalconCheckpoint
import FalconInterchange
import FalconJSON
import FalconModel
import FalconSystem
import FalconTensor
import FalconTestSupport
import FalconTokenizer
import FoundationEssentials
import Testing

/// The names of a folder.
func names(_ folder: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
}

/// A copy of a golden model with the fixture's tokenizer, whose 640 pieces need more embeddings.
func makeFolder(_ path: String, tokenizer: Bool) throws {
    var object = try #require(
        try JSONValue(parsing: load(goldenModels + "/rms_g2_untied/config.json")).object)
    let source = try SafetensorsReader(path: goldenModels + "/rms_g2_untied/model.safetensors")
    try createFolder(path)
    object["vocab_size"] = .integer(640)
    let tensors = source.tensors.map { tensor in
        TensorDescription(
            name: tensor.name, shape: tensor.shape == [61, 24] ? [640, 24] : tensor.shape)
    }
    var writer = try SafetensorsWriter(path: path + "/model.safetensors", tensors: tensors)
    while let tensor = writer.next {
        let known = try source.floats(tensor.name)
        let values = (0..<tensor.elementCount).map { known[$0 % known.count] }
        try writer.append(values.span)
    }
    _ = try writer.finish()
    try Data(JSONValue.object(object).serialized().utf8)
        .write(to: URL(filePath: path + "/config.json"))
    if tokenizer {
        try FileManager.default.copyItem(
            atPath: fixtures + "/tokenizer/plain.model", toPath: path + "/tokenizer.model")
    }
}

@Suite struct HuggingFaceFolderTests {
    @Test(arguments: [ElementType.float32, .bfloat16, .float16], [1_000_000, 20_000])
    func importAndExportKeepEveryWeight(type: ElementType, limit: Int) throws {
        try withTemporaryFolder { folder in
            try makeFolder(folder + "/source", tokenizer: true)
            let source = try ModelFiles.open(folder + "/source")
            #expect(source.origin == .huggingFace)
            try ModelImport.write(source, to: folder + "/new/checkpoint")
            let imported = try ModelFiles.open(folder + "/new/checkpoint")
            #expect(imported.origin == .checkpoint(step: 0))
            #expect(imported.tokenizer?.files == source.tokenizer?.files)

            var export = HuggingFaceExport()
            export.weightType = type
            export.shardByteLimit = limit
            let files = try export.write(imported, to: folder + "/exported")
            #expect(files.map(\.name).sorted() == (try names(folder + "/exported")))
            let exported = try ModelFiles.open(folder + "/exported")
            #expect(exported.configuration == source.configuration)
            for tensor in source.configuration.makeModel().table.parameters {
                let want = try source.floats(tensor).map { value in
                    switch type {
                    case .bfloat16: floatFromBFloat16(bfloat16Bits(value))
                    case .float16: Float(Float16(value))
                    default: value
                    }
                }
                #expect(try exported.floats(tensor) == want, "\(tensor.name)")
            }
            let config = try HuggingFaceConfiguration(folder: folder + "/exported")
            #expect(config.bosTokenID == 1)
            #expect(config.eosTokenIDs == [3])
            #expect(config.padTokenID == 0)
            #expect(
                try load(folder + "/exported/tokenizer.json")
                    == load(fixtures + "/tokenizer/plain.tokenizer.json"))
        }
    }

    @Test func twoExportsAreTheSameBytes() throws {
        try withTemporaryFolder { folder in
            try makeFolder(folder + "/source", tokenizer: true)
            let source = try ModelFiles.open(folder + "/source")
            let first = try HuggingFaceExport().write(source, to: folder + "/a")
            let second = try HuggingFaceExport().write(source, to: folder + "/b")
            #expect(first == second)
            #expect(
                Set(first.map(\.name)) == [
                    "README.md", "config.json", "generation_config.json", "model.safetensors",
                    "tokenizer.json", "tokenizer.model", "tokenizer_config.json",
                ])
        }
    }

    @Test(arguments: ["rms_g2_untied", "norms_g1_tied"])
    func goldenFoldersOpenWithoutTokenizer(name: String) throws {
        try withTemporaryFolder { folder in
            let golden = goldenModels + "/" + name
            try createFolder(folder + "/hf")
            for file in ["config.json", "model.safetensors"] {
                try FileManager.default.copyItem(
                    atPath: golden + "/" + file, toPath: folder + "/hf/" + file)
            }
            let model = try ModelFiles.open(folder + "/hf")
            #expect(model.tokenizer == nil)
            try HuggingFaceExport().write(model, to: folder + "/out")
            #expect(
                try load(folder + "/out/model.safetensors") == load(golden + "/model.safetensors"))
        }
    }

    @Test func anExistingFolderIsNotTouched() throws {
        try withTemporaryFolder { folder in
            try makeFolder(folder + "/source", tokenizer: false)
            let source = try ModelFiles.open(folder + "/source")
            #expect(throws: FileError.self) {
                try HuggingFaceExport().write(source, to: folder + "/source")
            }
            #expect(throws: FileError.self) {
                try ModelImport.write(source, to: folder + "/source")
            }
            #expect(try names(folder) == ["source"])
            #expect(try names(folder + "/source") == ["config.json", "model.safetensors"])
        }
    }

    @Test func aTokenizerTooLargeForTheModelIsRefused() throws {
        try withTemporaryFolder { folder in
            try createFolder(folder + "/hf")
            for file in ["config.json", "model.safetensors"] {
                try FileManager.default.copyItem(
                    atPath: goldenModels + "/rms_g2_untied/" + file, toPath: folder + "/hf/" + file)
            }
            try FileManager.default.copyItem(
                atPath: fixtures + "/tokenizer/plain.model",
                toPath: folder + "/hf/tokenizer.model")
            let model = try ModelFiles.open(folder + "/hf")
            let error = #expect(throws: InterchangeError.self) {
                try HuggingFaceExport().write(model, to: folder + "/out")
            }
            #expect(error?.description.contains("640 pieces, but the model only 61") == true)
            #expect(try names(folder) == ["hf"])
        }
    }

    @Test func missingAndExtraTensorsAreNamed() throws {
        try withTemporaryFolder { folder in
            try makeFolder(folder + "/hf", tokenizer: false)
            var object = try #require(
                try JSONValue(parsing: load(folder + "/hf/config.json")).object)
            object["mamba_rms_norm"] = .bool(false)
            object["num_hidden_layers"] = .integer(3)
            try Data(JSONValue.object(object).serialized().utf8)
                .write(to: URL(filePath: folder + "/hf/config.json"))
            let error = #expect(throws: CheckpointError.self) {
                try ModelFiles.open(folder + "/hf")
            }
            let text = error?.description ?? ""
            #expect(text.contains("model.layers.0.mamba.norm.weight is not part of the model"))
            #expect(text.contains("tensor model.layers.2.mamba.A_log is missing"))
        }
    }

    @Test func aRunStandsForItsNewestWholeCheckpoint() throws {
        try withTemporaryFolder { folder in
            #expect(throws: FileError.missing(path: folder + "/run")) {
                try ModelFiles.open(folder + "/run")
            }
            try createFolder(folder + "/run")
            #expect(throws: InterchangeError.notAModel(path: folder + "/run")) {
                try ModelFiles.open(folder + "/run")
            }
            let checkpoints = CheckpointFolder(run: folder + "/run")
            try createFolder(checkpoints.path)
            #expect(throws: InterchangeError.noCheckpoint(path: folder + "/run", reasons: [])) {
                try ModelFiles.open(folder + "/run")
            }
            try makeFolder(folder + "/hf", tokenizer: false)
            let source = try ModelFiles.open(folder + "/hf")
            try ModelImport.write(source, to: checkpoints.path(ofStep: 0))
            try createFolder(checkpoints.path(ofStep: 7))
            let model = try ModelFiles.open(folder + "/run")
            #expect(model.path == checkpoints.path(ofStep: 0))
            #expect(model.warnings.count == 1)
            #expect(model.warnings.first?.contains("step-00000007/manifest.json") == true)
        }
    }
}
