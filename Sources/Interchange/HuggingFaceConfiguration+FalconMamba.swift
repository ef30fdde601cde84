import FalconCheckpoint
import FalconJSON
import FalconModel

extension FalconMambaConfiguration {
    /// The fields of `config.json` that only Falcon-Mamba has.
    ///
    /// `intermediate_size` and `mixer_rms_eps` are always written: the class's defaults are others.
    var huggingFaceFields: [String: JSONValue] {
        let isMultiple = intermediateSize % hiddenSize == 0
        return [
            "conv_kernel": .integer(convKernel),
            "expand": .integer(isMultiple ? intermediateSize / hiddenSize : 2),
            "hidden_act": .string("silu"),
            "intermediate_size": .integer(intermediateSize),
            "layer_norm_epsilon": .number(layerNormEpsilon),
            "mixer_rms_eps": .number(mixerRmsEps),
            "rescale_prenorm_residual": .bool(false),
            "residual_in_fp32": .bool(true),
            "state_size": .integer(stateSize),
            "time_step_floor": .number(1e-4),
            "time_step_init_scheme": .string("random"),
            "time_step_max": .number(0.1),
            "time_step_min": .number(1e-3),
            "time_step_rank": .integer(timeStepRank),
            "time_step_scale": .number(1),
            "use_bias": .bool(false),
            "use_conv_bias": .bool(true),
        ]
    }
}

extension ConfigurationFields {
    /// The sizes of a Falcon-Mamba; a field that is missing takes the default of transformers 5.
    ///
    /// - Returns: nil if a problem was reported.
    mutating func readFalconMamba() -> ModelConfiguration? {
        typealias Key = FalconMambaConfiguration.CodingKeys
        requireOff(["use_bias"], "projections here have no bias")
        if !bool("use_conv_bias", default: true) {
            report("use_conv_bias", "got false, want true: the convolution here has a bias")
        }
        requireSiLU()
        requireNull(["quantization_config"])
        let hiddenSize = integer("hidden_size")
        // The published 7B says expand 16 beside the right intermediate_size.
        let inner =
            value("intermediate_size") == nil
            ? integer("expand", default: 2) * hiddenSize : integer("intermediate_size")
        let isAuto = value("time_step_rank") == nil || value("time_step_rank") == .string("auto")
        let fields: [Key: JSONValue] = [
            .architecture: .string(Architecture.falconMamba.rawValue),
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
        return model(Dictionary(uniqueKeysWithValues: fields.map { ($0.key.rawValue, $0.value) }))
    }
}
