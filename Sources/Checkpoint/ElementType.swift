/// The element types of the safetensors format, in the order in which files sort their tensors.
public enum ElementType: String, CaseIterable, Comparable, Sendable {
    case bool = "BOOL"
    case float4 = "F4"
    case float6E2M3 = "F6_E2M3"
    case float6E3M2 = "F6_E3M2"
    case uint8 = "U8"
    case int8 = "I8"
    case float8E5M2 = "F8_E5M2"
    case float8E4M3 = "F8_E4M3"
    case float8E8M0 = "F8_E8M0"
    case float8E4M3FNUZ = "F8_E4M3FNUZ"
    case float8E5M2FNUZ = "F8_E5M2FNUZ"
    case int16 = "I16"
    case uint16 = "U16"
    case float16 = "F16"
    case bfloat16 = "BF16"
    case int32 = "I32"
    case uint32 = "U32"
    case float32 = "F32"
    case complex64 = "C64"
    case float64 = "F64"
    case int64 = "I64"
    case uint64 = "U64"

    /// The size of an element in bits, 4 to 64.
    public var bitCount: Int {
        switch self {
        case .float4: 4
        case .float6E2M3, .float6E3M2: 6
        case .bool, .uint8, .int8, .float8E5M2, .float8E4M3, .float8E8M0, .float8E4M3FNUZ,
            .float8E5M2FNUZ:
            8
        case .int16, .uint16, .float16, .bfloat16: 16
        case .int32, .uint32, .float32: 32
        case .complex64, .float64, .int64, .uint64: 64
        }
    }

    /// Whether `SafetensorsReader` can read tensors of this type as floats.
    public var isReadable: Bool {
        switch self {
        case .float16, .bfloat16, .float32, .float64: true
        default: false
        }
    }

    /// Whether `SafetensorsWriter` can write floats as this type.
    public var isWritable: Bool {
        switch self {
        case .float16, .bfloat16, .float32: true
        default: false
        }
    }

    /// Whether the first comes before the second in the list above.
    ///
    /// - Parameters:
    ///   - left: a type.
    ///   - right: a type.
    /// - Returns: true if `left` stands before `right`.
    public static func < (left: ElementType, right: ElementType) -> Bool {
        left.rank < right.rank
    }

    private var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}

/// A tensor as a file declares it.
public struct TensorDescription: Equatable, Sendable {
    /// The name, Hugging Face's for parameters.
    public let name: String
    /// Lengths, outermost first; empty for a single number; 0 is allowed.
    public let shape: [Int]
    /// The type of the elements in the file.
    public let type: ElementType

    /// A tensor of a file.
    ///
    /// - Parameters:
    ///   - name: not empty, not `__metadata__`.
    ///   - shape: lengths >= 0, outermost first.
    ///   - type: the type of the elements in the file.
    public init(name: String, shape: [Int], type: ElementType = .float32) {
        self.name = name
        self.shape = shape
        self.type = type
    }

    /// The number of elements: the product of the shape.
    public var elementCount: Int { shape.reduce(1, *) }

    /// The number of bytes in the file.
    public var byteCount: Int { elementCount * type.bitCount / 8 }
}
