import FalconGGUF
import FalconJSON
import FalconModel
import FalconSystem
import FalconTensor

extension Mamba2Configuration: ForeignArchitecture {
    static var huggingFaceClasses: [any HuggingFaceClass.Type] { [Mamba2Class.self] }
    static var graphs: [any GGUFGraph.Type] { [Mamba2Graph.self] }

    func huggingFaceClass() -> any HuggingFaceClass.Type { Mamba2Class.self }

    func graph() -> any GGUFGraph.Type { Mamba2Graph.self }
}

/// `Mamba2ForCausalLM`.
enum Mamba2Class: HuggingFaceClass {
    static let modelType = "mamba2"
    static let name = "Mamba2ForCausalLM"

    /// `time_step_limit` is left out, since its infinity is spelled in a way that not all readers know.
    static func fields(of sizes: Mamba2Configuration) -> [String: JSONValue] {
        [
            "chunk_size": .integer(sizes.chunkSize),
            "conv_kernel": .integer(sizes.convKernel),
            "expand": .integer(sizes.intermediateSize / sizes.hiddenSize),
            "head_dim": .integer(sizes.headDim),
            "hidden_act": .string("silu"),
            "layer_norm_epsilon": .number(sizes.layerNormEpsilon),
            "n_groups": .integer(sizes.nGroups),
            "num_heads": .integer(sizes.numHeads),
            "rescale_prenorm_residual": .bool(false),
            "residual_in_fp32": .bool(true),
            "rms_norm": .bool(true),
            "state_size": .integer(sizes.stateSize),
            "time_step_floor": .number(1e-4),
            "time_step_max": .number(0.1),
            "time_step_min": .number(1e-3),
            "use_bias": .bool(false),
            "use_conv_bias": .bool(true),
        ]
    }

    static func read(_ fields: inout ConfigurationFields) -> ModelConfiguration? {
        fields.requireMambaParts()
        fields.requireNoStepLimit()
        let (hiddenSize, expand) = (
            fields.integer("hidden_size", default: 4096), fields.integer("expand", default: 2)
        )
        let (heads, headDim) = (
            fields.integer("num_heads", default: 128), fields.integer("head_dim", default: 64)
        )
        if heads * headDim != expand * hiddenSize {
            fields.report(
                "num_heads",
                "num_heads · head_dim is \(heads * headDim), want expand · hidden_size = "
                    + "\(expand * hiddenSize)")
        }
        let found: [Mamba2Configuration.CodingKeys: JSONValue] = [
            .architecture: .string(Mamba2Configuration.recipeName),
            .vocabSize: .integer(fields.integer("vocab_size", default: 32_768)),
            .hiddenSize: .integer(hiddenSize),
            .numHiddenLayers: .integer(fields.integer("num_hidden_layers", default: 64)),
            .numHeads: .integer(heads),
            .headDim: .integer(headDim),
            .nGroups: .integer(fields.integer("n_groups", default: 8)),
            .stateSize: .integer(fields.integer("state_size", default: 128)),
            .convKernel: .integer(fields.integer("conv_kernel", default: 4)),
            .chunkSize: .integer(fields.integer("chunk_size", default: 256)),
            .layerNormEpsilon: .number(fields.number("layer_norm_epsilon", default: 1e-5)),
            .tieWordEmbeddings: .bool(fields.bool("tie_word_embeddings", default: false)),
            .initializerRange: .number(fields.number("initializer_range", default: 0.1)),
        ]
        return fields.model(found)
    }
}

/// `mamba2` of llama.cpp.
enum Mamba2Graph: GGUFGraph {
    static let name = "mamba2"

    static func metadata(of sizes: Mamba2Configuration) -> [(key: String, value: GGUFValue)] {
        [
            ("feed_forward_length", .count(0)), ("attention.head_count", .count(0)),
            ("attention.layer_norm_rms_epsilon", .float32(Float(sizes.layerNormEpsilon))),
        ] + sizes.mixer.metadata
    }

    static func read(_ fields: GGUFFields) throws -> ModelConfiguration {
        let (inner, heads) = (
            try fields.count("ssm.inner_size"), try fields.count("ssm.time_step_rank")
        )
        guard heads > 0, inner % heads == 0 else {
            throw fields.refuse(
                "ssm.time_step_rank",
                "got \(heads) heads, which do not divide ssm.inner_size = \(inner)")
        }
        let found: [Mamba2Configuration.CodingKeys: JSONValue] = [
            .architecture: .string(Mamba2Configuration.recipeName),
            .vocabSize: try fields.vocabulary(),
            .hiddenSize: try fields.integer("embedding_length"),
            .numHiddenLayers: try fields.integer("block_count"),
            .numHeads: .integer(heads),
            .headDim: .integer(inner / heads),
            .nGroups: try fields.integer("ssm.group_count", default: 1),
            .stateSize: try fields.integer("ssm.state_size"),
            .convKernel: try fields.integer("ssm.conv_kernel"),
            .chunkSize: .integer(256),
            .layerNormEpsilon: try fields.number("attention.layer_norm_rms_epsilon"),
            .tieWordEmbeddings: fields.isTied,
            .initializerRange: .number(0.02),
        ]
        return try fields.model(found)
    }

    static func blockTensors(of sizes: Mamba2Configuration) -> [GGUFBlockTensor] {
        [GGUFBlockTensor("attn_norm.weight", .inputNorm, .gain)] + sizes.mixer.blockTensors
    }
}

// The mixer in llama.cpp's files, of this graph and of falcon-h1.
extension Mamba2MixerSizes {
    /// The metadata of its sizes.
    var metadata: [(key: String, value: GGUFValue)] {
        [
            ("ssm.conv_kernel", .count(taps)), ("ssm.inner_size", .count(width)),
            ("ssm.state_size", .count(stateSize)),
            // Not the rank of time steps here, but the number of heads.
            ("ssm.time_step_rank", .count(heads)), ("ssm.group_count", .count(groups)),
        ]
    }

    /// Its tensors in every block.
    var blockTensors: [GGUFBlockTensor] {
        [
            GGUFBlockTensor("ssm_in.weight", .mamba, .inputProjection),
            GGUFBlockTensor("ssm_conv1d.weight", .mamba, .convolution, shape: [channels, taps]),
            GGUFBlockTensor("ssm_conv1d.bias", .mamba, .convolutionBias),
            GGUFBlockTensor("ssm_dt.bias", .mamba, .stepBias),
            GGUFBlockTensor("ssm_a", .mamba, .decay, shape: [heads, 1]),
            GGUFBlockTensor("ssm_d", .mamba, .skip, shape: [heads, 1]),
            GGUFBlockTensor("ssm_norm.weight", .mamba, .gain, shape: [groups, width / groups]),
            GGUFBlockTensor("ssm_out.weight", .mamba, .outputProjection),
        ]
    }
}
