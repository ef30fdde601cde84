/// What a data set of a mixture has given to a run so far.
public struct SourceMetrics: Codable, Equatable, Sendable {
    /// Tokens of its samples.
    public var tokens: Int
    /// How often its training split was read: samples over those of an epoch.
    public var epochs: Double
    /// The loss on its validation split, after steps that validate.
    public var validationLoss: Double?
    /// Bits per UTF-8 byte of that split.
    public var validationBitsPerByte: Double?

    /// The key of each field.
    public enum CodingKeys: String, CodingKey {
        case tokens, epochs
        case validationLoss = "validation_loss"
        case validationBitsPerByte = "validation_bits_per_byte"
    }

    /// What a source has given, before it is validated.
    ///
    /// - Parameters:
    ///   - tokens: of its samples.
    ///   - epochs: how often its training split was read.
    package init(tokens: Int, epochs: Double) {
        (self.tokens, self.epochs) = (tokens, epochs)
    }
}
