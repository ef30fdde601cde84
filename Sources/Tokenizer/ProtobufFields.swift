/// Walks over the fields of a protocol buffer message.
///
/// - SeeAlso: protobuf.dev, "Encoding".
struct ProtobufFields {
    enum Value {
        case integer(UInt64)
        case fixed64(UInt64)
        case fixed32(UInt32)
        case bytes(ArraySlice<UInt8>)
    }

    private var rest: ArraySlice<UInt8>

    init(_ message: ArraySlice<UInt8>) { rest = message }

    mutating func next() throws(SentencePieceModel.Malformed) -> (number: Int, value: Value)? {
        if rest.isEmpty { return nil }
        let key = try varint()
        // Other readers would keep the lower half, and so see another field.
        guard key <= UInt64(UInt32.max) else { throw .init(reason: "it is not a protocol buffer") }
        let number = Int(truncatingIfNeeded: key >> 3)
        switch key & 7 {
        case 0: return (number, .integer(try varint()))
        case 1: return (number, .fixed64(littleEndian(try take(8))))
        case 2:
            let count = try varint()
            guard count <= UInt64(rest.count) else { throw Self.cutShort }
            return (number, .bytes(try take(Int(count))))
        case 5: return (number, .fixed32(UInt32(littleEndian(try take(4)))))
        default: throw .init(reason: "it is not a protocol buffer")
        }
    }

    /// A message with other fields.
    ///
    /// - Parameters:
    ///   - message: the fields.
    ///   - change: gives the bytes that take a field's place; nil leaves it as it is.
    /// - Returns: the message.
    /// - Throws: `Malformed` if it is none.
    static func edited(
        _ message: ArraySlice<UInt8>,
        _ change: (Int, Value) throws(SentencePieceModel.Malformed) -> [UInt8]?
    ) throws(SentencePieceModel.Malformed) -> [UInt8] {
        var result: [UInt8] = []
        var fields = ProtobufFields(message)
        while true {
            let before = fields.rest
            guard let field = try fields.next() else { return result }
            if let changed = try change(field.number, field.value) {
                result += changed
            } else {
                result += before.dropLast(fields.rest.count)
            }
        }
    }

    /// A field that holds bytes.
    static func encoded(_ number: Int, _ content: [UInt8]) -> [UInt8] {
        varint(number << 3 | 2) + varint(content.count) + content
    }

    private static func varint(_ value: Int) -> [UInt8] {
        value < 0x80 ? [UInt8(value)] : [UInt8(value & 0x7F | 0x80)] + varint(value >> 7)
    }

    private static let cutShort = SentencePieceModel.Malformed(
        reason: "it is cut short or not a protocol buffer")

    private mutating func varint() throws(SentencePieceModel.Malformed) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard let byte = rest.popFirst() else { throw Self.cutShort }
            value |= UInt64(byte & 0x7F) << shift
            if byte & 0x80 == 0 { return value }
        }
        throw .init(reason: "it is not a protocol buffer")
    }

    private mutating func take(
        _ count: Int
    ) throws(SentencePieceModel.Malformed) -> ArraySlice<UInt8> {
        guard count <= rest.count else { throw Self.cutShort }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }

    private func littleEndian(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}
