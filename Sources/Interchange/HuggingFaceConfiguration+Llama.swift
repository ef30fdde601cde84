import FalconCheckpoint
import FalconJSON
import FalconModel
import FalconTensor

// A Falcon-H1 with attention alone is a Llama; multipliers are folded into its weights.
extension FalconH1Configuration {
    /// The fields of `config.json` that only Llama has.
    var llamaFields: [String: JSONValue] {
        [
            "pretraining_tp": .integer(1)
        ].merging(attentionFields) { first, _ in first }
    }
}

extension ParameterNames {
    /// The names in Llama's files.
    static let llama = ParameterNames(
        stem: "model",
        [
            .embedding: Part("embed_tokens", [.matrix: "weight"]),
            .inputNorm: Part("input_layernorm", [.gain: "weight"]),
            .attention: Part(
                "self_attn",
                [
                    .query: "q_proj.weight", .key: "k_proj.weight", .value: "v_proj.weight",
                    .outputProjection: "o_proj.weight",
                ]),
            .feedForwardNorm: Part("post_attention_layernorm", [.gain: "weight"]),
            .feedForward: Part(
                "mlp",
                [.gate: "gate_proj.weight", .up: "up_proj.weight", .down: "down_proj.weight"]),
            .finalNorm: Part("norm", [.gain: "weight"]),
            .head: Part("lm_head", [.matrix: "weight"]),
        ])
}

extension ConfigurationFields {
    /// The sizes of a Llama, as a Falcon-H1 with attention alone; a field that is missing takes the
    /// default of transformers 5.
    ///
    /// - Returns: nil if a problem was reported.
    mutating func readLlama() -> ModelConfiguration? {
        requireOff(["attention_bias", "mlp_bias"], "projections here have no bias")
        requireSiLU()
        if number("attention_dropout", default: 0) != 0 {
            report("attention_dropout", "want 0: there is no dropout here")
        }
        requireNull(["sliding_window", "quantization_config"])
        let (hiddenSize, heads) = (integer("hidden_size"), integer("num_attention_heads"))
        let one = JSONValue.integer(1)
        let unit = JSONValue.number(1)
        let fields: [FalconH1Configuration.CodingKeys: JSONValue] = [
            .architecture: .string(Architecture.falconH1.rawValue),
            .vocabSize: .integer(integer("vocab_size")),
            .hiddenSize: .integer(hiddenSize),
            .numHiddenLayers: .integer(integer("num_hidden_layers")),
            .intermediateSize: .integer(integer("intermediate_size")),
            .numAttentionHeads: .integer(heads),
            .numKeyValueHeads: .integer(integer("num_key_value_heads", default: heads)),
            .headDim: .integer(integer("head_dim", default: hiddenSize / max(1, heads))),
            .mambaDSsm: one, .mambaNHeads: one, .mambaDHead: one, .mambaNGroups: one,
            .mambaDState: one, .mambaDConv: one, .mambaChunkSize: one, .mambaRmsNorm: .bool(false),
            .rmsNormEps: .number(number("rms_norm_eps", default: 1e-6)),
            .ropeTheta: .number(ropeTheta(default: 10_000)),
            .ropeScalingFactor: ropeScalingFactor(),
            .maxPositionEmbeddings: .integer(integer("max_position_embeddings", default: 2048)),
            .tieWordEmbeddings: .bool(bool("tie_word_embeddings", default: false)),
            .embeddingMultiplier: unit, .lmHeadMultiplier: unit, .attentionInMultiplier: unit,
            .attentionOutMultiplier: unit, .keyMultiplier: unit, .ssmInMultiplier: unit,
            .ssmOutMultiplier: unit,
            .ssmMultipliers: .array(Array(repeating: unit, count: 5)),
            .mlpMultipliers: .array(Array(repeating: unit, count: 2)),
            .initialization: .string(InitializationScheme.mamba2.rawValue),
            .initializerRange: .number(number("initializer_range", default: 0.02)),
            .mixers: .string(Mixers.attention.rawValue),
        ]
        return model(Dictionary(uniqueKeysWithValues: fields.map { ($0.key.rawValue, $0.value) }))
    }
}
