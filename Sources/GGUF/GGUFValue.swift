/// A value of a GGUF file's metadata, with the type that it has in the file.
///
/// Other programs match the types exactly: counts are `uint32`, factors `float32`, flags `boolean`.
public enum GGUFValue: Equatable, Sendable {
    case uint8(UInt8)
    case int8(Int8)
    case uint16(UInt16)
    case int16(Int16)
    case uint32(UInt32)
    case int32(Int32)
    case uint64(UInt64)
    case int64(Int64)
    case float32(Float)
    case float64(Double)
    case boolean(Bool)
    case string(String)
    case array(GGUFArray)

    /// The format's number of the type, 0 to 12.
    var typeNumber: UInt32 {
        switch self {
        case .uint8: 0
        case .int8: 1
        case .uint16: 2
        case .int16: 3
        case .uint32: 4
        case .int32: 5
        case .float32: 6
        case .boolean: 7
        case .string: 8
        case .array: 9
        case .uint64: 10
        case .int64: 11
        case .float64: 12
        }
    }

    /// The type, for messages: "U32", "array of STRING".
    var typeName: String {
        if case .array(let array) = self {
            return "array of \(Self.typeNames[Int(array.elementTypeNumber)])"
        }
        return Self.typeNames[Int(typeNumber)]
    }

    /// The format's names of its types, by number.
    static let typeNames = [
        "U8", "I8", "U16", "I16", "U32", "I32", "F32", "BOOL", "STRING", "ARRAY", "U64", "I64",
        "F64",
    ]

    /// The value as a whole number; nil if it is not one or does not fit.
    var integer: Int? {
        switch self {
        case .uint8(let number): Int(number)
        case .int8(let number): Int(number)
        case .uint16(let number): Int(number)
        case .int16(let number): Int(number)
        case .uint32(let number): Int(number)
        case .int32(let number): Int(number)
        case .uint64(let number): Int(exactly: number)
        case .int64(let number): Int(exactly: number)
        default: nil
        }
    }
}

/// The values of an array in a GGUF file's metadata: all of one type, and never arrays themselves.
public enum GGUFArray: Equatable, Sendable {
    case uint8([UInt8])
    case int8([Int8])
    case uint16([UInt16])
    case int16([Int16])
    case uint32([UInt32])
    case int32([Int32])
    case uint64([UInt64])
    case int64([Int64])
    case float32([Float])
    case float64([Double])
    case boolean([Bool])
    case string([String])

    /// The number of values.
    public var count: Int {
        switch self {
        case .uint8(let values): values.count
        case .int8(let values): values.count
        case .uint16(let values): values.count
        case .int16(let values): values.count
        case .uint32(let values): values.count
        case .int32(let values): values.count
        case .uint64(let values): values.count
        case .int64(let values): values.count
        case .float32(let values): values.count
        case .float64(let values): values.count
        case .boolean(let values): values.count
        case .string(let values): values.count
        }
    }

    /// The format's number of the elements' type.
    var elementTypeNumber: UInt32 {
        switch self {
        case .uint8: 0
        case .int8: 1
        case .uint16: 2
        case .int16: 3
        case .uint32: 4
        case .int32: 5
        case .float32: 6
        case .boolean: 7
        case .string: 8
        case .uint64: 10
        case .int64: 11
        case .float64: 12
        }
    }

    /// The values as whole numbers; nil if they are not or one does not fit.
    var integers: [Int]? {
        switch self {
        case .uint8(let values): values.map(Int.init)
        case .int8(let values): values.map(Int.init)
        case .uint16(let values): values.map(Int.init)
        case .int16(let values): values.map(Int.init)
        case .uint32(let values): values.map(Int.init)
        case .int32(let values): values.map(Int.init)
        case .uint64(let values): values.map { Int(exactly: $0) } as? [Int]
        case .int64(let values): values.map(Int.init)
        default: nil
        }
    }
}
