/// A tensor as a GGUF file declares it.
public struct GGUFTensor: Equatable, Sendable {
    /// The longest name that llama.cpp accepts, in bytes of UTF-8.
    public static let nameByteLimit = 63
    /// The longest name that `GGUFReader` accepts, in bytes of UTF-8.
    static let readNameByteLimit = 64
    /// The most dimensions of a tensor.
    static let dimensionLimit = 4

    /// The name, 1 to 63 bytes.
    public let name: String
    /// One to four lengths, each at least 1, outermost first: the reverse of the order in the file.
    public let shape: [Int]
    /// The type of the elements; its block length divides the last length.
    public let type: GGMLType

    /// A tensor of a file.
    ///
    /// - Parameters:
    ///   - name: 1 to 63 bytes of UTF-8.
    ///   - shape: one to four lengths, each at least 1, outermost first.
    ///   - type: the type of the elements; its block length must divide the last length.
    public init(name: String, shape: [Int], type: GGMLType) {
        self.name = name
        self.shape = shape
        self.type = type
    }

    /// The number of elements: the product of the shape.
    public var elementCount: Int { shape.reduce(1, *) }

    /// The number of elements in a row: the last length.
    public var rowLength: Int { shape.last ?? 1 }

    /// The number of rows: the product of all lengths except the last.
    public var rowCount: Int { shape.dropLast().reduce(1, *) }

    /// The number of bytes in the file, without the padding that follows.
    public var byteCount: Int { type.byteCount(elements: elementCount) }
}
