/// The place of an activation in a model.
public struct ActivationPlace: Hashable, Sendable {
    /// A kind of activation.
    public enum Kind: String, CaseIterable, Sendable {
        /// The residual stream before the first block.
        case embedding
        /// The input of the projection after the scan of a block.
        case scanOutput = "scan_output"
        /// The output of the state-space mixer of a block.
        case ssm
        /// The output of the attention of a block.
        case attention
        /// The output of the MLP of a block.
        case feedForward = "feed_forward"
        /// The residual stream after a block.
        case residual
        case logits

        /// Whether every block has one.
        public var isInBlocks: Bool { self != .embedding && self != .logits }
    }

    /// The number of the block, from 0; nil outside of blocks.
    public let block: Int?
    /// The kind of activation.
    public let kind: Kind

    /// A place.
    ///
    /// - Parameters:
    ///   - kind: the kind of activation.
    ///   - block: the number of the block, from 0; nil outside of blocks.
    public init(_ kind: Kind, block: Int? = nil) { (self.kind, self.block) = (kind, block) }

    /// The name in a run's metrics: `embedding`, `layers.0.ssm`, `layers.0` for the residual stream.
    public var name: String {
        guard let block else { return kind.rawValue }
        return "layers.\(block)" + (kind == .residual ? "" : "." + kind.rawValue)
    }

    /// The place with a name.
    ///
    /// - Parameter name: any text; the result is nil if it is not the name of a place.
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
