import FalconCheckpoint
import FalconGGUF
import FalconJSON
import FalconModel
import FalconSystem
import FalconTensor
import FalconTestSupport
import FoundationEssentials
import Testing

@testable import FalconInterchange

/// Tensors of a golden model by name, to be changed and written as another folder.
private struct Weights {
    var tensors: [(name: String, shape: [Int], values: [Float])]

    init(_ folder: String) throws {
        let reader = try SafetensorsReader(path: folder)
        tensors = try reader.tensors.map { ($0.name, $0.shape, try reader.floats($0.name)) }
    }

    func write(to folder: String, config changes: [String: JSONValue], of golden: String) throws {
        try createFolder(folder)
        var writer = try SafetensorsWriter(
            path: folder + "/model.safetensors",
            tensors: tensors.map { TensorDescription(name: $0.name, shape: $0.shape) })
        while let tensor = writer.next {
            let values = tensors.first { $0.name == tensor.name }?.values ?? []
            try writer.append(values.span)
        }
        _ = try writer.finish()
        var object = try #require(try JSONValue(parsing: load(golden + "/config.json")).object)
        for (key, value) in changes { object[key] = value }
        try Data(JSONValue.object(object).serialized().utf8)
            .write(to: URL(filePath: folder + "/config.json"))
    }
}

private let llama = goldenModels + "/llama_tied"

private func lastLogits(_ path: String, _ ids: [Int32]) throws -> [Float] {
    let model = try LoadedModel(path: path, on: Device(threadCount: 1))
    return try #require(model.logits(ids).last)
}

/// Writes the golden Llama as GGUF, with more metadata.
private func writeGGUF(_ path: String, _ changes: [String: GGUFValue] = [:]) throws {
    _ = try GGUFExport(.float32, threadCount: 1).write(ModelFiles.open(llama), to: path + ".whole")
    let reader = try GGUFReader(path: path + ".whole")
    var metadata = reader.metadata
    for (key, value) in changes { metadata[key] = value }
    let writer = GGUFWriter(metadata: metadata, tensors: reader.tensors)
    _ = try writer.write(to: path, threads: 1) { number, rows, values in
        try reader.readFloats(reader.tensors[number].name, rows: rows, into: &values)
    }
    try FileManager.default.removeItem(atPath: path + ".whole")
}

@Suite struct LinearRotaryTests {
    private let ids: [Int32]
    private let wanted: [Double]

