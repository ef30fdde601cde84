import FalconGGUF
import FalconJSON
import FalconModel
import FalconSystem
import FalconTensor

extension FalconH1Configuration: ForeignArchitecture {
    static var huggingFaceClasses: [any HuggingFaceClass.Type] {
        [FalconH1Class.self, LlamaClass.self]
    }
    static var graphs: [any GGUFGraph.Type] { [FalconH1Graph.self, LlamaGraph.self] }

    func huggingFaceClass() throws(InterchangeError) -> any HuggingFaceClass.Type {
        switch self.mixers {
        case .parallel: return FalconH1Class.self
        case .attention: return LlamaClass.self
        case .ssm:
            throw .model(
                reason: "no class of transformers has blocks of only Mamba-2 and an MLP, as "
                    + "`mixers: ssm` makes them",
                advice: "export a model with `mixers: parallel` or `attention`")
        }
    }

    func graph() throws(InterchangeError) -> any GGUFGraph.Type {
        switch self.mixers {
        case .parallel: return FalconH1Graph.self
        case .attention: return LlamaGraph.self
        case .ssm:
            throw .model(
                reason: "llama.cpp has no graph of only Mamba-2 and an MLP, as `mixers: ssm` "
                    + "makes them",
                advice: "export a model with `mixers: parallel` or `attention`")
        }
    }
}

/// `FalconH1ForCausalLM`.
enum FalconH1Class: HuggingFaceClass {
    static let modelType = "falcon_h1"
    static let name = "FalconH1ForCausalLM"

    /// The fields of a Falcon-H1.
    ///
    /// RoPE's base is written in the spellings of both versions: version 4 of transformers silently
    /// takes another value if it finds only the newer one. `time_step_limit` is left out, since its
    /// infinity is spelled in a way that not all readers know.
    static func fields(of model: FalconH1Configuration) -> [String: JSONValue] {
        let sizes = model.sizes
        let own: [String: JSONValue] = [
            "mamba_chunk_size": .integer(sizes.mambaChunkSize),
            "mamba_conv_bias": .bool(true),
            "mamba_d_conv": .integer(sizes.mambaDConv),
            "mamba_d_head": .integer(sizes.mambaDHead),
            "mamba_d_ssm": .integer(sizes.mambaDSsm),
            "mamba_d_state": .integer(sizes.mambaDState),
            "mamba_expand": .integer(2),
            "mamba_n_groups": .integer(sizes.mambaNGroups),
            "mamba_n_heads": .integer(sizes.mambaNHeads),
            "mamba_norm_before_gate": .bool(false),
            "mamba_proj_bias": .bool(false),
            "mamba_rms_norm": .bool(sizes.mambaRmsNorm),
            "num_logits_to_keep": .integer(1),
            "projectors_bias": .bool(false),
        ]
        return own.merging(model.multipliers.fields) { first, _ in first }
            .merging(sizes.attentionFields) { first, _ in first }
    }

    static func read(_ fields: inout ConfigurationFields) -> ModelConfiguration? {
        fields.readFalconH1()
    }
}

/// `falcon-h1` of llama.cpp.
enum FalconH1Graph: GGUFGraph {
    static let name = "falcon-h1"

    static func metadata(of model: FalconH1Configuration) -> [(key: String, value: GGUFValue)] {
        model.sizes.attentionMetadata + model.mixer.metadata
    }

    static func read(_ fields: GGUFFields) throws -> ModelConfiguration {
        let (inner, heads) = (
            try fields.count("ssm.inner_size"), try fields.count("ssm.time_step_rank")
        )
        let hasNorm = fields.reader.tensor(named: "blk.0.ssm_norm.weight") != nil
        return try fields.readFalconH1(
            .parallel,
            mamba: [
                .mambaDSsm: .integer(inner), .mambaNHeads: .integer(heads),
                .mambaDHead: .integer(inner / max(1, heads)),
                .mambaNGroups: try fields.integer("ssm.group_count", default: 1),
                .mambaDState: try fields.integer("ssm.state_size"),
                .mambaDConv: try fields.integer("ssm.conv_kernel"),
                .mambaRmsNorm: .bool(hasNorm),
            ])
    }

    static func blockTensors(of model: FalconH1Configuration) -> [GGUFBlockTensor] {
        [GGUFBlockTensor("attn_norm.weight", .inputNorm, .gain)] + attentionTensors
            + model.mixer.blockTensors + [
                // Without ".weight", which llama's has.
                GGUFBlockTensor("ffn_norm", .feedForwardNorm, .gain)
            ] + feedForwardTensors
    }

    /// Queries, keys, values and the projection after attention.
    static let attentionTensors = [
        GGUFBlockTensor("attn_q.weight", .attention, .query),
        GGUFBlockTensor("attn_k.weight", .attention, .key),
        GGUFBlockTensor("attn_v.weight", .attention, .value),
        GGUFBlockTensor("attn_output.weight", .attention, .outputProjection),
    ]

