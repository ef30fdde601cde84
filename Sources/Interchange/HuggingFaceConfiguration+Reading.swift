import FalconCheckpoint
import FalconModel
import FalconSystem
import FoundationEssentials

extension HuggingFaceConfiguration {
    /// Reads `config.json` in any spelling of transformers 4 and 5.
    ///
    /// - Parameters:
    ///   - bytes: the file's contents.
    ///   - path: its name, for messages.
    /// - Throws: `InterchangeError.configuration` with every field that is wrong, or that asks for what
    ///   the model here cannot do. Fields that change nothing are ignored.
    public init(bytes: [UInt8], path: String) throws(InterchangeError) {
        let object: JSONObject
        do {
            guard let found = try JSONValue(parsing: bytes).object else {
                throw JSONError(message: "an object is wanted", offset: 0)
            }
            object = found
        } catch {
            let problem = ConfigurationProblem(key: "config", message: "\(error)")
            throw .configuration(path: path, problems: [problem])
        }
        var fields = ConfigurationFields(object)
        guard fields.requireFalconH1() else {
            throw .configuration(path: path, problems: fields.problems)
        }
        fields.requireRepresentable()
        let model = fields.readModel()
        bosTokenID = fields.optionalInteger("bos_token_id")
        padTokenID = fields.optionalInteger("pad_token_id")
        eosTokenIDs = fields.integers("eos_token_id")
        for problem in model?.problems() ?? [] {
            fields.report(problem.key ?? "config", problem.message)
        }
        guard let model, fields.problems.isEmpty else {
            throw .configuration(path: path, problems: fields.problems)
        }
        self.model = model
    }

    /// Reads `config.json` of a folder.
    ///
    /// - Parameter folder: a Hugging Face folder or a checkpoint.
    /// - Throws: `FileError` if there is none, else as for `init(bytes:path:)`.
    public init(folder: String) throws {
        let path = folder + "/" + Self.fileName
        try self.init(bytes: InputFile.contents(of: path), path: path)
    }
}

/// Takes fields out of a `config.json` and collects what is wrong with them.
private struct ConfigurationFields {
    private let object: JSONObject
    private(set) var problems: [ConfigurationProblem] = []

    init(_ object: JSONObject) { self.object = object }

    mutating func report(_ key: String, _ message: String) {
        problems.append(ConfigurationProblem(key: key, message: message))
    }

    /// The value of a key; nil if it is missing or null.
    private func value(_ key: String) -> JSONValue? {
        let value = object[key]
        return value == .null ? nil : value
    }

    /// Reads a field; null and absence mean the class's default.
    private mutating func read<Value>(
        _ key: String, _ convert: (JSONValue) -> Value?, want: String, default missing: Value?,
        else placeholder: Value
    ) -> Value {
        guard let found = value(key) else {
            if let missing { return missing }
            report(key, "is missing, want \(want)")
            return placeholder
        }
        if let converted = convert(found) { return converted }
        report(key, "got \(found.serialized()), want \(want)")
        return placeholder
    }

    private mutating func integer(_ key: String, default missing: Int? = nil) -> Int {
        // Bounded, so that products of two sizes cannot overflow before they are judged.
        let limit = Int(Int32.max)
        return read(
            key, { $0.integer.flatMap { $0.magnitude <= limit ? $0 : nil } },
            want: "a whole number of at most \(limit)", default: missing, else: 1)
    }

    private mutating func number(_ key: String, default missing: Double? = nil) -> Double {
        read(
            key, { $0.number.flatMap { $0.isFinite ? $0 : nil } }, want: "a finite number",
            default: missing, else: 1)
    }

    private mutating func bool(_ key: String, default missing: Bool) -> Bool {
        read(key, \.bool, want: "true or false", default: missing, else: missing)
    }

    private mutating func numbers(_ key: String, count: Int) -> [Double] {
        read(
            key, { $0.array?.map(\.number) as? [Double] }, want: "a list of \(count) numbers",
            default: Array(repeating: 1, count: count), else: [])
    }

