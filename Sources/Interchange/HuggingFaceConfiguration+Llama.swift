import FalconCheckpoint
import FalconModel
import FalconSystem

// A Falcon-H1 with attention alone is a Llama; multipliers are folded into its weights.
extension FalconH1Configuration {
    /// The fields of `config.json` that only Llama has.
    var llamaFields: [String: JSONValue] {
        [
            "pretraining_tp": .integer(1)
        ].merging(attentionFields) { first, _ in first }
    }

    /// The name of a parameter in Llama's files.
    ///
    /// - Parameter name: this program's name.
    /// - Returns: Llama's.
    static func llamaName(of name: String) -> String {
        if name == "model.final_layernorm.weight" { return "model.norm.weight" }
        var parts = name.split(separator: ".").map(String.init)
        if parts.count > 3, parts[1] == "layers" {
            if parts[3] == "feed_forward" { parts[3] = "mlp" }
            if parts[3] == "pre_ff_layernorm" { parts[3] = "post_attention_layernorm" }
        }
        return parts.joined(separator: ".")
    }
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
