import FoundationEssentials

extension FalconH1Configuration {
    /// The `config.json` of a checkpoint: every field under its Hugging Face name, keys sorted.
    ///
    /// - Returns: JSON, the same bytes for equal configurations.
    /// - Throws: an encoding error if a number is not finite.
    public func encoded() throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(self)) + [0x0A]
    }

    /// Reads what `encoded()` wrote.
    ///
    /// - Parameter bytes: the contents of a checkpoint's `config.json`.
    /// - Throws: a decoding error that names the field.
    public init(decoding bytes: [UInt8]) throws {
        self = try JSONDecoder().decode(Self.self, from: Data(bytes))
    }
}
