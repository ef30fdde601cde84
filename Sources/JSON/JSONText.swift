import FoundationEssentials

/// The texts that stand for numbers which JSON does not have.
private enum JSONNumberText {
    static let infinity = "Infinity"
    static let negativeInfinity = "-Infinity"
    static let nan = "NaN"
}

/// A value as JSON, keys sorted: the same text for equal values.
///
/// Numbers that are not finite become the texts `NaN`, `Infinity` and `-Infinity`, which `decodedJSON` reads
/// back as numbers.
///
/// - Parameters:
///   - value: anything that can be encoded.
///   - isPretty: on many lines, indented.
/// - Returns: the text, without a line break at its end.
/// - Throws: what the value's own encoding throws.
public func jsonText(_ value: some Encodable, isPretty: Bool = false) throws -> String {
    let encoder = makeJSONEncoder()
    if isPretty { encoder.outputFormatting.insert(.prettyPrinted) }
    return String(decoding: try encoder.encode(value), as: UTF8.self)
}

/// Reads what `jsonText` wrote, or other JSON.
///
/// - Parameters:
///   - type: the type of the value.
///   - bytes: one JSON value in UTF-8.
/// - Returns: the value.
/// - Throws: a decoding error that names the key.
public func decodedJSON<Value: Decodable>(
    _ type: Value.Type, from bytes: some Collection<UInt8>
) throws -> Value {
    try makeJSONDecoder().decode(type, from: Data(bytes))
}

/// The encoder of `jsonText`, for libraries that ask for one.
///
/// - Returns: an encoder.
public func makeJSONEncoder() -> JSONEncoder {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
        positiveInfinity: JSONNumberText.infinity,
        negativeInfinity: JSONNumberText.negativeInfinity, nan: JSONNumberText.nan)
    return encoder
}

/// The decoder of `decodedJSON`, for libraries that ask for one.
///
/// - Returns: a decoder.
public func makeJSONDecoder() -> JSONDecoder {
    let decoder = JSONDecoder()
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(
        positiveInfinity: JSONNumberText.infinity,
        negativeInfinity: JSONNumberText.negativeInfinity, nan: JSONNumberText.nan)
    return decoder
}
