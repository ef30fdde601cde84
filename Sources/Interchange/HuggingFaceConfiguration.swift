import FalconCheckpoint
import FalconJSON
import FalconModel

/// The `config.json` of a Hugging Face folder.
///
/// - SeeAlso: `FalconH1Config`, `FalconMambaConfig` and `LlamaConfig` of Hugging Face transformers.
public struct HuggingFaceConfiguration: Equatable, Sendable {
    /// The file's name in a folder.
    public static let fileName = "config.json"

    /// Sizes and multipliers.
    public var model: ModelConfiguration
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
        model: ModelConfiguration, bosTokenID: Int? = nil, eosTokenIDs: [Int] = [],
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
    /// - Parameter weightType: the type of the tensors beside it.
    /// - Returns: an object with its keys in alphabetical order, every field explicit.
    /// - Throws: `InterchangeError.model` if no class of transformers computes the model's function.
    public func serialized(
        weightType: ElementType = .float32
    ) throws(InterchangeError) -> String {
        let typeName =
            switch weightType {
            case .bfloat16: "bfloat16"
            case .float16: "float16"
            default: "float32"
            }
        let modelClass = try model.huggingFaceClass()
        let common: [String: JSONValue] = [
            "architectures": .array([.string(modelClass.name)]),
            "bos_token_id": bosTokenID.map { .integer($0) } ?? .null,
            "dtype": .string(typeName),
            "eos_token_id": eosTokens,
            "hidden_size": .integer(model.hiddenSize),
            "initializer_range": .number(model.sizes.initializerRange),
            "model_type": .string(modelClass.modelType),
            "num_hidden_layers": .integer(model.numHiddenLayers),
            "pad_token_id": padTokenID.map { .integer($0) } ?? .null,
            "tie_word_embeddings": .bool(model.sizes.tieWordEmbeddings),
            "torch_dtype": .string(typeName),
            "transformers_version": .string(Self.transformersVersion),
            "use_cache": .bool(true),
            "vocab_size": .integer(model.vocabSize),
        ]
        var object = JSONObject()
        let fields = common.merging(modelClass.fields(of: model)) { first, _ in first }
        for (key, value) in fields.sorted(by: { $0.key < $1.key }) { object[key] = value }
        return JSONValue.object(object).serialized(indentation: 2) + "\n"
    }

    /// The text of `generation_config.json`: the tokens at which generation begins and ends.
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

    /// One number, a list, or null, as in Hugging Face.
    private var eosTokens: JSONValue {
        eosTokenIDs.count > 1
            ? .array(eosTokenIDs.map { .integer($0) })
            : eosTokenIDs.first.map { .integer($0) } ?? .null
    }
}
