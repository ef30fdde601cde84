/// The states of a scan before and after one segment.
public struct SegmentState {
    /// The state before its first row; nil for zeros.
    public let before: Tensor?
    /// The target of the state after its last row, perhaps the same tensor; nil for none.
    public let after: Tensor?

    /// The states of a segment.
    ///
    /// - Parameters:
    ///   - before: the state before its first row, contiguous; nil for zeros.
    ///   - after: written with the state after its last row; nil for none.
    public init(before: Tensor? = nil, after: Tensor? = nil) {
        self.before = before
        self.after = after
    }

    /// Checks the shapes of the states of a scan's segments.
    static func check(
        _ states: [SegmentState], count: Int, _ segments: Segments, _ op: String, isRecording: Bool
    ) {
        precondition(
            states.isEmpty || states.count == segments.count,
            "\(op): states of \(states.count) segments, want \(segments.count)")
        for state in states {
            for case let tensor? in [state.before, state.after] {
                precondition(
                    tensor.count == count && tensor.isContiguous,
                    "\(op): a state \(tensor.shape), want \(count) elements, contiguous")
            }
            precondition(
                state.before == nil || !isRecording,
                "\(op): a state before a segment cannot be recorded")
        }
    }
}
