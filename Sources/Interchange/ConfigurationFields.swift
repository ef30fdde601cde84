import FalconCheckpoint
import FalconJSON
import FalconModel
import FoundationEssentials

/// Takes fields out of a `config.json` and collects the problems with them.
struct ConfigurationFields {
    let object: JSONObject
    private(set) var problems: [ConfigurationProblem] = []

    init(_ object: JSONObject) { self.object = object }

    mutating func report(_ key: String, _ message: String) {
        problems.append(ConfigurationProblem(key: key, message: message))
    }

    /// The value of a key; nil if it is missing or null.
    func value(_ key: String) -> JSONValue? {
        let value = object[key]
        return value == .null ? nil : value
    }

    /// Reads a field; null and absence mean the class's default.
    mutating func read<Value>(
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

    mutating func integer(_ key: String, default missing: Int? = nil) -> Int {
        // Bounded, so that products of two sizes cannot overflow before they are checked.
        let limit = Int(Int32.max)
        return read(
            key, { $0.integer.flatMap { $0.magnitude <= limit ? $0 : nil } },
            want: "a whole number of at most \(limit)", default: missing, else: 1)
    }

    mutating func number(_ key: String, default missing: Double? = nil) -> Double {
        read(
            key, { $0.number.flatMap { $0.isFinite ? $0 : nil } }, want: "a finite number",
            default: missing, else: 1)
    }

    mutating func bool(_ key: String, default missing: Bool) -> Bool {
        read(key, \.bool, want: "true or false", default: missing, else: missing)
    }

    mutating func numbers(_ key: String, count: Int) -> [Double] {
        let ones = Array(repeating: 1.0, count: count)
        return read(
            key,
            { ($0.array?.map(\.number) as? [Double]).flatMap { $0.count == count ? $0 : nil } },
            want: "a list of \(count) numbers", default: ones, else: ones)
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

    /// Reports switches that are on for something that the models here do not have.
    mutating func requireOff(_ keys: [String], _ reason: String) {
        for key in keys where bool(key, default: false) {
            report(key, "got true, want false: \(reason)")
        }
    }

    /// Reports keys with a value for something that the models here do not have.
    mutating func requireNull(_ keys: [String]) {
        for key in keys {
            if let found = value(key) {
                report(key, "got \(found.serialized()), want null: this is not supported here")
            }
        }
    }

    /// Reports an activation other than SiLU, which some files call by its other name.
    mutating func requireSiLU() {
        if let activation = value("hidden_act"), activation != .string("silu"),
            activation != .string("swish")
        {
            report("hidden_act", "got \(activation.serialized()), want \"silu\"")
        }
    }

    /// Reports dropout of attention.
    mutating func requireNoDropout() {
        if number("attention_dropout", default: 0) != 0 {
            report("attention_dropout", "want 0: there is no dropout here")
        }
    }

    /// Reports what the mixers of Mamba models here do not have.
    mutating func requireMambaParts() {
        requireOff(["use_bias"], "projections here have no bias")
        if !bool("use_conv_bias", default: true) {
            report("use_conv_bias", "got false, want true: the convolution here has a bias")
        }
        requireSiLU()
        requireNull(["quantization_config"])
    }

    /// Reports limits of the time steps, which are not clamped here.
    mutating func requireNoStepLimit() {
        guard let limit = value("time_step_limit") else { return }
        if limit.array?.map(\.number) as? [Double] != [0, .infinity] {
            report(
                "time_step_limit",
                "got \(limit.serialized()), want [0, Infinity]: time steps are not clamped here")
        }
    }

    /// The configuration of a model from its fields under this program's keys.
    ///
    /// - Returns: nil if a problem was reported.
    mutating func model<Key: RawRepresentable<String>>(
        _ fields: [Key: JSONValue], and more: [String: JSONValue] = [:]
    ) -> ModelConfiguration? {
        guard problems.isEmpty else { return nil }
        var normal = JSONObject()
        for (key, value) in fields { normal[key.rawValue] = value }
        for (key, value) in more { normal[key] = value }
        do {
            return try ModelConfiguration(
                decoding: Array(JSONValue.object(normal).serialized().utf8))
        } catch {
            report("config", "\(error)")
            return nil
        }
    }
}
