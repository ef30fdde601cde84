import FalconGGUF
import FalconJSON
import FalconModel
import FalconRecipeSection
import FalconSystem
import FoundationEssentials

extension GGUFArchitecture {
    /// The metadata of a model: its architecture and sizes.
    ///
    /// - Parameter model: of a model of this graph.
    /// - Returns: keys and values, each of the type that llama.cpp wants.
    func metadata(of model: ModelConfiguration) -> [(key: String, value: GGUFValue)] {
        func count(_ number: Int) -> GGUFValue { .uint32(UInt32(clamping: number)) }
        var fields: [(String, GGUFValue)] = [
            ("context_length", count(model.maxPositionEmbeddings)),
            ("embedding_length", count(model.hiddenSize)),
            ("block_count", count(model.numHiddenLayers)),
            ("vocab_size", count(model.vocabSize)),
        ]
        switch model {
        case .falconMamba(let sizes):
            fields += [
                ("feed_forward_length", count(0)), ("attention.head_count", count(0)),
                ("attention.layer_norm_rms_epsilon", .float32(Float(sizes.layerNormEpsilon))),
                ("ssm.conv_kernel", count(sizes.convKernel)),
                ("ssm.inner_size", count(sizes.intermediateSize)),
                ("ssm.state_size", count(sizes.stateSize)),
                ("ssm.time_step_rank", count(sizes.timeStepRank)),
                // Without this key llama.cpp computes plain Mamba.
                ("ssm.dt_b_c_rms", .boolean(true)),
            ]
        case .falconH1(let sizes):
            fields += [
                ("feed_forward_length", count(sizes.intermediateSize)),
                ("attention.head_count", count(sizes.numAttentionHeads)),
                ("attention.head_count_kv", count(sizes.numKeyValueHeads)),
                ("attention.key_length", count(sizes.headDim)),
                ("attention.value_length", count(sizes.headDim)),
                ("attention.layer_norm_rms_epsilon", .float32(Float(sizes.rmsNormEps))),
                ("rope.dimension_count", count(sizes.headDim)),
                ("rope.freq_base", .float32(Float(sizes.ropeTheta))),
            ]
            if let factor = sizes.ropeScalingFactor {
                fields += [
                    ("rope.scaling.type", .string("linear")),
                    ("rope.scaling.factor", .float32(Float(factor))),
                ]
            }
            if self == .falconH1 {
                fields += [
                    ("ssm.conv_kernel", count(sizes.mambaDConv)),
                    ("ssm.inner_size", count(sizes.mambaDSsm)),
                    ("ssm.state_size", count(sizes.mambaDState)),
                    // Not the rank of time steps here, but the number of heads.
                    ("ssm.time_step_rank", count(sizes.mambaNHeads)),
                    ("ssm.group_count", count(sizes.mambaNGroups)),
                ]
            }
        }
        return [("general.architecture", .string(rawValue))]
            + fields.map { (rawValue + "." + $0.0, $0.1) }
    }

    /// The sizes of the model in a file.
    ///
    /// - Parameter reader: a file of this graph.
    /// - Returns: a configuration without multipliers.
    /// - Throws: `GGUFError` for keys that are missing or of another type; `InterchangeError` for what
    ///   the models here cannot represent.
    func configuration(of reader: GGUFReader) throws -> ModelConfiguration {
        let fields = GGUFFields(reader: reader, prefix: rawValue + ".")
        switch self {
        case .mamba: return try fields.mamba()
        case .falconH1: return try fields.falconH1(hasSSM: true)
        case .llama: return try fields.falconH1(hasSSM: false)
        }
    }
}

/// Takes the sizes of a model out of a GGUF file's metadata.
private struct GGUFFields {
    let reader: GGUFReader
    let prefix: String

    private func integer(_ key: String) throws -> JSONValue {
        .integer(try reader.metadata.integer(prefix + key))
    }

    private func integer(_ key: String, default missing: Int) throws -> JSONValue {
        reader.metadata[prefix + key] == nil ? .integer(missing) : try integer(key)
    }

    private func number(_ key: String, default missing: Double? = nil) throws -> JSONValue {
        if let missing, reader.metadata[prefix + key] == nil { return .number(missing) }
        return .number(Self.decimal(Float(try reader.metadata.number(prefix + key))))
    }

    /// The shortest decimal number that is this float32: 1e-05 and not 9.99999974e-06.
    private static func decimal(_ value: Float) -> Double { Double(value.description) ?? 0 }

    /// Rows of the embedding.
    private func vocabulary() throws -> JSONValue {
        guard let embedding = reader.tensor(named: "token_embd.weight") else {
            throw GGUFError(path: reader.path, problem: .missingTensor("token_embd.weight"))
        }
        return .integer(embedding.shape[0])
    }

    private var isTied: JSONValue { .bool(reader.tensor(named: "output.weight") == nil) }

    private func refuse(_ key: String, _ message: String) -> InterchangeError {
        .configuration(
            path: reader.path,
            problems: [ConfigurationProblem(key: prefix + key, message: message)])
    }

    private func decode(_ fields: [String: JSONValue]) throws -> ModelConfiguration {
        var object = JSONObject()
        for (key, value) in fields { object[key] = value }
        let model: ModelConfiguration
        do {
            model = try ModelConfiguration(
                decoding: Array(JSONValue.object(object).serialized().utf8))
        } catch {
            throw refuse("*", "\(error)")
        }
        let problems = model.problems()
        guard problems.isEmpty else {
            throw InterchangeError.configuration(
                path: reader.path,
                problems: problems.map {
                    ConfigurationProblem(key: $0.key ?? prefix + "*", message: $0.message)
                })
        }
        return model
    }

