import FalconInterchange
import FalconJSON
import FalconModel
import FalconTensor
import FalconTestSupport
import Testing

/// The configurations of Falcon-Mamba and Llama folders.
@Suite struct OtherConfigurationTests {
    /// A golden configuration with some keys changed; nil removes one.
    private func read(
        _ name: String, _ changes: [(String, JSONValue?)] = []
    ) throws -> ModelConfiguration {
        let bytes = try load(goldenModels + "/" + name + "/config.json")
        var object = try #require(try JSONValue(parsing: bytes).object)
        for (key, value) in changes { object[key] = value }
        let text = JSONValue.object(object).serialized()
        return try HuggingFaceConfiguration(bytes: Array(text.utf8), path: "config.json").model
    }

    @Test func thePublishedFalconMambaIsRead() throws {
        // As in the repository of the 7B model: expand is wrong, mixer_rms_eps and the head's tie missing
        // or null there.
        let text = """
            {"model_type": "falcon_mamba", "architectures": ["FalconMambaForCausalLM"],
             "vocab_size": 65024, "hidden_size": 4096, "intermediate_size": 8192, "expand": 16,
             "state_size": 16, "num_hidden_layers": 64, "conv_kernel": 4, "time_step_rank": 256,
             "layer_norm_epsilon": 1e-05, "hidden_act": "silu", "use_bias": false,
             "use_conv_bias": true, "tie_word_embeddings": false, "bos_token_id": 0,
             "eos_token_id": 11, "pad_token_id": 11, "torch_dtype": "bfloat16",
             "use_mambapy": false, "time_step_min": 0.001}
            """
        let read = try HuggingFaceConfiguration(bytes: Array(text.utf8), path: "config.json")
        let sizes = try #require(read.model.sizes as? FalconMambaConfiguration)
        #expect(sizes.intermediateSize == 8192 && sizes.timeStepRank == 256)
        #expect(sizes.layerNormEpsilon == 1e-5 && sizes.mixerRmsEps == 1e-6)
        #expect(read.model.makeModel().table.parameterCount == 7_272_665_088)
        #expect(read.bosTokenID == 0 && read.eosTokenIDs == [11] && read.padTokenID == 11)
        let written = try HuggingFaceConfiguration(
            bytes: Array(read.serialized().utf8), path: "config.json")
        #expect(written == read)
        #expect(try read.serialized().contains("\"tie_word_embeddings\": false"))
        #expect(try read.serialized().contains("\"mixer_rms_eps\": 1e-06"))
    }

    @Test func missingMambaKeysTakeTheClassesDefaults() throws {
        let changes: [(String, JSONValue?)] = [
            ("intermediate_size", nil), ("time_step_rank", .string("auto")), ("state_size", nil),
            ("conv_kernel", nil), ("tie_word_embeddings", nil), ("mixer_rms_eps", .null),
        ]
        let sizes = try #require(
            try read("mamba_odd_untied", changes).sizes as? FalconMambaConfiguration)
        #expect(sizes.intermediateSize == 40 && sizes.timeStepRank == 2 && sizes.stateSize == 16)
        #expect(sizes.convKernel == 4 && sizes.tieWordEmbeddings && sizes.mixerRmsEps == 1e-6)
    }

    /// The class's defaults are the published 7B, Mamba-Codestral.
    @Test func missingMamba2KeysTakeTheClassesDefaults() throws {
        let read = try HuggingFaceConfiguration(
            bytes: Array(#"{"model_type": "mamba2"}"#.utf8), path: "config.json")
        let sizes = try #require(read.model.sizes as? Mamba2Configuration)
        #expect(sizes.intermediateSize == 8192 && sizes.nGroups == 8 && sizes.stateSize == 128)
        #expect(sizes.vocabSize == 32_768 && sizes.chunkSize == 256 && !sizes.tieWordEmbeddings)
        #expect(read.model.makeModel().table.parameterCount == 7_285_403_648)
    }

    @Test func aLlamaIsAttentionAlone() throws {
        let sizes = try #require(try read("llama_tied").falconH1)
        #expect(sizes.mixers == .attention && sizes.headDim == 8 && sizes.ropeTheta == 10_000)
        #expect(sizes.hasUnitMultipliers && sizes.tieWordEmbeddings)
        let older: [(String, JSONValue?)] = [
            ("rope_parameters", nil), ("rope_theta", .number(100_000)), ("head_dim", nil),
            ("num_key_value_heads", nil), ("torch_dtype", .string("bfloat16")),
        ]
        let other = try #require(try read("llama_tied", older).falconH1)
        #expect(other.ropeTheta == 100_000 && other.numKeyValueHeads == 3 && other.headDim == 8)
    }

    @Test(
        arguments: [
            ("mamba_tied", "use_bias", .bool(true), "no bias"),
            ("mamba_tied", "use_conv_bias", .bool(false), "has a bias"),
            ("mamba_tied", "hidden_act", .string("relu"), "\"silu\""),
            ("mamba_tied", "state_size", .integer(0), "at least 1"),
            ("mamba_tied", "time_step_rank", .string("big"), "a whole number"),
            ("mamba_tied", "hidden_size", nil, "is missing"),
            ("mamba_tied", "quantization_config", .object([:]), "want null"),
            ("mamba_tied", "mixer_rms_eps", .number(-1), "positive"),
            ("mamba2_tied", "use_bias", .bool(true), "no bias"),
            ("mamba2_tied", "use_conv_bias", .bool(false), "has a bias"),
            ("mamba2_tied", "hidden_act", .string("relu"), "\"silu\""),
            ("mamba2_tied", "num_heads", .integer(5), "want expand · hidden_size = 48"),
            ("mamba2_tied", "n_groups", .integer(4), "does not divide"),
            (
                "mamba2_tied", "time_step_limit", .array([.number(0), .number(1)]),
                "not clamped"
            ),
            ("llama_tied", "attention_bias", .bool(true), "no bias"),
            ("llama_tied", "mlp_bias", .bool(true), "no bias"),
            ("llama_tied", "hidden_act", .string("gelu"), "\"silu\""),
            ("llama_tied", "sliding_window", .integer(4096), "want null"),
            (
                "llama_tied", "rope_scaling", .object(["rope_type": .string("llama3")]),
                "not supported"
            ),
            ("llama_tied", "num_key_value_heads", .integer(2), "does not divide"),
            ("llama_tied", "architectures", .array([.string("MistralForCausalLM")]), "Llama"),
        ] as [(String, String, JSONValue?, String)])
    func whatCannotBeRepresentedIsRefusedByName(
        name: String, key: String, value: JSONValue?, message: String
    ) throws {
        #expect {
            try read(name, [(key, value)])
        } throws: { error in
            let text = "\(error)"
            return text.contains(key) && text.contains(message)
        }
    }
}
