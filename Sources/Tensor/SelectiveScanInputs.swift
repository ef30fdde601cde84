/// The arguments of a selective scan, shapes checked.
package struct SelectiveScanInputs {
    package let x: Tensor
    package let delta: Tensor
    package let b: Tensor
    package let c: Tensor
    package let deltaBias: Tensor
    package let aLog: Tensor
    package let d: Tensor
    package let segments: Segments
    /// The states before and after each segment, `[N, C]`; empty for zeros and none.
    package let states: [SegmentState]

    /// N.
    package var stateSize: Int { b.columnCount }
}

/// The places for the gradients of a selective scan's inputs; those of its parameters are added.
package struct SelectiveScanGradients {
    package let x: GradientTarget
    package let delta: GradientTarget
    package let b: GradientTarget
    package let c: GradientTarget
    package let deltaBias: Tensor
    package let aLog: Tensor
    package let d: Tensor
}
