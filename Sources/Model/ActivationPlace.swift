/// Where in a model an activation is, as observers are told.
public struct ActivationPlace: Hashable, Sendable {
    /// What is observed.
    public enum Kind: String, CaseIterable, Sendable {
        /// The residual stream before the first block.
        case embedding
        /// What enters the projection after the scan of a block.
        case scanOutput = "scan_output"
        /// What the state-space mixer of a block adds.
        case ssm
        /// What the attention of a block adds.
        case attention
        /// What the MLP of a block adds.
        case feedForward = "feed_forward"
        /// The residual stream after a block.
        case residual
        case logits

        /// Whether every block has its own.
        public var isInBlocks: Bool { self != .embedding && self != .logits }
    }

    /// The number of the block, from 0; nil outside of blocks.
    public let block: Int?
    /// What is observed there.
    public let kind: Kind

    /// A place.
    ///
    /// - Parameters:
    ///   - kind: what is observed.
    ///   - block: the number of the block, from 0; nil outside of blocks.
    public init(_ kind: Kind, block: Int? = nil) { (self.kind, self.block) = (kind, block) }

    /// The name in a run's metrics: `embedding`, `layers.0.ssm`, `layers.0` for the residual stream.
    public var name: String {
        guard let block else { return kind.rawValue }
        return "layers.\(block)" + (kind == .residual ? "" : "." + kind.rawValue)
    }

    /// Understands a name.
    ///
    /// - Parameter name: any text; nil comes of what is no place.
    public init?(name: String) {
        let words = name.split(separator: ".")
        let isInBlock = words.count > 1
        self.init(
            isInBlock && words.count == 2
                ? .residual : words.last.flatMap { Kind(rawValue: String($0)) } ?? .residual,
            block: isInBlock ? Int(words[1]) : nil)
        guard self.name == name, kind.isInBlocks == (block != nil) else { return nil }
    }
}
