/// The kind of a tensor's elements.
public enum ElementKind: Sendable {
    /// Single precision.
    case float32
    /// The upper half of a float32: 8 bits of precision.
    case bfloat16

    /// Bytes of an element.
    public var byteCount: Int { self == .float32 ? 4 : 2 }
}
