import FalconCheckpoint
import FalconJSON
import FalconModel

// Rotary positions: base and linear scaling, in the spellings of transformers 4 (`rope_theta`,
// `rope_scaling`) and 5 (`rope_parameters`).
extension FalconH1Sizes {
    /// The spelling of transformers 5.
    var ropeParameters: JSONValue {
        guard let ropeScalingFactor else {
            return .object(["rope_theta": .number(ropeTheta), "rope_type": .string("default")])
        }
        return .object([
            "factor": .number(ropeScalingFactor), "rope_theta": .number(ropeTheta),
            "rope_type": .string("linear"),
        ])
    }

    /// The spelling of transformers 4, with both of its names for the type.
    var ropeScaling: JSONValue {
        guard let ropeScalingFactor else { return .null }
        return .object([
            "factor": .number(ropeScalingFactor), "rope_type": .string("linear"),
            "type": .string("linear"),
        ])
    }
}

extension ConfigurationFields {
    /// RoPE's base in either spelling.
    ///
    /// - Parameter missing: the default; nil if the file must have a value.
    /// - Returns: the base.
    mutating func ropeTheta(default missing: Double? = nil) -> Double {
        var found: [Double] = []
        if value("rope_theta") != nil { found.append(number("rope_theta")) }
        if let parameters = value("rope_parameters") {
            let nested = parameters.object ?? [:]
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
        if let missing { return missing }
        report(
            "rope_theta",
            "is missing, also in rope_parameters; versions of transformers assume different values")
        return 1
    }

    /// The divisor of positions, in either spelling.
    ///
    /// - Returns: a number; null for none. Other kinds of scaling are reported.
    mutating func ropeScalingFactor() -> JSONValue {
        let factors = ["rope_scaling", "rope_parameters"].compactMap { linearFactor($0) }
        if let first = factors.first, factors.contains(where: { $0 != first }) {
            report("rope_scaling", "got the factor \(first), but rope_parameters has \(factors[1])")
        }
        return factors.first { $0 != 1 }.map { .number($0) } ?? .null
    }

    /// The factor in one spelling; nil if there is none or it cannot be used.
    private mutating func linearFactor(_ key: String) -> Double? {
        guard let found = value(key) else { return nil }
        guard let scaling = found.object else {
            report(key, "got \(found.serialized()), want an object or null")
            return nil
        }
        if scaling.keys.isEmpty { return nil }
        // In the newer spelling the type may be missing.
        let names = ["rope_type", "type"].compactMap { scaling[$0] }.filter { $0 != .null }
        let isNewer = key == "rope_parameters"
        guard let type = names.first ?? (isNewer ? .string("default") : nil),
            names.allSatisfy({ $0 == type })
        else {
            report(key, "got \(found.serialized()), want one \"rope_type\": default or linear")
            return nil
        }
        switch type {
        case .string("default"): return isNewer ? 1 : nil
        case .string("linear"):
            guard let factor = scaling["factor"]?.number, factor.isFinite, factor > 0 else {
                report(
                    key + ".factor",
                    "got \(scaling["factor"]?.serialized() ?? "none"), want a positive number")
                return nil
            }
            return factor
        default:
            report(
                isNewer ? key + ".rope_type" : key,
                "got \(isNewer ? type.serialized() : found.serialized()), want \"default\" or "
                    + "\"linear\": other ways to scale positions are not supported")
            return nil
        }
    }
}