    func mamba() throws -> ModelConfiguration {
        let flag = prefix + "ssm.dt_b_c_rms"
        guard reader.metadata[flag] != nil, try reader.metadata.boolean(flag) else {
            throw refuse(
                "ssm.dt_b_c_rms",
                "got false (also when missing), want true: the mixers here norm time step, B and C")
        }
        typealias Key = FalconMambaConfiguration.CodingKeys
        let epsilon = try number("attention.layer_norm_rms_epsilon")
        let fields: [Key: JSONValue] = [
            .architecture: .string(Architecture.falconMamba.rawValue),
            .vocabSize: try vocabulary(),
            .hiddenSize: try integer("embedding_length"),
            .numHiddenLayers: try integer("block_count"),
            .intermediateSize: try integer("ssm.inner_size"),
            .stateSize: try integer("ssm.state_size"),
            .convKernel: try integer("ssm.conv_kernel"),
            .timeStepRank: try integer("ssm.time_step_rank"),
            .layerNormEpsilon: epsilon, .mixerRmsEps: epsilon, .tieWordEmbeddings: isTied,
            .initialization: .string(MambaInitialization.mamba.rawValue),
            .initializerRange: .number(0.02),
        ]
        return try decode(
            Dictionary(uniqueKeysWithValues: fields.map { ($0.key.rawValue, $0.value) }))
    }

    /// The number that positions are divided by, as llama.cpp takes it from the file: without a type the
    /// scaling is linear, the older key counts where the newer one is missing, and 0 is none.
    private func ropeScalingFactor() throws -> JSONValue {
        func has(_ key: String) -> Bool { reader.metadata[prefix + key] != nil }
        let (type, attention) = ("rope.scaling.type", "rope.scaling.attn_factor")
        if has(attention), try number(attention).number != 1 {
            throw refuse(attention, "want 1: attention is not scaled here")
        }
        let kind = has(type) ? try reader.metadata.string(prefix + type) : "linear"
        guard kind == "linear" || kind == "none" else {
            throw refuse(
                type,
                "got \"\(kind)\", want none or linear: other ways to scale positions are not "
                    + "supported")
        }
        guard let key = ["rope.scaling.factor", "rope.scale_linear"].first(where: has),
            kind == "linear"
        else { return .null }
        let factor = try number(key).number ?? .nan
        if factor == 0 || factor == 1 { return .null }
        guard factor.isFinite, factor > 0 else {
            throw refuse(key, "got \(factor), want a positive number")
        }
        return .number(factor)
    }

    func falconH1(hasSSM: Bool) throws -> ModelConfiguration {
        let heads = try reader.metadata.integer(prefix + "attention.head_count")
        let width = try reader.metadata.integer(prefix + "embedding_length")
        let headDim = try integer("attention.key_length", default: width / max(1, heads))
        for key in ["attention.value_length", "rope.dimension_count"]
        where try integer(key, default: headDim.integer ?? 0) != headDim {
            throw refuse(key, "want the size of a key, \(headDim.integer ?? 0)")
        }
        typealias Key = FalconH1Configuration.CodingKeys
        let (one, unit) = (JSONValue.integer(1), JSONValue.number(1))
        let (inner, scanHeads) =
            hasSSM
            ? (try integer("ssm.inner_size"), try integer("ssm.time_step_rank")) : (one, one)
        let fields: [Key: JSONValue] = [
            .architecture: .string(Architecture.falconH1.rawValue),
            .vocabSize: try vocabulary(),
            .hiddenSize: .integer(width),
            .numHiddenLayers: try integer("block_count"),
            .intermediateSize: try integer("feed_forward_length"),
            .numAttentionHeads: .integer(heads),
            .numKeyValueHeads: try integer("attention.head_count_kv", default: heads),
            .headDim: headDim,
            .mambaDSsm: inner, .mambaNHeads: scanHeads,
            .mambaDHead: .integer((inner.integer ?? 1) / max(1, scanHeads.integer ?? 1)),
            .mambaNGroups: hasSSM ? try integer("ssm.group_count", default: 1) : one,
            .mambaDState: hasSSM ? try integer("ssm.state_size") : one,
            .mambaDConv: hasSSM ? try integer("ssm.conv_kernel") : one,
            .mambaChunkSize: .integer(128),
            .mambaRmsNorm: .bool(reader.tensor(named: "blk.0.ssm_norm.weight") != nil),
            .rmsNormEps: try number("attention.layer_norm_rms_epsilon"),
            .ropeTheta: try number("rope.freq_base", default: 10_000),
            .ropeScalingFactor: try ropeScalingFactor(),
            .maxPositionEmbeddings: try integer("context_length"),
            .tieWordEmbeddings: isTied,
            .embeddingMultiplier: unit, .lmHeadMultiplier: unit, .attentionInMultiplier: unit,
            .attentionOutMultiplier: unit, .keyMultiplier: unit, .ssmInMultiplier: unit,
            .ssmOutMultiplier: unit,
            .ssmMultipliers: .array(Array(repeating: unit, count: 5)),
            .mlpMultipliers: .array(Array(repeating: unit, count: 2)),
            .initialization: .string(InitializationScheme.mamba2.rawValue),
            .initializerRange: .number(0.02),
            .mixers: .string((hasSSM ? Mixers.parallel : .attention).rawValue),
        ]
        return try decode(
            Dictionary(uniqueKeysWithValues: fields.map { ($0.key.rawValue, $0.value) }))
    }
}
