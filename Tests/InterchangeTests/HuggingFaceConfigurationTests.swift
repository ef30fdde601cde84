import FalconCheckpoint
import FalconInterchange
import FalconJSON
import FalconModel
import FalconSystem
import FalconTestSupport
import Testing

/// A golden configuration with some keys changed; nil removes one.
private func configuration(
    _ changes: [(String, JSONValue?)] = [], of name: String = "rms_g2_untied"
) throws -> HuggingFaceConfiguration {
    let bytes = try load(goldenModels + "/" + name + "/config.json")
    var object = try #require(try JSONValue(parsing: bytes).object)
    for (key, value) in changes { object[key] = value }
    let text = JSONValue.object(object).serialized()
    return try HuggingFaceConfiguration(bytes: Array(text.utf8), path: "config.json")
}

@Suite struct HuggingFaceConfigurationTests {
    @Test func readsWhatTransformersSaves() throws {
        let read = try configuration()
        #expect(read.model.vocabSize == 61)
        #expect(read.model.hiddenSize == 24)
        #expect(read.model.falconH1?.numAttentionHeads == 3)
        #expect(read.model.falconH1?.numKeyValueHeads == 1)
        #expect(read.model.falconH1?.headDim == 8)
        #expect(read.model.falconH1?.mambaNGroups == 2)
        #expect(read.model.falconH1?.mambaRmsNorm == true)
        #expect(!read.model.sizes.tieWordEmbeddings)
        #expect(read.model.falconH1?.ropeTheta == 1e11)
        #expect(read.model.falconH1?.multipliers.embedding == 5.656854249492381)
        #expect(read.model.falconH1?.multipliers.ssm.dt == 0.7071067811865476)
        #expect(read.model.falconH1?.multipliers.mlp.list == [0.8838834764831844, 0.5859375])
        #expect(read.model.falconH1?.mixers == .parallel)
        #expect(read.bosTokenID == 1)
        #expect(read.eosTokenIDs == [11])
        #expect(read.padTokenID == 0)
        let tied = try configuration(of: "norms_g1_tied")
        #expect(tied.model.sizes.tieWordEmbeddings)
        #expect(tied.model.falconH1?.mambaRmsNorm == false)
    }

    @Test(
        arguments: [
            [("rope_parameters", nil), ("rope_theta", .number(1e11)), ("rope_scaling", .null)],
            [("rope_theta", .integer(100_000_000_000))],
            [("dtype", nil), ("torch_dtype", .string("float32")), ("time_step_limit", nil)],
            [("time_step_limit", .array([.number(0), .number(.infinity)]))],
            [("mamba_d_head", .string("auto"))], [("head_dim", .null)], [("head_dim", nil)],
            [
                ("sliding_window", .null), ("attn_layer_indices", .null),
                ("mamba_use_mlp", .bool(true)),
            ],
            [("attention_bias", nil), ("hidden_act", nil), ("mamba_expand", nil)],
        ] as [[(String, JSONValue?)]])
    func otherSpellingsMeanTheSame(changes: [(String, JSONValue?)]) throws {
        #expect(try configuration(changes) == configuration())
    }

    @Test func nullMultipliersAreOnes() throws {
        let names = [
            "embedding_multiplier", "lm_head_multiplier", "attention_in_multiplier",
            "attention_out_multiplier", "key_multiplier", "ssm_in_multiplier",
            "ssm_out_multiplier", "mlp_multipliers", "ssm_multipliers",
        ]
        for missing in [JSONValue.null, nil] {
            let model = try #require(configuration(names.map { ($0, missing) }).model.falconH1)
            #expect(model.multipliers == .unit)
        }
    }

    @Test func severalEndTokensAreRead() throws {
        let read = try configuration([("eos_token_id", .array([.integer(11), .integer(228)]))])
        #expect(read.eosTokenIDs == [11, 228])
        #expect(try configuration([("eos_token_id", .null)]).eosTokenIDs == [])
    }