    /// The MLP.
    static let feedForwardTensors = [
        GGUFBlockTensor("ffn_gate.weight", .feedForward, .gate),
        GGUFBlockTensor("ffn_up.weight", .feedForward, .up),
        GGUFBlockTensor("ffn_down.weight", .feedForward, .down),
    ]

    /// Always true: the graph would scale a head that is the embedding like the embedding.
    static func writesHead(_ model: FalconH1Configuration) -> Bool { true }

    static func change(
        at place: ParameterPlace, rowCount: Int, of model: FalconH1Configuration
    ) -> ForeignTensor.Change {
        place.kind == .decay
            ? .negativeExponential
            : FoldedMultipliers(model).change(at: place, rowCount: rowCount)
    }

    /// True without a norm after the scan: small models that train at high rates exceed 1e8.
    static func hasUnboundedScan(_ model: FalconH1Configuration) -> Bool {
        !model.sizes.mambaRmsNorm
    }
}

extension FalconH1Multipliers {
    /// The fields of `config.json`.
    var fields: [String: JSONValue] {
        let numbers: [CodingKeys: JSONValue] = [
            .embedding: .number(embedding), .lmHead: .number(lmHead),
            .attentionIn: .number(attentionIn), .attentionOut: .number(attentionOut),
            .key: .number(key), .ssmIn: .number(ssmIn), .ssmOut: .number(ssmOut),
            .ssm: .array(ssm.list.map { .number($0) }), .mlp: .array(mlp.list.map { .number($0) }),
        ]
        return Dictionary(uniqueKeysWithValues: numbers.map { ($0.key.rawValue, $0.value) })
    }
}

extension FalconH1Sizes {
    /// The fields of attention, MLP and norms, which Llama has too; RoPE's base in both spellings.
    var attentionFields: [String: JSONValue] {
        [
            "attention_bias": .bool(false),
            "attention_dropout": .number(0),
            "head_dim": .integer(headDim),
            "hidden_act": .string("silu"),
            "intermediate_size": .integer(intermediateSize),
            "max_position_embeddings": .integer(maxPositionEmbeddings),
            "mlp_bias": .bool(false),
            "num_attention_heads": .integer(numAttentionHeads),
            "num_key_value_heads": .integer(numKeyValueHeads),
            "rms_norm_eps": .number(rmsNormEps),
            "rope_parameters": ropeParameters,
            "rope_scaling": ropeScaling,
            "rope_theta": .number(ropeTheta),
        ]
    }

    /// The metadata of attention, MLP and norms.
    var attentionMetadata: [(key: String, value: GGUFValue)] {
        let scaling: [(key: String, value: GGUFValue)] =
            ropeScalingFactor.map {
                [
                    ("rope.scaling.type", .string("linear")),
                    ("rope.scaling.factor", .float32(Float($0))),
                ]
            } ?? []
        return [
            ("feed_forward_length", .count(intermediateSize)),
            ("attention.head_count", .count(numAttentionHeads)),
            ("attention.head_count_kv", .count(numKeyValueHeads)),
            ("attention.key_length", .count(headDim)),
            ("attention.value_length", .count(headDim)),
            ("attention.layer_norm_rms_epsilon", .float32(Float(rmsNormEps))),
            ("rope.dimension_count", .count(headDim)),
            ("rope.freq_base", .float32(Float(ropeTheta))),
        ] + scaling
    }
}

extension ConfigurationFields {
    /// Sizes and multipliers; a field that is missing takes the default of transformers 5.
    ///
    /// - Returns: nil if a problem was reported.
    mutating func readFalconH1() -> ModelConfiguration? {
        requireFalconH1Parts()
        let hiddenSize = integer("hidden_size")
        let heads = integer("num_attention_heads")
        let expand = integer("mamba_expand", default: 2)
        let innerSize =
            object["mamba_d_ssm"] == .null
            ? expand * hiddenSize : integer("mamba_d_ssm", default: 1024)
        let mambaHeads = integer("mamba_n_heads", default: 128)
        let headSize =
            value("mamba_d_head") == .string("auto") || value("mamba_d_head") == nil
            ? innerSize / max(1, mambaHeads) : integer("mamba_d_head")
        let keyValueHeads =
            object["num_key_value_heads"] == .null
            ? heads : integer("num_key_value_heads", default: 8)
        let fields: [FalconH1Sizes.CodingKeys: JSONValue] = [
            .architecture: .string(FalconH1Configuration.recipeName),
            .vocabSize: .integer(integer("vocab_size")),
            .hiddenSize: .integer(hiddenSize),
            .numHiddenLayers: .integer(integer("num_hidden_layers")),
            .intermediateSize: .integer(integer("intermediate_size")),
            .numAttentionHeads: .integer(heads),
            .numKeyValueHeads: .integer(keyValueHeads),
            .headDim: .integer(integer("head_dim", default: hiddenSize / max(1, heads))),
            .mambaDSsm: .integer(innerSize),
            .mambaNHeads: .integer(mambaHeads),
            .mambaDHead: .integer(headSize),
            .mambaNGroups: .integer(integer("mamba_n_groups", default: 1)),
            .mambaDState: .integer(integer("mamba_d_state", default: 256)),
            .mambaDConv: .integer(integer("mamba_d_conv", default: 4)),
            .mambaChunkSize: .integer(integer("mamba_chunk_size", default: 256)),
            .mambaRmsNorm: .bool(bool("mamba_rms_norm", default: false)),
            .rmsNormEps: .number(number("rms_norm_eps", default: 1e-5)),
            .ropeTheta: .number(ropeTheta()),
            .ropeScalingFactor: ropeScalingFactor(),
            .maxPositionEmbeddings: .integer(integer("max_position_embeddings", default: 8192)),
            .tieWordEmbeddings: .bool(bool("tie_word_embeddings", default: false)),
            .initialization: .string(InitializationScheme.mamba2.rawValue),
            .initializerRange: .number(number("initializer_range", default: 0.02)),
            .mixers: .string(Mixers.parallel.rawValue),
        ]
        return model(fields, and: multipliers())
    }

