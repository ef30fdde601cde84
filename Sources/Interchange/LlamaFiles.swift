import FalconGGUF
import FalconJSON
import FalconModel
import FalconSystem
import FalconTensor

// A Falcon-H1 with attention alone is a Llama; multipliers are folded into its weights.

/// `LlamaForCausalLM`.
enum LlamaClass: HuggingFaceClass {
    static let modelType = "llama"
    static let name = "LlamaForCausalLM"
    static let names = ParameterNames(
        stem: "model",
        [
            .embedding: ParameterNames.Part("embed_tokens", [.matrix: "weight"]),
            .inputNorm: ParameterNames.Part("input_layernorm", [.gain: "weight"]),
            .attention: ParameterNames.Part(
                "self_attn",
                [
                    .query: "q_proj.weight", .key: "k_proj.weight", .value: "v_proj.weight",
                    .outputProjection: "o_proj.weight",
                ]),
            .feedForwardNorm: ParameterNames.Part("post_attention_layernorm", [.gain: "weight"]),
            .feedForward: ParameterNames.Part(
                "mlp",
                [.gate: "gate_proj.weight", .up: "up_proj.weight", .down: "down_proj.weight"]),
            .finalNorm: ParameterNames.Part("norm", [.gain: "weight"]),
            .head: ParameterNames.Part("lm_head", [.matrix: "weight"]),
        ])

    static func fields(of model: FalconH1Configuration) -> [String: JSONValue] {
        ["pretraining_tp": .integer(1)].merging(model.sizes.attentionFields) { first, _ in first }
    }

    static func read(_ fields: inout ConfigurationFields) -> ModelConfiguration? {
        fields.readLlama()
    }

    static func written(_ model: FalconH1Configuration) -> FalconH1Configuration {
        FoldedMultipliers(model).configuration
    }

    static func tensors(
        of model: FalconH1Configuration,
        from parameters: [(place: ParameterPlace, parameter: Parameter)]
    ) -> [ForeignTensor] {
        let own = Dictionary(uniqueKeysWithValues: parameters)
        return ModelConfiguration(written(model)).parameters.compactMap { place, _ in
            // The head of a tied model is made from its embedding.
            guard let source = own[place] ?? own[ParameterPlace(.embedding, .matrix)] else {
                return nil
            }
            return ForeignTensor(
                names.name(of: place), from: source,
                FoldedMultipliers(model).change(at: place, rowCount: source.shape[0]))
        }
    }
}

/// `llama` of llama.cpp.
enum LlamaGraph: GGUFGraph {
    static let name = "llama"

    static func metadata(of model: FalconH1Configuration) -> [(key: String, value: GGUFValue)] {
        model.sizes.attentionMetadata
    }

    static func read(_ fields: GGUFFields) throws -> ModelConfiguration {
        try fields.readFalconH1(.attention, mamba: FalconH1Sizes.noMamba)
    }

    static func blockTensors(of model: FalconH1Configuration) -> [GGUFBlockTensor] {
        [GGUFBlockTensor("attn_norm.weight", .inputNorm, .gain)] + FalconH1Graph.attentionTensors
            + [GGUFBlockTensor("ffn_norm.weight", .feedForwardNorm, .gain)]
            + FalconH1Graph.feedForwardTensors
    }

    static func writesHead(_ model: FalconH1Configuration) -> Bool {
        !LlamaClass.written(model).tieWordEmbeddings
    }

    /// Scaled rows; those of queries and keys in the order of the graph's rotation.
    static func change(
        at place: ParameterPlace, rowCount: Int, of model: FalconH1Configuration
    ) -> ForeignTensor.Change {
        let folded = FoldedMultipliers(model)
        guard place.kind == .query || place.kind == .key else {
            return folded.change(at: place, rowCount: rowCount)
        }
        return .interleaved(headRows: model.sizes.headDim, scale: folded.scale(at: place))
    }
}

extension FalconH1Sizes {
    /// The sizes of the state-space mixer for a model without one.
    static var noMamba: [CodingKeys: JSONValue] {
        let one = JSONValue.integer(1)
        return [
            .mambaDSsm: one, .mambaNHeads: one, .mambaDHead: one, .mambaNGroups: one,
            .mambaDState: one, .mambaDConv: one, .mambaRmsNorm: .bool(false),
        ]
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
        requireNoDropout()
        requireNull(["sliding_window", "quantization_config"])
        let (hiddenSize, heads) = (integer("hidden_size"), integer("num_attention_heads"))
        let fields: [FalconH1Sizes.CodingKeys: JSONValue] = [
            .architecture: .string(FalconH1Configuration.recipeName),
            .vocabSize: .integer(integer("vocab_size")),
            .hiddenSize: .integer(hiddenSize),
            .numHiddenLayers: .integer(integer("num_hidden_layers")),
            .intermediateSize: .integer(integer("intermediate_size")),
            .numAttentionHeads: .integer(heads),
            .numKeyValueHeads: .integer(integer("num_key_value_heads", default: heads)),
            .headDim: .integer(integer("head_dim", default: hiddenSize / max(1, heads))),
            .mambaChunkSize: .integer(1),
            .rmsNormEps: .number(number("rms_norm_eps", default: 1e-6)),
            .ropeTheta: .number(ropeTheta(default: 10_000)),
            .ropeScalingFactor: ropeScalingFactor(),
            .maxPositionEmbeddings: .integer(integer("max_position_embeddings", default: 2048)),
            .tieWordEmbeddings: .bool(bool("tie_word_embeddings", default: false)),
            .initialization: .string(InitializationScheme.mamba2.rawValue),
            .initializerRange: .number(number("initializer_range", default: 0.02)),
            .mixers: .string(Mixers.attention.rawValue),
        ]
        return model(
            fields.merging(FalconH1Sizes.noMamba) { first, _ in first },
            and: FalconH1Multipliers.unit.fields)
    }
}
