import FalconGGUF
import FalconJSON
import FalconModel
import FalconSystem
import FalconTensor

extension FalconMambaConfiguration: ForeignArchitecture {
    static var huggingFaceClasses: [any HuggingFaceClass.Type] { [FalconMambaClass.self] }
    static var graphs: [any GGUFGraph.Type] { [FalconMambaGraph.self] }

    func huggingFaceClass() -> any HuggingFaceClass.Type { FalconMambaClass.self }

    func graph() throws(InterchangeError) -> any GGUFGraph.Type {
        guard intermediateSize == 2 * hiddenSize else {
            throw .model(
                reason: "the mixers have \(intermediateSize) channels, but llama.cpp's mamba wants "
                    + "2 * hidden_size = \(2 * hiddenSize)",
                advice: "export for Hugging Face, or train a model of that shape")
        }
        return FalconMambaGraph.self
    }
}

/// `FalconMambaForCausalLM`.
enum FalconMambaClass: HuggingFaceClass {
    static let modelType = "falcon_mamba"
    static let name = "FalconMambaForCausalLM"

    /// `intermediate_size` and `mixer_rms_eps` are always written, as the class has other defaults.
    static func fields(of sizes: FalconMambaConfiguration) -> [String: JSONValue] {
        let isMultiple = sizes.intermediateSize % sizes.hiddenSize == 0
        return [
            "conv_kernel": .integer(sizes.convKernel),
            "expand": .integer(isMultiple ? sizes.intermediateSize / sizes.hiddenSize : 2),
            "hidden_act": .string("silu"),
            "intermediate_size": .integer(sizes.intermediateSize),
            "layer_norm_epsilon": .number(sizes.layerNormEpsilon),
            "mixer_rms_eps": .number(sizes.mixerRmsEps),
            "rescale_prenorm_residual": .bool(false),
            "residual_in_fp32": .bool(true),
            "state_size": .integer(sizes.stateSize),
            "time_step_floor": .number(1e-4),
            "time_step_init_scheme": .string("random"),
            "time_step_max": .number(0.1),
            "time_step_min": .number(1e-3),
            "time_step_rank": .integer(sizes.timeStepRank),
            "time_step_scale": .number(1),
            "use_bias": .bool(false),
            "use_conv_bias": .bool(true),
        ]
    }

    static func read(_ fields: inout ConfigurationFields) -> ModelConfiguration? {
        fields.readFalconMamba()
    }
}

/// `mamba` of llama.cpp, with its norms of time step, B and C.
enum FalconMambaGraph: GGUFGraph {
    static let name = "mamba"

    static func metadata(of sizes: FalconMambaConfiguration) -> [(key: String, value: GGUFValue)] {
        [
            ("feed_forward_length", .count(0)), ("attention.head_count", .count(0)),
            ("attention.layer_norm_rms_epsilon", .float32(Float(sizes.layerNormEpsilon))),
            ("ssm.conv_kernel", .count(sizes.convKernel)),
            ("ssm.inner_size", .count(sizes.intermediateSize)),
            ("ssm.state_size", .count(sizes.stateSize)),
            ("ssm.time_step_rank", .count(sizes.timeStepRank)),
            // Without this key llama.cpp computes plain Mamba.
            ("ssm.dt_b_c_rms", .boolean(true)),
        ]
    }

    static func read(_ fields: GGUFFields) throws -> ModelConfiguration {
        let (metadata, flag) = (fields.reader.metadata, fields.prefix + "ssm.dt_b_c_rms")
        guard metadata[flag] != nil, try metadata.boolean(flag) else {
            throw fields.refuse(
                "ssm.dt_b_c_rms",
                "got false (also if missing), want true: the mixers here norm time step, B and C")
        }
        typealias Key = FalconMambaConfiguration.CodingKeys
        let epsilon = try fields.number("attention.layer_norm_rms_epsilon")
        let found: [Key: JSONValue] = [
            .architecture: .string(FalconMambaConfiguration.recipeName),
            .vocabSize: try fields.vocabulary(),
            .hiddenSize: try fields.integer("embedding_length"),
            .numHiddenLayers: try fields.integer("block_count"),
            .intermediateSize: try fields.integer("ssm.inner_size"),
            .stateSize: try fields.integer("ssm.state_size"),
            .convKernel: try fields.integer("ssm.conv_kernel"),
            .timeStepRank: try fields.integer("ssm.time_step_rank"),
            .layerNormEpsilon: epsilon, .mixerRmsEps: epsilon, .tieWordEmbeddings: fields.isTied,
            .initialization: .string(MambaInitialization.mamba.rawValue),
            .initializerRange: .number(0.02),
        ]
        return try fields.model(found)
    }

    static func blockTensors(of sizes: FalconMambaConfiguration) -> [GGUFBlockTensor] {
        [
            GGUFBlockTensor("attn_norm.weight", .inputNorm, .gain),
            GGUFBlockTensor("ssm_in.weight", .mamba, .inputProjection),
            GGUFBlockTensor(
                "ssm_conv1d.weight", .mamba, .convolution,
                shape: [sizes.intermediateSize, sizes.convKernel]),
            GGUFBlockTensor("ssm_conv1d.bias", .mamba, .convolutionBias),
            GGUFBlockTensor("ssm_x.weight", .mamba, .selectionProjection),
            GGUFBlockTensor("ssm_dt.weight", .mamba, .stepProjection),
            GGUFBlockTensor("ssm_dt.bias", .mamba, .stepBias),
            GGUFBlockTensor("ssm_a", .mamba, .decay), GGUFBlockTensor("ssm_d", .mamba, .skip),
            GGUFBlockTensor("ssm_out.weight", .mamba, .outputProjection),
        ]
    }
}

extension ConfigurationFields {
    /// The sizes of a Falcon-Mamba; a field that is missing takes the default of transformers 5.
    ///
    /// - Returns: nil if a problem was reported.
    mutating func readFalconMamba() -> ModelConfiguration? {
        typealias Key = FalconMambaConfiguration.CodingKeys
        requireMambaParts()
        let hiddenSize = integer("hidden_size")
        // The published 7B says expand 16 beside the right intermediate_size.
        let inner =
            value("intermediate_size") == nil
            ? integer("expand", default: 2) * hiddenSize : integer("intermediate_size")
        let isAuto = value("time_step_rank") == nil || value("time_step_rank") == .string("auto")
        let fields: [Key: JSONValue] = [
            .architecture: .string(FalconMambaConfiguration.recipeName),
            .vocabSize: .integer(integer("vocab_size")),
            .hiddenSize: .integer(hiddenSize),
            .numHiddenLayers: .integer(integer("num_hidden_layers")),
            .intermediateSize: .integer(inner),
            .stateSize: .integer(integer("state_size", default: 16)),
            .convKernel: .integer(integer("conv_kernel", default: 4)),
            .timeStepRank: .integer(isAuto ? (hiddenSize + 15) / 16 : integer("time_step_rank")),
            .layerNormEpsilon: .number(number("layer_norm_epsilon", default: 1e-5)),
            .mixerRmsEps: .number(number("mixer_rms_eps", default: 1e-6)),
            .tieWordEmbeddings: .bool(bool("tie_word_embeddings", default: true)),
            .initialization: .string(MambaInitialization.mamba.rawValue),
            .initializerRange: .number(number("initializer_range", default: 0.1)),
        ]
        return model(fields)
    }
}
