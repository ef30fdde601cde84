import FalconCheckpoint
import FalconModel
import FalconSystem

/// The `config.json` of a Hugging Face folder that holds a Falcon-H1 model.
///
/// - SeeAlso: `FalconH1Config` of Hugging Face transformers.
public struct HuggingFaceConfiguration: Equatable, Sendable {
    /// The file's name in a folder.
    public static let fileName = "config.json"
    /// The `model_type` of Falcon-H1.
    public static let modelType = "falcon_h1"
    /// The architecture that the weights belong to.
    public static let architecture = "FalconH1ForCausalLM"

    /// Sizes and multipliers; blocks have both mixers.
    public var model: FalconH1Configuration
    /// The token that may start a document.
    public var bosTokenID: Int?
    /// The tokens that end a document; the first is the one that training uses.
    public var eosTokenIDs: [Int]
    /// The token that fills short rows.
    public var padTokenID: Int?

    /// A configuration to be written.
    ///
    /// - Parameters:
    ///   - model: sizes and multipliers.
    ///   - bosTokenID: the token that may start a document.
    ///   - eosTokenIDs: the tokens that end a document.
    ///   - padTokenID: the token that fills short rows.
    public init(
        model: FalconH1Configuration, bosTokenID: Int? = nil, eosTokenIDs: [Int] = [],
        padTokenID: Int? = nil
    ) {
        self.model = model
        self.bosTokenID = bosTokenID
        self.eosTokenIDs = eosTokenIDs
        self.padTokenID = padTokenID
    }
}

extension HuggingFaceConfiguration {
    /// The version of transformers whose list of fields is written.
    private static let transformersVersion = "5.23.0"

    /// The text of `config.json`, so that transformers 4 and 5 both load it.
    ///
    /// RoPE's base is written in the spelling of either version: version 4 silently takes another
    /// value when it finds only the newer one. `time_step_limit` is left out, since its infinity is
    /// spelled in a way that not all readers know.
    ///
    /// - Parameter weightType: the type of the tensors beside it.
    /// - Returns: an object with its keys in alphabetical order, every field explicit.
    public func serialized(weightType: ElementType = .float32) -> String {
        let typeName =
            switch weightType {
            case .bfloat16: "bfloat16"
            case .float16: "float16"
            default: "float32"
            }
        let fields: [String: JSONValue] = [
            "architectures": .array([.string(Self.architecture)]),
            "attention_bias": .bool(false),
            "attention_dropout": .number(0),
            "attention_in_multiplier": .number(model.attentionInMultiplier),
            "attention_out_multiplier": .number(model.attentionOutMultiplier),
            "bos_token_id": bosTokenID.map { .integer($0) } ?? .null,
            "dtype": .string(typeName),
            "embedding_multiplier": .number(model.embeddingMultiplier),
            "eos_token_id": eosTokens,
            "head_dim": .integer(model.headDim),
            "hidden_act": .string("silu"),
            "hidden_size": .integer(model.hiddenSize),
            "initializer_range": .number(model.initializerRange),
            "intermediate_size": .integer(model.intermediateSize),
            "key_multiplier": .number(model.keyMultiplier),
            "lm_head_multiplier": .number(model.lmHeadMultiplier),
            "mamba_chunk_size": .integer(model.mambaChunkSize),
            "mamba_conv_bias": .bool(true),
            "mamba_d_conv": .integer(model.mambaDConv),
            "mamba_d_head": .integer(model.mambaDHead),
            "mamba_d_ssm": .integer(model.mambaDSsm),
            "mamba_d_state": .integer(model.mambaDState),
            "mamba_expand": .integer(2),
            "mamba_n_groups": .integer(model.mambaNGroups),
            "mamba_n_heads": .integer(model.mambaNHeads),
            "mamba_norm_before_gate": .bool(false),
            "mamba_proj_bias": .bool(false),
            "mamba_rms_norm": .bool(model.mambaRmsNorm),
            "max_position_embeddings": .integer(model.maxPositionEmbeddings),
            "mlp_bias": .bool(false),
            "mlp_multipliers": .array(model.mlpMultipliers.map { .number($0) }),
            "model_type": .string(Self.modelType),
            "num_attention_heads": .integer(model.numAttentionHeads),
            "num_hidden_layers": .integer(model.numHiddenLayers),
            "num_key_value_heads": .integer(model.numKeyValueHeads),
            "num_logits_to_keep": .integer(1),
            "pad_token_id": padTokenID.map { .integer($0) } ?? .null,
            "projectors_bias": .bool(false),
            "rms_norm_eps": .number(model.rmsNormEps),
            "rope_parameters": .object([
                "rope_theta": .number(model.ropeTheta), "rope_type": .string("default"),
            ]),
            "rope_scaling": .null,
            "rope_theta": .number(model.ropeTheta),
            "ssm_in_multiplier": .number(model.ssmInMultiplier),
            "ssm_multipliers": .array(model.ssmMultipliers.map { .number($0) }),
            "ssm_out_multiplier": .number(model.ssmOutMultiplier),
            "tie_word_embeddings": .bool(model.tieWordEmbeddings),
            "torch_dtype": .string(typeName),
            "transformers_version": .string(Self.transformersVersion),
            "use_cache": .bool(true),
            "vocab_size": .integer(model.vocabSize),
        ]
        var object = JSONObject()
        for (key, value) in fields.sorted(by: { $0.key < $1.key }) { object[key] = value }
        return JSONValue.object(object).serialized(indentation: 2) + "\n"
    }

    /// The text of `generation_config.json`: where generation begins and ends.
    ///
    /// - Returns: an object with its keys in alphabetical order.
    func generationJSON() -> String {
        let object: JSONObject = [
            "bos_token_id": bosTokenID.map { .integer($0) } ?? .null,
            "eos_token_id": eosTokens,
            "pad_token_id": padTokenID.map { .integer($0) } ?? .null,
            "transformers_version": .string(Self.transformersVersion),
        ]
        return JSONValue.object(object).serialized(indentation: 2) + "\n"
    }

    /// One number, a list, or null, as Hugging Face has it.
    private var eosTokens: JSONValue {
        eosTokenIDs.count > 1
            ? .array(eosTokenIDs.map { .integer($0) })
            : eosTokenIDs.first.map { .integer($0) } ?? .null
    }
}
