import ArgumentParser
import FalconJSON

/// The output of `--json`: the fields of a result, the version of their meaning, and the program's.
private struct JSONResult<Value: Encodable>: Encodable {
    let value: Value

    private enum CodingKeys: String, CodingKey {
        case version, falcon
    }

    func encode(to encoder: any Encoder) throws {
        try value.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(1, forKey: .version)
        try container.encode(Falcon.configuration.version, forKey: .falcon)
    }
}

/// Writes a result as one line of JSON to standard output, keys sorted.
///
/// Keys are snake_case and end in their unit; sizes are bytes, times seconds.
///
/// - Parameter value: encoded as an object; `version` and `falcon` are added.
/// - Throws: errors of its own encoding.
func printJSON(_ value: some Encodable) throws {
    print(try jsonText(JSONResult(value: value)))
}
