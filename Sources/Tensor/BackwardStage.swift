/// A moment of the backward pass of a model, after which the gradients of some parameters are complete.
///
/// Stages are ordered by time: the head, the blocks from the last to the first, the end.
public enum BackwardStage: Hashable, Comparable, Sendable {
    /// The head and the norm before it.
    case head
    /// The block with a number, from 0.
    case block(Int)
    /// The whole pass: the embedding, which may also be the head.
    case end

    /// Whether a stage comes earlier.
    public static func < (a: BackwardStage, b: BackwardStage) -> Bool { a.order < b.order }

    private var order: (Int, Int) {
        switch self {
        case .head: (0, 0)
        case .block(let number): (1, -number)
        case .end: (2, 0)
        }
    }
}

extension Parameter {
    /// The stage after which its gradient is complete.
    public var stage: BackwardStage {
        guard let place else { return .end }
        if let block = place.block { return .block(block) }
        return place.part == .head || place.part == .finalNorm ? .head : .end
    }
}