    @Test(
        arguments: [
            ("model_type", .string("gpt2"), "got \"gpt2\", want one of \"falcon_h1\""),
            ("model_type", nil, "got none, want one of \"falcon_h1\""),
            (
                "architectures", .array([.string("FalconMambaForCausalLM")]),
                "FalconMambaForCausalLM"
            ),
            ("attention_bias", .bool(true), "no bias"), ("mlp_bias", .bool(true), "no bias"),
            ("projectors_bias", .bool(true), "no bias"),
            ("mamba_proj_bias", .bool(true), "no bias"),
            ("mamba_conv_bias", .bool(false), "has a bias"),
            ("mamba_norm_before_gate", .bool(true), "comes after the gate"),
            ("mamba_norm_before_gate", nil, "comes after the gate"),
            ("mamba_use_mlp", .bool(false), "has an MLP"),
            ("hidden_act", .string("gelu"), "\"silu\""),
            ("attention_dropout", .number(0.1), "no dropout"),
            ("sliding_window", .integer(4096), "want null"),
            ("attn_layer_indices", .array([.integer(1)]), "want null"),
            ("time_step_limit", .array([.number(0.001), .number(0.1)]), "not clamped"),
            (
                "rope_scaling", .object(["type": .string("dynamic"), "factor": .number(2)]),
                "want \"default\" or \"linear\""
            ),
            ("rope_scaling", .object(["factor": .number(2)]), "want one \"rope_type\""),
            ("rope_scaling", .object(["type": .string("linear")]), "want a positive number"),
            (
                "rope_scaling", .object(["type": .string("linear"), "factor": .number(2)]),
                "rope_parameters has 1"
            ),
            (
                "rope_parameters",
                .object(["rope_type": .string("yarn"), "rope_theta": .number(1e11)]),
                "want \"default\""
            ),
            ("rope_parameters", nil, "is missing"),
            ("rope_theta", .number(1e5), "rope_parameters has"),
            ("hidden_size", nil, "is missing, want a whole number"),
            ("hidden_size", .number(24.5), "got 24.5, want a whole number"),
            ("hidden_size", .integer(1 << 40), "got 1099511627776, want a whole number"),
            ("hidden_size", .integer(0), "got 0"), ("mamba_n_heads", .integer(5), "mamba_d_ssm"),
            ("ssm_multipliers", .array([.number(1)]), "want a list of 5"),
            ("mlp_multipliers", .string("x"), "want a list of 2 numbers"),
            ("key_multiplier", .string("1"), "want a finite number"),
            ("tie_word_embeddings", .integer(1), "want true or false"),
            ("eos_token_id", .string("</s>"), "want a whole number or a list"),
        ] as [(String, JSONValue?, String)])
    func refusesByNameWhatTheModelCannotRepresent(
        key: String, value: JSONValue?, message: String
    ) throws {
        let error = #expect(throws: InterchangeError.self) { try configuration([(key, value)]) }
        let text = error?.description ?? ""
        #expect(text.contains(key) || key == "mamba_n_heads" || key == "rope_parameters")
        #expect(text.contains(message), "\(text)")
        #expect(error?.exitStatus == .badData)
    }

    @Test func normOrderDoesNotMatterWithoutNorm() throws {
        let read = try configuration([("mamba_norm_before_gate", nil)], of: "norms_g1_tied")
        #expect(try read == configuration(of: "norms_g1_tied"))
    }

    @Test func reportsAllProblemsTogether() throws {
        let error = #expect(throws: InterchangeError.self) {
            try configuration([
                ("attention_bias", .bool(true)), ("hidden_act", .string("gelu")),
                ("vocab_size", nil),
            ])
        }
        guard case .configuration(_, let problems) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(problems.map(\.key) == ["attention_bias", "hidden_act", "vocab_size"])
    }

    @Test(arguments: goldenModelNames)
    func whatIsWrittenReadsBack(name: String) throws {
        var config = try configuration(of: name)
        for eos in [[], [11], [11, 228]] {
            config.eosTokenIDs = eos
            let text = try config.serialized(weightType: .bfloat16)
            let read = try HuggingFaceConfiguration(bytes: Array(text.utf8), path: "config.json")
            #expect(read == config)
        }
    }

    @Test func bothSpellingsAreWritten() throws {
        let text = try configuration().serialized(weightType: .bfloat16)
        let object = try #require(try JSONValue(parsing: text).object)
        #expect(object["rope_theta"] == .number(1e11))
        #expect(object["rope_scaling"] == .null)
        #expect(object["rope_parameters"]?.object?["rope_theta"] == .number(1e11))
        #expect(object["torch_dtype"] == .string("bfloat16"))
        #expect(object["dtype"] == .string("bfloat16"))
        #expect(object["mamba_norm_before_gate"] == .bool(false))
        #expect(object["time_step_limit"] == nil)
        #expect(object.keys == object.keys.sorted())
    }
}
