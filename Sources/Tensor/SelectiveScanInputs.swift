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
    /// The state before the only segment; nil for zeros.
    package let initialState: Tensor?
    /// The target of the state after the only segment, perhaps the initial state; nil for none.
    package let finalState: Tensor?

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