    init() throws {
        let fixture = try #require(
            try JSONValue(parsing: load(fixtures + "/linear_rotary.json")).object)
        ids = try #require(fixture["ids"]?.array?.compactMap { $0.integer.map { Int32($0) } })
        let numbers = fixture["logits"]?.array?.compactMap { $0.number }
        wanted = try #require(numbers)
    }

    private func expectScaled(_ path: String) throws {
        let got = try lastLogits(path, ids)
        #expect(largestDifference(got, wanted) < 1e-5)
    }

    @Test(arguments: ["type", "rope_type", "rope_parameters"])
    func everySpellingOfTransformersIsRead(key: String) throws {
        let (factor, linear) = (JSONValue.integer(4), JSONValue.string("linear"))
        let changes: [String: JSONValue] =
            key == "rope_parameters"
            ? [key: .object(["rope_type": linear, "factor": factor, "rope_theta": .number(1e4)])]
            : [
                "rope_scaling": .object([key: linear, "factor": factor]),
                "rope_parameters": .null, "rope_theta": .number(1e4),
            ]
        try withTemporaryFolder { folder in
            try Weights(llama).write(to: folder + "/hf", config: changes, of: llama)
            try expectScaled(folder + "/hf")
            let model = try ModelFiles.open(folder + "/hf")
            #expect(model.configuration.falconH1?.ropeScalingFactor == 4)
            // It goes out as it came in.
            try HuggingFaceExport().write(model, to: folder + "/out")
            try expectScaled(folder + "/out")
            _ = try GGUFExport(.float32, threadCount: 1).write(model, to: folder + "/out.gguf")
            try expectScaled(folder + "/out.gguf")
            try ModelImport.write(model, to: folder + "/checkpoint")
            try expectScaled(folder + "/checkpoint")
        }
    }

    @Test(arguments: ["rope.scale_linear", "rope.scaling.factor", "with a type"])
    func everySpellingOfGGUFIsRead(key: String) throws {
        try withTemporaryFolder { folder in
            var changes: [String: GGUFValue] = [
                "llama." + (key.hasPrefix("rope") ? key : "rope.scaling.factor"): .float32(4)
            ]
            if key == "with a type" { changes["llama.rope.scaling.type"] = .string("linear") }
            try writeGGUF(folder + "/model.gguf", changes)
            try expectScaled(folder + "/model.gguf")
        }
    }

    @Test func noScalingIsNone() throws {
        try withTemporaryFolder { folder in
            let unscaled = try lastLogits(llama, ids)
            let none: [[String: GGUFValue]] = [
                [
                    "llama.rope.scaling.type": .string("none"),
                    "llama.rope.scaling.factor": .float32(4),
                ],
                ["llama.rope.scaling.factor": .float32(1)],
                ["llama.rope.scaling.factor": .float32(0), "llama.rope.scale_linear": .float32(4)],
            ]
            for (number, changes) in none.enumerated() {
                let path = folder + "/\(number).gguf"
                try writeGGUF(path, changes)
                #expect(try lastLogits(path, ids) == unscaled)
            }
            let one = JSONValue.object(["type": .string("linear"), "factor": .number(1)])
            try Weights(llama).write(
                to: folder + "/hf", config: ["rope_scaling": one, "hidden_act": .string("swish")],
                of: llama)
            #expect(try lastLogits(folder + "/hf", ids) == unscaled)
        }
    }

    @Test(arguments: [
        ("rope.scaling.type", GGUFValue.string("yarn"), "want none or linear"),
        ("rope.scaling.factor", .float32(-2), "want a positive number"),
        ("rope.scaling.factor", .float32(.nan), "want a positive number"),
        ("rope.scaling.attn_factor", .float32(2), "attention is not scaled here"),
    ])
    func otherScalingIsRefusedByName(key: String, value: GGUFValue, message: String) throws {
        try withTemporaryFolder { folder in
            try writeGGUF(folder + "/model.gguf", ["llama." + key: value])
            let error = #expect(throws: InterchangeError.self) {
                try ModelFiles.open(folder + "/model.gguf")
            }
            let text = error?.description ?? ""
            #expect(text.contains("llama." + key) && text.contains(message), "\(text)")
        }
    }
}

@Suite struct OlderFilesTests {
    private let ids: [Int32] = [1, 5, 23, 55, 40]

    @Test func whatFollowsFromTheConfigurationIsIgnored() throws {
        try withTemporaryFolder { folder in
            var weights = try Weights(llama)
            for layer in 0..<2 {
                weights.tensors.append(
                    ("model.layers.\(layer).self_attn.rotary_emb.inv_freq", [4], [1, 0.1, 0.01, 9]))
            }
            try weights.write(to: folder + "/hf", config: [:], of: llama)
            #expect(try lastLogits(folder + "/hf", ids) == lastLogits(llama, ids))
            _ = try ModelFiles.open(folder + "/hf").requireFiniteWeights()
        }
    }

