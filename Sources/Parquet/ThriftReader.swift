/// Reads values of Thrift's compact protocol from bytes that nobody vouches for.
///
/// - SeeAlso: https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
struct ThriftReader {
    /// The types of fields and elements.
    enum Kind: UInt8 {
        case isTrue = 1
        case isFalse, byte, int16, int32, int64, double, binary, list, set, map, structure, uuid
    }

    /// Deeper nesting is refused.
    static let deepestNesting = 64

    private let bytes: [UInt8]
    /// The next byte to read.
    private(set) var position: Int

    /// - Parameters:
    ///   - bytes: what holds the values.
    ///   - position: the first byte to read, at most their count.
    init(_ bytes: [UInt8], at position: Int = 0) {
        self.bytes = bytes
        self.position = position
    }

    private mutating func byte() throws(ParquetFault) -> UInt8 {
        guard position < bytes.count else { throw .cutShort("a header") }
        defer { position += 1 }
        return bytes[position]
    }

    private mutating func advance(_ count: UInt64) throws(ParquetFault) {
        guard count <= UInt64(bytes.count - position) else { throw .cutShort("a header") }
        position += Int(count)
    }

    private mutating func varint() throws(ParquetFault) -> UInt64 {
        try readVarint(bytes, at: &position, end: bytes.count, of: "a header")
    }

    private mutating func kind(_ code: UInt8) throws(ParquetFault) -> Kind {
        guard let kind = Kind(rawValue: code) else {
            throw ParquetFault("a header has a field of type \(code), which does not exist")
        }
        return kind
    }

    private func require(_ kind: Kind, _ wanted: Kind...) throws(ParquetFault) {
        guard wanted.contains(kind) else {
            throw ParquetFault("a header has a field of type \(kind), want \(wanted[0])")
        }
    }

    /// Reads the fields of a structure.
    ///
    /// - Parameter field: reads the field with a number and a type, and says whether it did; other fields are
    ///   passed over.
    /// - Throws: `ParquetFault`.
    mutating func readStructure(
        _ field: (inout ThriftReader, Int, Kind) throws(ParquetFault) -> Bool
    ) throws(ParquetFault) {
        var number = 0
        while true {
            let head = try byte()
            if head == 0 { return }
            let kind = try kind(head & 0x0F)
            if head >> 4 > 0 {
                number += Int(head >> 4)
            } else {
                number = Int(Int16(truncatingIfNeeded: try zigzag()))
            }
            if try !field(&self, number, kind) { try skip(kind, depth: 0) }
        }
    }

    private mutating func zigzag() throws(ParquetFault) -> Int64 {
        let value = try varint()
        return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
    }

    /// Reads a whole number of any size.
    mutating func readInteger(_ kind: Kind) throws(ParquetFault) -> Int {
        if kind == .byte { return Int(Int8(bitPattern: try byte())) }
        try require(kind, .int64, .int32, .int16)
        return Int(try zigzag())
    }

    /// Reads a truth value, which stands in the type of its field.
    func readFlag(_ kind: Kind) throws(ParquetFault) -> Bool {
        try require(kind, .isTrue, .isFalse)
        return kind == .isTrue
    }

    /// Reads bytes.
    ///
    /// - Returns: part of the bytes that are read from.
    mutating func readBytes(_ kind: Kind) throws(ParquetFault) -> ArraySlice<UInt8> {
        try require(kind, .binary)
        let count = try varint()
        let start = position
        try advance(count)
        return bytes[start..<position]
    }

    /// Reads a list of structures.
    ///
    /// - Parameters:
    ///   - kind: the type of the field.
    ///   - element: reads one of them to its end.
    /// - Throws: `ParquetFault`.
    mutating func readStructures(
        _ kind: Kind, _ element: (inout ThriftReader) throws(ParquetFault) -> Void
    ) throws(ParquetFault) {
        try require(kind, .list)
        let (count, inner) = try listHead()
        if count > 0 { try require(inner, .structure) }
        for _ in 0..<count { try element(&self) }
    }

    /// Reads a list of texts.
    mutating func readTexts(_ kind: Kind) throws(ParquetFault) -> [ArraySlice<UInt8>] {
        try require(kind, .list)
        let (count, inner) = try listHead()
        var texts: [ArraySlice<UInt8>] = []
        for _ in 0..<count { texts.append(try readBytes(inner)) }
        return texts
    }

    /// Every element has at least one byte, so there are no more of them than bytes are left.
    private mutating func listHead() throws(ParquetFault) -> (count: Int, kind: Kind) {
        let head = try byte()
        let count = head >> 4 == 15 ? try varint() : UInt64(head >> 4)
        guard count <= UInt64(bytes.count - position) else { throw .cutShort("a list") }
        // An empty list may have no type.
        if count == 0 { return (0, .structure) }
        return (Int(count), try kind(head & 0x0F))
    }

    /// Passes over a value.
    mutating func skip(_ kind: Kind, depth: Int = 0) throws(ParquetFault) {
        guard depth < Self.deepestNesting else {
            throw ParquetFault("a header is nested deeper than \(Self.deepestNesting) levels")
        }
        switch kind {
        case .isTrue, .isFalse: break
        case .byte: try advance(1)
        case .int16, .int32, .int64: _ = try varint()
        case .double: try advance(8)
        case .uuid: try advance(16)
        case .binary: try advance(try varint())
        case .list, .set:
            let (count, inner) = try listHead()
            for _ in 0..<count { try skipElement(inner, depth: depth + 1) }
        case .map: try skipMap(depth: depth + 1)
        case .structure:
            while true {
                let head = try byte()
                if head == 0 { break }
                if head >> 4 == 0 { _ = try varint() }
                try skip(try self.kind(head & 0x0F), depth: depth + 1)
            }
        }
    }

    /// A truth value that is no field has a byte of its own.
    private mutating func skipElement(_ kind: Kind, depth: Int) throws(ParquetFault) {
        if kind == .isTrue || kind == .isFalse {
            try advance(1)
        } else {
            try skip(kind, depth: depth)
        }
    }

    private mutating func skipMap(depth: Int) throws(ParquetFault) {
        let count = try varint()
        if count == 0 { return }
        let kinds = try byte()
        guard count <= UInt64(bytes.count - position) else { throw .cutShort("a map") }
        let (key, value) = (try kind(kinds >> 4), try kind(kinds & 0x0F))
        for _ in 0..<count {
            try skipElement(key, depth: depth)
            try skipElement(value, depth: depth)
        }
    }
}
