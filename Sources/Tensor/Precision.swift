import CKernels

/// What products multiply: weights, activations and gradients as they are, or rounded.
///
/// Everything that is kept stays float32, whichever it is: weights, gradients, moments, norms, softmax,
/// the scan's state and every sum.
public enum Precision: String, Codable, Sendable, CaseIterable {
    /// Float32 factors.
    case f32
    /// Factors rounded to bfloat16 (8 bits of precision, to nearest even), sums in float32.
    case bf16

    /// Whether this processor has the instructions.
    public var isAvailable: Bool { self == .f32 || fk_has_bf16() == 1 }
}