    @Test(arguments: ["llama_tied", "mamba_tied", "mamba2_tied", "norms_g1_tied"])
    func aTiedMatrixHasEitherNameOrBoth(name: String) throws {
        let golden = goldenModels + "/" + name
        try withTemporaryFolder { folder in
            let wanted = try lastLogits(golden, ids)
            var weights = try Weights(golden)
            weights.tensors.removeAll { $0.name == "lm_head.weight" }
            let place = try #require(weights.tensors.firstIndex { $0.name.contains("embed") })
            let embedding = weights.tensors[place]
            weights.tensors[place].name = "lm_head.weight"
            try weights.write(to: folder + "/head", config: [:], of: golden)
            #expect(try lastLogits(folder + "/head", ids) == wanted)
            weights.tensors.append(embedding)
            try weights.write(to: folder + "/both", config: [:], of: golden)
            #expect(try lastLogits(folder + "/both", ids) == wanted)
            weights.tensors[place].values[3] += 1
            try weights.write(to: folder + "/other", config: [:], of: golden)
            let error = #expect(throws: InterchangeError.self) {
                try ModelFiles.open(folder + "/other")
            }
            #expect(error?.description.contains("tie_word_embeddings") == true)
        }
    }

    @Test func whatIsUnfinishedIsNoModel() throws {
        try withTemporaryFolder { folder in
            try HuggingFaceExport().write(ModelFiles.open(llama), to: folder + "/hf")
            try FileManager.default.moveItem(
                atPath: folder + "/hf", toPath: folder + "/hf.partial")
            for path in ["/hf.partial", "/hf.partial/"] {
                #expect(throws: InterchangeError.unfinished(path: folder + path)) {
                    try ModelFiles.open(folder + path)
                }
            }
            var export = HuggingFaceExport()
            export.shardByteLimit = 4000
            let files = try export.write(ModelFiles.open(llama), to: folder + "/shards")
            let shard = try #require(files.first { $0.name.contains("-of-") })
            try FileManager.default.removeItem(atPath: folder + "/shards/" + shard.name)
            #expect(throws: FileError.missing(path: folder + "/shards/" + shard.name)) {
                try ModelFiles.open(folder + "/shards")
            }
        }
    }

    @Test func anExportThatFailsItsCheckLeavesNothing() throws {
        struct Refused: Error {}
        try withTemporaryFolder { folder in
            let model = try ModelFiles.open(llama)
            #expect(throws: Refused.self) {
                try HuggingFaceExport().write(model, to: folder + "/hf") { _ in throw Refused() }
            }
            #expect(throws: Refused.self) {
                _ = try GGUFExport(.float32, threadCount: 1).write(model, to: folder + "/x.gguf") {
                    #expect(try $0.requireFiniteWeights() > 0)
                    throw Refused()
                }
            }
            #expect(try names(folder) == [])
        }
    }

    @Test(arguments: [
        ("path: /home/me/data/shards", "path: shards"),
        ("a: \"/home/my name/x\"  # /etc/r.yaml:3:4", "a: \"x\"  # r.yaml:3:4"),
        ("b: ../up/x  # shipped defaults.yaml:5", "b: ../up/x  # shipped defaults.yaml:5"),
        ("c: [/a/b, /c] and/or https://x.org/y", "c: [b, c] and/or https://x.org/y"),
    ])
    func cardsPublishNoAbsolutePaths(text: String, wanted: String) {
        #expect(text.withoutAbsolutePaths == wanted)
    }
}

@Suite struct FiniteWeightsTests {
    private func makeModel(_ path: String, _ value: Float) throws {
        var weights = try Weights(llama)
        let place = try #require(
            weights.tensors.firstIndex { $0.name.hasSuffix("layers.1.mlp.up_proj.weight") })
        weights.tensors[place].values[70] = value
        try weights.write(to: path, config: [:], of: llama)
    }

    @Test(arguments: [Float.nan, .infinity, -.infinity])
    func whatIsNotFiniteIsRefusedByName(value: Float) throws {
        try withTemporaryFolder { folder in
            let path = folder + "/bad"
            try makeModel(path, value)
            let model = try ModelFiles.open(path)
            let error = InterchangeError.notFinite(
                path: path + "/model.safetensors",
                tensor: "model.layers.1.feed_forward.up_proj.weight", element: 70, value: value)
            let uses: [() throws -> Void] = [
                { _ = try LoadedModel(model, on: Device(threadCount: 1)) },
                { _ = try model.requireFiniteWeights() },
                { _ = try HuggingFaceExport().write(model, to: folder + "/out") },
                { _ = try GGUFExport(.q80, threadCount: 1).write(model, to: folder + "/out") },
                { _ = try ModelImport.write(model, to: folder + "/out") },
                {
                    let mean = try AveragedWeights(of: [ModelFiles.open(llama), model])
                    try ModelImport.write(model.with(mean), to: folder + "/out")
                },
            ]
            for use in uses {
                let found = #expect(throws: InterchangeError.self) { try use() }
                #expect(found?.description == error.description)
                #expect(found?.exitStatus == .badData)
            }
            #expect(try names(folder) == ["bad"])
            // It can still be looked at.
            let info = try ModelInfo(model, withStatistics: true)
            #expect(info.tensors.reduce(0) { $0 + ($1.notFinite ?? 0) } == 1)
            #expect(info.tensors.allSatisfy { $0.rootMeanSquare?.isFinite == true })
            let difference = try ModelDifference(model, ModelFiles.open(llama))
            #expect(difference.parameters.map(\.largest) == [.infinity])
            #expect(difference.parameters.first?.notFinite == [1, 0])
            #expect(difference.isWithin(.infinity) && !difference.isWithin(1e30))
            let none = try ModelDifference(model, model)
            #expect(none.isEmpty && none.isWithin(0))
        }
    }

    @Test func logitsOfAnotherVocabularyAreNotCompared() throws {
        try withTemporaryFolder { folder in
            var weights = try Weights(llama)
            let place = try #require(
                weights.tensors.firstIndex { $0.name == "model.embed_tokens.weight" })
            let width = weights.tensors[place].shape[1]
            weights.tensors[place].shape[0] -= 1
            weights.tensors[place].values.removeLast(width)
            let count = weights.tensors[place].shape[0]
            try weights.write(
                to: folder + "/less", config: ["vocab_size": .integer(count)], of: llama)
            let models = try [llama, folder + "/less"].map { try ModelFiles.open($0) }
            let error = #expect(throws: InterchangeError.self) {
                try ExportCheck(models[0], models[1], on: Device(threadCount: 1))
            }
            #expect(error?.description.contains("no logits to compare") == true)
        }
    }

    @Test func sharesOfAnySizeMakeAMean() throws {
        try withTemporaryFolder { folder in
            try makeModel(folder + "/a", 3)
            try makeModel(folder + "/b", 5)
            let models = try ["/a", "/b"].map { try ModelFiles.open(folder + $0) }
            let name = "model.layers.1.feed_forward.up_proj.weight"
            for (shares, wanted) in [
                ([1e308, 1e308], Float(4)), ([1, 3], 4.5), ([1e-307, 1e-307], 4), ([3, 1], 3.5),
            ] {
                let mean = try AveragedWeights(of: models, shares: shares)
                var value: [Float] = [0]
                var span = value.mutableSpan
                try mean.readFloats(name, elements: 70..<71, into: &span)
                #expect(value == [wanted])
            }
        }
    }
}