    /// The fixed multipliers; 1 for those that are missing.
    private mutating func multipliers() -> [String: JSONValue] {
        var found: [String: JSONValue] = [:]
        for key in FalconH1Multipliers.CodingKeys.allCases {
            let name = key.rawValue
            found[name] =
                switch key {
                case .ssm: .array(numbers(name, count: 5).map { .number($0) })
                case .mlp: .array(numbers(name, count: 2).map { .number($0) })
                default: .number(number(name, default: 1))
                }
        }
        return found
    }

    /// Reports everything that would change the computed function but is not supported here.
    private mutating func requireFalconH1Parts() {
        requireOff(
            ["attention_bias", "mlp_bias", "projectors_bias", "mamba_proj_bias"],
            "projections here have no bias")
        if !bool("mamba_conv_bias", default: true) {
            report("mamba_conv_bias", "got false, want true: the convolution here has a bias")
        }
        // The class's default is true, which matters only where there is a norm.
        if bool("mamba_rms_norm", default: false), bool("mamba_norm_before_gate", default: true) {
            report(
                "mamba_norm_before_gate",
                "got true (also if missing), want false: the gated norm here comes after the gate")
        }
        if !bool("mamba_use_mlp", default: true) {
            report("mamba_use_mlp", "got false, want true: every block here has an MLP")
        }
        requireSiLU()
        requireNoDropout()
        requireNull(["sliding_window", "attn_layer_indices", "quantization_config"])
        requireNoStepLimit()
    }
}

extension GGUFFields {
    /// A Falcon-H1 with multipliers of 1.
    ///
    /// - Parameters:
    ///   - mixers: the mixers of its blocks.
    ///   - mamba: the sizes of the state-space mixer.
    /// - Returns: the configuration.
    /// - Throws: `GGUFError` for keys that are missing or of another type; `InterchangeError` for
    ///   models that cannot be represented here.
    func readFalconH1(
        _ mixers: Mixers, mamba: [FalconH1Sizes.CodingKeys: JSONValue]
    ) throws -> ModelConfiguration {
        let heads = try count("attention.head_count")
        let width = try count("embedding_length")
        let headDim = try integer("attention.key_length", default: width / max(1, heads))
        for key in ["attention.value_length", "rope.dimension_count"]
        where try integer(key, default: headDim.integer ?? 0) != headDim {
            throw refuse(key, "want the size of a key, \(headDim.integer ?? 0)")
        }
        let fields: [FalconH1Sizes.CodingKeys: JSONValue] = [
            .architecture: .string(FalconH1Configuration.recipeName),
            .vocabSize: try vocabulary(),
            .hiddenSize: .integer(width),
            .numHiddenLayers: try integer("block_count"),
            .intermediateSize: try integer("feed_forward_length"),
            .numAttentionHeads: .integer(heads),
            .numKeyValueHeads: try integer("attention.head_count_kv", default: heads),
            .headDim: headDim,
            .mambaChunkSize: .integer(128),
            .rmsNormEps: try number("attention.layer_norm_rms_epsilon"),
            .ropeTheta: try number("rope.freq_base", default: 10_000),
            .ropeScalingFactor: try ropeScalingFactor(),
            .maxPositionEmbeddings: try integer("context_length"),
            .tieWordEmbeddings: isTied,
            .initialization: .string(InitializationScheme.mamba2.rawValue),
            .initializerRange: .number(0.02),
            .mixers: .string(mixers.rawValue),
        ]
        return try model(
            fields.merging(mamba) { first, _ in first }, and: FalconH1Multipliers.unit.fields)
    }
}
