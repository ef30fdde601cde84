import FalconGGUF
import FalconJSON
import FalconModel
import FalconRecipeSection
import FalconSystem
import FoundationEssentials

/// Takes the sizes of a model out of a GGUF file's metadata.
struct GGUFFields {
    let reader: GGUFReader
    let prefix: String

    /// A whole number.
    func count(_ key: String) throws -> Int { try reader.metadata.integer(prefix + key) }

    /// A whole number.
    func integer(_ key: String) throws -> JSONValue { .integer(try count(key)) }

    /// A whole number that may be missing.
    func integer(_ key: String, default missing: Int) throws -> JSONValue {
        reader.metadata[prefix + key] == nil ? .integer(missing) : try integer(key)
    }

    /// A number, as it was written before it became a float32.
    func number(_ key: String, default missing: Double? = nil) throws -> JSONValue {
        if let missing, reader.metadata[prefix + key] == nil { return .number(missing) }
        return .number(Self.decimal(Float(try reader.metadata.number(prefix + key))))
    }

    /// The shortest decimal number for this float32: 1e-05, not 9.99999974e-06.
    private static func decimal(_ value: Float) -> Double { Double(value.description) ?? 0 }

    /// Rows of the embedding.
    func vocabulary() throws -> JSONValue {
        guard let embedding = reader.tensor(named: "token_embd.weight") else {
            throw GGUFError(path: reader.path, problem: .missingTensor("token_embd.weight"))
        }
        return .integer(embedding.shape[0])
    }

    /// Whether the head is the embedding.
    var isTied: JSONValue { .bool(reader.tensor(named: "output.weight") == nil) }

    /// The error for a value that the models here do not have.
    func refuse(_ key: String, _ message: String) -> InterchangeError {
        .configuration(
            path: reader.path,
            problems: [ConfigurationProblem(key: prefix + key, message: message)])
    }

    /// The configuration of a model from its fields under this program's keys.
    ///
    /// - Throws: `InterchangeError.configuration` for impossible sizes.
    func model<Key: RawRepresentable<String>>(
        _ fields: [Key: JSONValue], and more: [String: JSONValue] = [:]
    ) throws -> ModelConfiguration {
        var object = JSONObject()
        for (key, value) in fields { object[key.rawValue] = value }
        for (key, value) in more { object[key] = value }
        let model: ModelConfiguration
        do {
            model = try ModelConfiguration(
                decoding: Array(JSONValue.object(object).serialized().utf8))
        } catch {
            throw refuse("*", "\(error)")
        }
        let problems = model.problems()
        guard problems.isEmpty else {
            throw InterchangeError.configuration(
                path: reader.path,
                problems: problems.map {
                    ConfigurationProblem(key: $0.key ?? prefix + "*", message: $0.message)
                })
        }
        return model
    }

    /// The divisor of positions, as llama.cpp reads it: without a type the scaling is linear, the
    /// older key counts if the newer one is missing, and 0 means none.
    func ropeScalingFactor() throws -> JSONValue {
        func has(_ key: String) -> Bool { reader.metadata[prefix + key] != nil }
        let (type, attention) = ("rope.scaling.type", "rope.scaling.attn_factor")
        if has(attention), try number(attention).number != 1 {
            throw refuse(attention, "want 1: attention is not scaled here")
        }
        let kind = has(type) ? try reader.metadata.string(prefix + type) : "linear"
        guard kind == "linear" || kind == "none" else {
            throw refuse(
                type,
                "got \"\(kind)\", want none or linear: other ways to scale positions are not "
                    + "supported")
        }
        guard let key = ["rope.scaling.factor", "rope.scale_linear"].first(where: has),
            kind == "linear"
        else { return .null }
        let factor = try number(key).number ?? .nan
        if factor == 0 || factor == 1 { return .null }
        guard factor.isFinite, factor > 0 else {
            throw refuse(key, "got \(factor), want a positive number")
        }
        return .number(factor)
    }
}