@Suite struct SplitFileTests {
    private func split(_ folder: String) throws -> [String] {
        try writeGGUF(folder + "/whole.gguf")
        let reader = try GGUFReader(path: folder + "/whole.gguf")
        let cut = reader.tensors.count / 3
        let parts = [reader.tensors.prefix(cut), reader.tensors.dropFirst(cut)].map(Array.init)
        return try parts.enumerated().map { number, tensors in
            var metadata = number == 0 ? reader.metadata : GGUFMetadata()
            metadata["general.architecture"] = .string("llama")
            metadata["split.no"] = .uint16(UInt16(number))
            metadata["split.count"] = .uint16(2)
            metadata["split.tensors.count"] = .int32(Int32(reader.tensors.count))
            let path = folder + "/m-0000\(number + 1)-of-00002.gguf"
            let writer = GGUFWriter(metadata: metadata, tensors: tensors)
            _ = try writer.write(to: path, threads: 1) { place, rows, values in
                try reader.readFloats(tensors[place].name, rows: rows, into: &values)
            }
            return path
        }
    }

    @Test func anyPartOpensTheModel() throws {
        try withTemporaryFolder { folder in
            let ids: [Int32] = [3, 1, 4, 1, 5]
            let parts = try split(folder)
            let wanted = try lastLogits(folder + "/whole.gguf", ids)
            for path in parts { #expect(try lastLogits(path, ids) == wanted) }
            #expect(
                try ModelFiles.open(parts[0]).weights.filePath(
                    of: "model.layers.1.feed_forward.up_proj.weight") == parts[1])
        }
    }

    @Test func missingAndOtherPartsAreNamed() throws {
        try withTemporaryFolder { folder in
            let parts = try split(folder)
            let renamed = folder + "/renamed.gguf"
            try FileManager.default.copyItem(atPath: parts[0], toPath: renamed)
            #expect(
                throws: GGUFError(path: renamed, problem: .partName(number: 1, count: 2))
            ) { try ModelFiles.open(renamed) }
            try FileManager.default.removeItem(atPath: parts[1])
            let missing = #expect(throws: GGUFError.self) { try ModelFiles.open(parts[0]) }
            #expect(
                missing?.problem == .missingPart(parts[1], number: 2, count: 2)
                    && missing?.description.contains(parts[1]) == true)
            // The first part under the second one's name.
            try FileManager.default.copyItem(atPath: parts[0], toPath: parts[1])
            #expect(throws: GGUFError.self) { try ModelFiles.open(parts[0]) }
        }
    }
}
