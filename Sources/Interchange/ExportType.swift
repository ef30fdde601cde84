import FalconCheckpoint
import FalconGGUF

/// The formats of other programs that a model can be written in.
public enum ExportFormat: String, CaseIterable, Sendable {
    /// A folder for Hugging Face transformers.
    case hf
    /// A file for llama.cpp.
    case gguf
}

/// The number types of exported weights.
public enum ExportType: String, CaseIterable, Sendable {
    case f32, f16, bf16
    case q80 = "q8_0"
    case q40 = "q4_0"
    case q4KM = "q4_k_m"
    case q6K = "q6_k"

    /// The type in safetensors files; nil if there is none.
    public var elementType: ElementType? {
        switch self {
        case .f32: .float32
        case .f16: .float16
        case .bf16: .bfloat16
        default: nil
        }
    }

    /// The type in GGUF files.
    public var fileType: GGUFFileType {
        switch self {
        case .f32: .float32
        case .f16: .float16
        case .bf16: .bfloat16
        case .q80: .q80
        case .q40: .q40
        case .q4KM: .q4KM
        case .q6K: .q6K
        }
    }
}

/// The differences between a written model and its source that rounding explains.
public struct ExportTolerance: Equatable, Sendable {
    /// The largest RMS difference of logits, in their standard deviations.
    public let relative: Double
    /// The largest difference of a logit.
    public let largest: Double

    /// The differences that a type's rounding explains.
    ///
    /// - Parameters:
    ///   - type: of the weights.
    ///   - isFolded: whether multipliers are multiplied into the weights, which rounds even weights
    ///     that the type could hold exactly.
    public init(_ type: ExportType, isFolded: Bool) {
        relative =
            switch type {
            case .f32: 1e-5
            case .f16: 0.01
            case .bf16: 0.1
            case .q80: 0.2
            case .q6K: 0.4
            case .q40, .q4KM: 1
            }
        largest =
            switch type {
            case _ where isFolded: .infinity
            case .f32: 1e-5
            case .f16: 0.05
            case .bf16: 0.5
            default: .infinity
            }
    }

    /// Whether a comparison passes; one that is not a number does not.
    ///
    /// - Parameter check: the comparison.
    /// - Returns: whether both differences are small enough.
    public func allows(_ check: ExportCheck) -> Bool {
        check.relativeDifference <= relative && check.largestDifference <= largest
    }
}
