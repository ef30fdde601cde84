import FalconGGUF
import FalconInterchange
import FalconJSON
import FalconModel
import FalconSystem
import FalconTensor
import FalconTestSupport
import FoundationEssentials
import Testing

/// Writes a JSON object with some members changed.
private func rewrite(_ path: String, _ change: (inout JSONObject) throws -> Void) throws {
    var object = try #require(try JSONValue(parsing: load(path)).object)
    try change(&object)
    let text = JSONValue.object(object).serialized(indentation: 1) + "\n"
    try Data(text.utf8).write(to: URL(filePath: path))
}

@Suite struct HostileModelTests {
    @Test(arguments: ["rms_g2_untied", "mamba_tied", "mamba2_tied", "llama_tied"])
    func moreLayersThanAnyModelAreRefused(name: String) throws {
        try withTemporaryFolder { folder in
            let path = folder + "/config.json"
            try FileManager.default.copyItem(
                atPath: "\(goldenModels)/\(name)/config.json", toPath: path)
            try rewrite(path) { $0["num_hidden_layers"] = .integer(1000) }
            #expect(try HuggingFaceConfiguration(folder: folder).model.numHiddenLayers == 1000)
            try rewrite(path) { $0["num_hidden_layers"] = .integer(1001) }
            let want = ConfigurationProblem(
                key: "num_hidden_layers", message: "got 1001, want at most 1000")
            #expect(throws: InterchangeError.configuration(path: path, problems: [want])) {
                try HuggingFaceConfiguration(folder: folder)
            }
        }
    }

    @Test func aCheckpointOfImpossibleSizesIsRefused() throws {
        try withTemporaryFolder { folder in
            let path = folder + "/checkpoint"
            try ModelImport.write(ModelFiles.open(goldenModels + "/mamba_tied"), to: path)
            let configuration = path + "/config.json"
            try rewrite(configuration) { $0["hidden_size"] = .integer(-1) }
            let bytes = try load(configuration)
            try rewrite(path + "/manifest.json") { manifest in
                let files = try #require(manifest["files"]?.array)
                manifest["files"] = .array(
                    files.map { file in
                        guard var entry = file.object, entry["name"] == .string("config.json")
                        else { return file }
                        entry["bytes"] = .integer(bytes.count)
                        entry["sha256"] = .string(SHA256.hex(of: bytes))
                        return .object(entry)
                    })
                manifest["manifest_sha256"] = nil
                let text = JSONValue.object(manifest).serialized()
                manifest["manifest_sha256"] = .string(SHA256.hex(of: Array(text.utf8)))
            }
            let want = ConfigurationProblem(
                key: "hidden_size", message: "got -1, want at least 1")
            #expect(
                throws: InterchangeError.configuration(path: configuration, problems: [want])
            ) { try ModelFiles.open(path) }
        }
    }

    @Test(arguments: [1, 7, 23, 24, 25, 100])
    func interleavedRowsAreReadInPiecesOfAnyLength(length: Int) throws {
        try withTemporaryFolder { folder in
            let source = try ModelFiles.open(goldenModels + "/llama_tied")
            let path = folder + "/model.gguf"
            _ = try GGUFExport(.float32, threadCount: 1).write(source, to: path)
            let model = try ModelFiles.open(path)
            let name = "model.layers.1.self_attn.q_proj.weight"
            let parameter = try #require(
                model.configuration.makeModel().table.parameters.first { $0.name == name })
            var values: [Float] = []
            for start in stride(from: 0, to: parameter.count, by: length) {
                let end = min(parameter.count, start + length)
                var piece = [Float](repeating: .nan, count: end - start)
                var span = piece.mutableSpan
                try model.weights.readFloats(name, elements: start..<end, into: &span)
                values += piece
            }
            #expect(try values == source.floats(parameter))
        }
    }
}
