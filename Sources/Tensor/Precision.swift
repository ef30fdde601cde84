import CKernels

/// The precision of factors in products: weights, activations and gradients, rounded or not.
///
/// Everything that is kept stays float32 in either case: weights, gradients, moments, norms,
/// softmax, the scan's state and every sum.
public enum Precision: String, Codable, Sendable, CaseIterable {
    /// Float32 factors.
    case f32
    /// Factors rounded to bfloat16 (8 bits of precision, to nearest even), sums in float32.
    case bf16

    /// Whether this processor has the instructions.
    public var isAvailable: Bool { self == .f32 || fk_has_bf16() == 1 }
}