    mutating func optionalInteger(_ key: String) -> Int? {
        guard let found = value(key) else { return nil }
        if let number = found.integer { return number }
        report(key, "got \(found.serialized()), want a whole number")
        return nil
    }

    mutating func integers(_ key: String) -> [Int] {
        guard let found = value(key) else { return [] }
        if let number = found.integer { return [number] }
        if let numbers = found.array?.map(\.integer) as? [Int] { return numbers }
        report(key, "got \(found.serialized()), want a whole number or a list of them")
        return []
    }

    /// Whether the file is of this architecture; reports otherwise.
    mutating func requireFalconH1() -> Bool {
        let type = value("model_type")?.string
        if type != HuggingFaceConfiguration.modelType {
            report(
                "model_type",
                "got \(type.map { "\"\($0)\"" } ?? "none"), want "
                    + "\"\(HuggingFaceConfiguration.modelType)\"")
        }
        if let architectures = value("architectures"),
            architectures.array?.contains(.string(HuggingFaceConfiguration.architecture)) != true
        {
            report(
                "architectures",
                "got \(architectures.serialized()), want "
                    + "[\"\(HuggingFaceConfiguration.architecture)\"]")
        }
        return problems.isEmpty
    }

    /// Reports everything that would change the function computed and that the model here has not.
    mutating func requireRepresentable() {
        for key in ["attention_bias", "mlp_bias", "projectors_bias", "mamba_proj_bias"]
        where bool(key, default: false) {
            report(key, "got true, want false: projections here have no bias")
        }
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
        if let activation = value("hidden_act"), activation != .string("silu") {
            report("hidden_act", "got \(activation.serialized()), want \"silu\"")
        }
        if number("attention_dropout", default: 0) != 0 {
            report("attention_dropout", "want 0: there is no dropout here")
        }
        for key in ["sliding_window", "attn_layer_indices", "quantization_config"] {
            if let found = value(key) {
                report(key, "got \(found.serialized()), want null: there is no such thing here")
            }
        }
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

    /// RoPE's base in either spelling.
    private mutating func ropeTheta() -> Double {
        if let scaling = value("rope_scaling") {
            let type = scaling.object?["rope_type"] ?? scaling.object?["type"]
            if type != .string("default") {
                report(
                    "rope_scaling", "got \(scaling.serialized()), want null: it is not supported")
            }
        }
        var found: [Double] = []
        if value("rope_theta") != nil { found.append(number("rope_theta")) }
        if let parameters = value("rope_parameters") {
            let nested = parameters.object ?? [:]
            if let type = nested["rope_type"], type != .string("default"), type != .null {
                report("rope_parameters.rope_type", "got \(type.serialized()), want \"default\"")
            }
            if let share = nested["partial_rotary_factor"]?.number, share != 1 {
                report("rope_parameters.partial_rotary_factor", "got \(share), want 1")
            }
            if let theta = nested["rope_theta"] {
                if let number = theta.number, number.isFinite {
                    found.append(number)
                } else {
                    report("rope_parameters.rope_theta", "got \(theta.serialized()), want a number")
                }
            }
        }
        if let first = found.first {
            if found.contains(where: { $0 != first }) {
                report("rope_theta", "got \(first), but rope_parameters has \(found[1])")
            }
            return first
        }
        report(
            "rope_theta",
            "is missing, also in rope_parameters; versions of transformers assume different values")
        return 1
    }

    /// Sizes and multipliers; a field that is missing takes the default of transformers 5.
    ///
    /// - Returns: nil if a problem was reported.
    mutating func readModel() -> FalconH1Configuration? {
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
        guard problems.isEmpty else { return nil }
        var normal = JSONObject()
        for (key, value) in fields { normal[key.rawValue] = value }
        do {
            return try JSONDecoder().decode(
                FalconH1Configuration.self,
                from: Data(JSONValue.object(normal).serialized().utf8))
        } catch {
            report("config", "\(error)")
            return nil
        }
    }
}
