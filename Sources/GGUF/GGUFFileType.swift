/// The kinds of GGUF files that this program writes, by the type of most tensors.
///
/// The raw value is the format's number, the value of the key `general.file_type`.
public enum GGUFFileType: UInt32, CaseIterable, Sendable {
    case float32 = 0
    case float16 = 1
    case q40 = 2
    case q80 = 7
    case q4KM = 15
    case q6K = 18
    case bfloat16 = 32

    /// The name on the command line, such as "q4_k_m".
    public var name: String {
        switch self {
        case .float32: "f32"
        case .float16: "f16"
        case .bfloat16: "bf16"
        case .q80: "q8_0"
        case .q40: "q4_0"
        case .q4KM: "q4_k_m"
        case .q6K: "q6_k"
        }
    }

    /// The file type of a name.
    ///
    /// - Parameter name: "f32", "f16", "bf16", "q8_0", "q4_0", "q4_k_m" or "q6_k", in any case.
    public init?(name: String) {
        let name = name.lowercased()
        guard let type = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = type
    }

    /// Whether elements of any tensor share scales, so that a file must have
    /// `general.quantization_version`.
    public var isQuantized: Bool { usualType.isQuantized }

    /// The type of most tensors.
    private var usualType: GGMLType {
        switch self {
        case .float32: .float32
        case .float16: .float16
        case .bfloat16: .bfloat16
        case .q80: .q80
        case .q40: .q40
        case .q4KM: .q4K
        case .q6K: .q6K
        }
    }

    /// The type that llama.cpp gives to a tensor of a model in float32, unless its inputs are too large.
    ///
    /// llama.cpp rounds the inputs of float16 weights to float16, and those of Q8_0, Q4_0 or Q5_0
    /// to blocks whose scale is a float16: inputs beyond `inputLimit` become infinite, and all
    /// logits NaN or 0. With `needsWideRange` the tensor gets a type that is multiplied in the
    /// range of float32.
    ///
    /// - Parameters:
    ///   - name: the tensor's name in the file.
    ///   - shape: its lengths, outermost first.
    ///   - architecture: the value of `general.architecture`: `falcon-h1`, `mamba` or `llama`.
    ///   - layerCount: the number of layers; in `falcon-h1` and `llama` all have attention.
    ///   - hasOutput: whether the file has an `output.weight`; without it, the token embedding is
    ///     also the output.
    ///   - needsWideRange: whether inputs of the tensor were seen beyond `inputLimit`.
    /// - Returns: a type whose block length divides the last length.
    /// - SeeAlso: `llama_model_quantize` in llama.cpp, src/llama-quant.cpp.
    public func tensorType(
        name: String, shape: [Int], architecture: String, layerCount: Int, hasOutput: Bool,
        needsWideRange: Bool = false
    ) -> GGMLType {
        let role = GGUFTensorRole(name: name)
        // llama.cpp does not count leading lengths of 1 as dimensions.
        guard role != .small, shape.drop(while: { $0 == 1 }).count >= 2 else { return .float32 }
        let type = usualType
        guard type.isQuantized else { return needsWideRange ? Self.wide(type) : type }
        let rowLength = shape.last ?? 1
        let wanted = preferredType(
            role, shape: shape, architecture: architecture, layerCount: layerCount,
            hasOutput: hasOutput)
        let fitting = Self.fitting(wanted, rowLength: rowLength)
        return needsWideRange ? Self.wide(fitting) : fitting
    }

    /// The largest input allowed for float16 weights, far from float16's limit of 65,504.
    public static let inputLimit: Float = 4096

    /// A type of at least the same precision whose products in llama.cpp have the range of float32.
    private static func wide(_ type: GGMLType) -> GGMLType {
        switch type {
        case .float16: .float32
        // The inputs of these are blocks whose scale is a float32.
        case .float32, .bfloat16, .q4K, .q5K, .q6K: type
        default: .bfloat16
        }
    }

    /// The type without regard to the length of rows, which only that of the output considers.
    private func preferredType(
        _ role: GGUFTensorRole, shape: [Int], architecture: String, layerCount: Int, hasOutput: Bool
    ) -> GGMLType {
        let usual = usualType
        let rowLength = shape.last ?? 1
        switch role {
        case .output: return outputType(rowLength: rowLength)
        case .embedding: return hasOutput ? usual : outputType(rowLength: rowLength)
        case .matrix, .small: return usual
        case .feedForwardDown(let layer):
            return self == .q4KM && Self.usesMoreBits(layer: layer, of: layerCount) ? .q6K : usual
        case .attentionValue(let layer):
            guard self == .q4KM else { return usual }
            if Self.usesMoreBits(layer: layer, of: layerCount) { return .q6K }
            // llama.cpp takes any such model for the one of 70 billion parameters, whose heads share
            // their values, which makes these cheap.
            let isShared = shape.first != rowLength
            return architecture == "llama" && layerCount == 80 && isShared ? .q5K : usual
        }
    }

    /// The type of the matrix that makes logits.
    private func outputType(rowLength: Int) -> GGMLType {
        let usual = usualType
        return usual == .q80 || !rowLength.isMultiple(of: usual.blockLength) ? .q80 : .q6K
    }

    /// The first and the last eighth of the layers, and every third one between.
    private static func usesMoreBits(layer: Int, of count: Int) -> Bool {
        layer < count / 8 || layer >= 7 * count / 8 || (layer - count / 8) % 3 == 2
    }

    /// A type of about the same size whose block length divides the length of rows.
    private static func fitting(_ type: GGMLType, rowLength: Int) -> GGMLType {
        let smaller: GGMLType =
            switch type {
            case .q4K: .q50
            case .q5K: .q51
            case .q6K: .q80
            default: .float16
            }
        return [type, smaller].first { rowLength.isMultiple(of: $0.blockLength) } ?? .float16
    }
}
