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
    /// The states before and after each segment, `[N, H·P]`; empty for zeros and none.
    package let states: [SegmentState]
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
