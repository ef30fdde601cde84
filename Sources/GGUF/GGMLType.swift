/// The element types of tensors that this program reads and writes in GGUF files.
///
/// The raw value is the format's number. Except for the three float types, elements are stored in
/// blocks: 32 or 256 neighbours in a row share their scales.
public enum GGMLType: UInt32, CaseIterable, Sendable {
    case float32 = 0
    case float16 = 1
    case q40 = 2
    case q41 = 3
    case q50 = 6
    case q51 = 7
    case q80 = 8
    case q4K = 12
    case q5K = 13
    case q6K = 14
    case bfloat16 = 30

    /// The format's name, such as "Q4_K".
    public var name: String {
        switch self {
        case .float32: "F32"
        case .float16: "F16"
        case .q40: "Q4_0"
        case .q41: "Q4_1"
        case .q50: "Q5_0"
        case .q51: "Q5_1"
        case .q80: "Q8_0"
        case .q4K: "Q4_K"
        case .q5K: "Q5_K"
        case .q6K: "Q6_K"
        case .bfloat16: "BF16"
        }
    }

    /// The number of elements in a block: 1, 32 or 256.
    public var blockLength: Int {
        switch self {
        case .float32, .float16, .bfloat16: 1
        case .q40, .q41, .q50, .q51, .q80: 32
        case .q4K, .q5K, .q6K: 256
        }
    }

    /// The number of bytes of a block.
    public var blockByteCount: Int {
        switch self {
        case .float32: 4
        case .float16, .bfloat16: 2
        case .q40: 18
        case .q41: 20
        case .q50: 22
        case .q51: 24
        case .q80: 34
        case .q4K: 144
        case .q5K: 176
        case .q6K: 210
        }
    }

    /// Whether elements share scales, so that an infinite or NaN element would spoil its neighbours.
    public var isQuantized: Bool { blockLength > 1 }

    /// The size of some elements.
    ///
    /// - Parameter elements: a multiple of `blockLength`, at least 0.
    /// - Returns: the number of bytes.
    public func byteCount(elements: Int) -> Int {
        precondition(
            elements >= 0 && elements.isMultiple(of: blockLength),
            "\(name): \(elements) elements, want a multiple of \(blockLength)")
        return elements / blockLength * blockByteCount
    }

    /// The name of any of the format's numbers, for messages.
    ///
    /// - Parameter number: a type as a file declares it.
    /// - Returns: the name and the number; only the number if the format does not have it.
    static func description(of number: UInt32) -> String {
        if let name = GGMLType(rawValue: number)?.name ?? unreadNames[number] {
            return "\(name) (type \(number))"
        }
        return "type \(number)"
    }

    /// Types that other programs write and this one does not read.
    private static let unreadNames: [UInt32: String] = [
        9: "Q8_1", 10: "Q2_K", 11: "Q3_K", 15: "Q8_K", 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS",
        19: "IQ1_S", 20: "IQ4_NL", 21: "IQ3_S", 22: "IQ2_S", 23: "IQ4_XS", 24: "I8", 25: "I16",
        26: "I32", 27: "I64", 28: "F64", 29: "IQ1_M", 34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4",
    ]
}
