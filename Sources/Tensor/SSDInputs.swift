/// The arguments of a Mamba-2 scan, shapes checked.
package struct SSDInputs {
    package let x: Tensor
    package let b: Tensor
    package let c: Tensor
    package let dt: Tensor
    package let dtBias: Tensor
    package let aLog: Tensor
    package let d: Tensor
    package let stepScale: Float
    package let shape: SSDShape
    package let segments: Segments
    /// The state before the only segment; nil for zeros.
    package let initialState: Tensor?
    /// The target of the state after the only segment, perhaps the initial state; nil for none.
    package let finalState: Tensor?
}

/// The places for the gradients of a scan's inputs; those of its parameters are added.
package struct SSDGradients {
    package let x: GradientTarget
    package let b: GradientTarget
    package let c: GradientTarget
    package let dt: GradientTarget
    package let dtBias: Tensor
    package let aLog: Tensor
    package let d: Tensor
}
