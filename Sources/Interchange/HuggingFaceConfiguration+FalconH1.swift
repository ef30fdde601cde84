import FalconCheckpoint
import FalconJSON
import FalconModel

extension FalconH1Configuration {
    /// The fields of `config.json` that only Falcon-H1 has.
    ///
    /// RoPE's base is written in the spelling of either version: version 4 of transformers silently
    /// takes another value when it finds only the newer one. `time_step_limit` is left out, since its
    /// infinity is spelled in a way that not all readers know.
    var huggingFaceFields: [String: JSONValue] {
        [
            "attention_in_multiplier": .number(attentionInMultiplier),
            "attention_out_multiplier": .number(attentionOutMultiplier),
            "embedding_multiplier": .number(embeddingMultiplier),
            "key_multiplier": .number(keyMultiplier),
            "lm_head_multiplier": .number(lmHeadMultiplier),
            "mamba_chunk_size": .integer(mambaChunkSize),
            "mamba_conv_bias": .bool(true),
            "mamba_d_conv": .integer(mambaDConv),
            "mamba_d_head": .integer(mambaDHead),
            "mamba_d_ssm": .integer(mambaDSsm),
            "mamba_d_state": .integer(mambaDState),
            "mamba_expand": .integer(2),
            "mamba_n_groups": .integer(mambaNGroups),
            "mamba_n_heads": .integer(mambaNHeads),
            "mamba_norm_before_gate": .bool(false),
            "mamba_proj_bias": .bool(false),
            "mamba_rms_norm": .bool(mambaRmsNorm),
            "mlp_multipliers": .array(mlpMultipliers.map { .number($0) }),
            "num_logits_to_keep": .integer(1),
            "projectors_bias": .bool(false),
            "ssm_in_multiplier": .number(ssmInMultiplier),
            "ssm_multipliers": .array(ssmMultipliers.map { .number($0) }),
            "ssm_out_multiplier": .number(ssmOutMultiplier),
        ].merging(attentionFields) { first, _ in first }
    }

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
        let fields: [FalconH1Configuration.CodingKeys: JSONValue] = [
            .architecture: .string(Architecture.falconH1.rawValue),
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
            .embeddingMultiplier: .number(number("embedding_multiplier", default: 1)),
            .lmHeadMultiplier: .number(number("lm_head_multiplier", default: 1)),
            .attentionInMultiplier: .number(number("attention_in_multiplier", default: 1)),
            .attentionOutMultiplier: .number(number("attention_out_multiplier", default: 1)),
            .keyMultiplier: .number(number("key_multiplier", default: 1)),
            .ssmInMultiplier: .number(number("ssm_in_multiplier", default: 1)),
            .ssmOutMultiplier: .number(number("ssm_out_multiplier", default: 1)),
            .ssmMultipliers: .array(numbers("ssm_multipliers", count: 5).map { .number($0) }),
            .mlpMultipliers: .array(numbers("mlp_multipliers", count: 2).map { .number($0) }),
            .initialization: .string(InitializationScheme.mamba2.rawValue),
            .initializerRange: .number(number("initializer_range", default: 0.02)),
            .mixers: .string(Mixers.parallel.rawValue),
        ]
        return model(Dictionary(uniqueKeysWithValues: fields.map { ($0.key.rawValue, $0.value) }))
    }

    /// Reports everything that would change the function computed and that the model here has not.
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
                "got true (also when missing), want false: the gated norm here norms after gating")
        }
        if !bool("mamba_use_mlp", default: true) {
            report("mamba_use_mlp", "got false, want true: every block here has an MLP")
        }
        requireSiLU()
        if number("attention_dropout", default: 0) != 0 {
            report("attention_dropout", "want 0: there is no dropout here")
        }
        requireNull(["sliding_window", "attn_layer_indices", "quantization_config"])
        if let limit = value("time_step_limit") {
            let bounds = limit.array?.map(\.number) as? [Double]
            if bounds != [0, .infinity] {
                report(
                    "time_step_limit",
                    "got \(limit.serialized()), want [0, Infinity]: time steps are not clamped here"
                )
            }
        }
    }
}
