/// The parts of a language model that have parameters.
public enum ModelPart: CaseIterable, Sendable {
    case embedding
    /// The norm that the mixers of a block read.
    case inputNorm
    case attention
    /// The state-space mixer.
    case mamba
    /// The norm that the MLP of a block reads.
    case feedForwardNorm
    /// The gated MLP.
    case feedForward
    /// The norm after the last block.
    case finalNorm
    case head

    /// Whether every block has its own.
    public var isInBlocks: Bool {
        switch self {
        case .embedding, .finalNorm, .head: false
        case .inputNorm, .attention, .mamba, .feedForwardNorm, .feedForward: true
        }
    }
}

/// The place of a parameter in a model, so that no code has to take names apart.
public struct ParameterPlace: Hashable, Sendable {
    /// The kind of a parameter within its part.
    public enum Kind: CaseIterable, Sendable {
        /// The table of an embedding, or the matrix of a head.
        case matrix
        /// The learnable scale of a table that is also the head.
        case multiplier
        /// Of a norm; in a mixer, of the gated norm after the scan.
        case gain
        case query, key, value
        /// A mixer's projection from the residual stream; for Mamba that to z, x, B, C and dt, or x and z.
        case inputProjection
        /// A mixer's projection back to the residual stream.
        case outputProjection
        /// Mamba-1's projection from x to dt, B and C.
        case selectionProjection
        /// Mamba-1's projection from dt's rank to the channels.
        case stepProjection
        /// Of the time step dt.
        case stepBias
        /// Filters of the short convolution.
        case convolution
        case convolutionBias
        /// A of the state space, as its logarithm.
        case decay
        /// D of the state space.
        case skip
        /// Of the gated MLP.
        case gate, up, down
    }

    /// The number of the block, from 0; nil outside of blocks.
    public let block: Int?
    /// The part of the model, or of the block.
    public let part: ModelPart
    /// Its kind in that part.
    public let kind: Kind

    /// A place.
    ///
    /// - Parameters:
    ///   - block: the number of the block, from 0; nil for a part outside of blocks.
    ///   - part: the part of the model, or of the block.
    ///   - kind: the kind of the parameter in that part.
    public init(block: Int? = nil, _ part: ModelPart, _ kind: Kind) {
        precondition(
            part.isInBlocks == (block != nil) && block ?? 0 >= 0,
            "ParameterPlace: \(part) in block \(block.map(String.init) ?? "none")")
        (self.block, self.part, self.kind) = (block, part, kind)
    }

    /// The same place in another block.
    ///
    /// - Parameter other: the number of that block.
    /// - Returns: this place, if it is outside of blocks.
    public func inBlock(_ other: Int) -> ParameterPlace {
        block == nil ? self : ParameterPlace(block: other, part, kind)
    }
}
