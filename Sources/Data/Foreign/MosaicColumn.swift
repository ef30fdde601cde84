import FalconSystem

/// A column of samples in shards of MosaicML's `streaming`.
struct MosaicColumn: Equatable {
    /// A type of whole numbers.
    struct Number: Equatable {
        let bytes: Int
        let isSigned: Bool

        /// A number.
        func value(_ data: ArraySlice<UInt8>, at place: Int) -> Int64 {
            var value: UInt64 = 0
            for byte in (0..<bytes).reversed() { value = value << 8 | UInt64(data[place + byte]) }
            let shift = 64 - 8 * bytes
            return isSigned
                ? Int64(bitPattern: value << shift) >> shift : Int64(bitPattern: value)
        }
    }

    /// What a column of tokens holds.
    enum Tokens: Equatable {
        /// Numbers of one type and nothing else.
        case plain(Number)
        /// Arrays of NumPy; nil where the type or the shape stands before the numbers.
        case array(Number?, count: Int?)
    }

    /// A text that describes what is wrong.
    struct Fault: Error { let reason: String }

    /// Types of numbers by their names, and by the number that stands for them before an array.
    private static let types: [(name: String, code: UInt8, type: Number)] = [
        ("uint8", 8, Number(bytes: 1, isSigned: false)),
        ("int8", 9, Number(bytes: 1, isSigned: true)),
        ("uint16", 16, Number(bytes: 2, isSigned: false)),
        ("int16", 17, Number(bytes: 2, isSigned: true)),
        ("uint32", 32, Number(bytes: 4, isSigned: false)),
        ("int32", 33, Number(bytes: 4, isSigned: true)),
        ("uint64", 64, Number(bytes: 8, isSigned: false)),
        ("int64", 65, Number(bytes: 8, isSigned: true)),
    ]

    /// The name of the column.
    let name: String
    /// How its values are written: "ndarray:uint16".
    let encoding: String
    /// Bytes of a value; nil where they stand before the values of a sample.
    let byteCount: Int?

    /// What the column holds, taken as tokens.
    ///
    /// - Parameter plainBytes: bytes of a token where the encoding is "bytes".
    /// - Returns: nil for an encoding that is not one of whole numbers.
    func tokens(plainBytes: Int) -> Tokens? {
        if encoding == "bytes" {
            // Two bytes hold ids up to 65,535; none has the highest bit of more.
            return .plain(Number(bytes: plainBytes, isSigned: plainBytes > 2))
        }
        let parts = encoding.split(separator: ":", omittingEmptySubsequences: false)
        guard parts[0] == "ndarray", parts.count <= 3 else { return nil }
        var type: Number?
        if parts.count > 1 {
            guard let known = Self.types.first(where: { $0.name == parts[1] }) else { return nil }
            type = known.type
        }
        var count: Int?
        if parts.count > 2 {
            guard let only = Int(parts[2]), (1...Int(Int32.max)).contains(only) else { return nil }
            count = only
        }
        return .array(type, count: count)
    }

    /// The tokens in a value.
    ///
    /// - Parameters:
    ///   - value: the bytes of the column in one sample.
    ///   - tokens: what they hold.
    /// - Returns: the tokens, of any value.
    /// - Throws: `Fault` for bytes that cannot be such tokens.
    static func numbers(
        _ value: ArraySlice<UInt8>, _ tokens: Tokens
    ) throws(Fault) -> [Int64] {
        var rest = value
        let type: Number
        var count: Int?
        switch tokens {
        case .plain(let known):
            type = known
        case .array(let known, let length):
            if let known {
                type = known
            } else {
                guard let code = rest.popFirst() else { throw Fault(reason: "no type of numbers") }
                guard let found = types.first(where: { $0.code == code }) else {
                    throw Fault(reason: "numbers of type \(code), want whole ones")
                }
                type = found.type
            }
            if let length { count = length } else { count = try Self.length(&rest) }
        }
        guard rest.count % type.bytes == 0 else {
            throw Fault(
                reason: "\(rest.count) bytes of tokens, want a multiple of \(type.bytes)")
        }
        if let count, count != rest.count / type.bytes {
            throw Fault(reason: "\(rest.count / type.bytes) tokens, and it tells of \(count)")
        }
        return stride(from: rest.startIndex, to: rest.endIndex, by: type.bytes).map {
            type.value(rest, at: $0)
        }
    }

    /// The length of an array that stands before its numbers.
    private static func length(_ rest: inout ArraySlice<UInt8>) throws(Fault) -> Int {
        guard let first = rest.popFirst() else { throw Fault(reason: "no shape of the array") }
        guard first >> 2 == 1 else {
            throw Fault(reason: "an array of \(first >> 2) axes, want 1")
        }
        let type = Number(bytes: 1 << Int(first & 3), isSigned: false)
        guard rest.count >= type.bytes else { throw Fault(reason: "no length of the array") }
        defer { rest = rest.dropFirst(type.bytes) }
        return Int(type.value(rest, at: rest.startIndex))
    }

    /// An array of tokens as it is written with its length before it.
    ///
    /// - Parameters:
    ///   - tokens: the numbers.
    ///   - bytes: bytes of each, 2 or 4.
    /// - Returns: the bytes of the value.
    static func value(_ tokens: [Int32], bytes: Int) -> [UInt8] {
        let count = tokens.count
        var value: [UInt8] = []
        value.reserveCapacity(count * bytes + 5)
        let oneAxis: UInt8 = 1 << 2
        if count < 1 << 8 {
            value += [oneAxis, UInt8(count)]
        } else if count < 1 << 16 {
            value.append(oneAxis | 1)
            appendLittleEndian(UInt16(count), to: &value)
        } else {
            value.append(oneAxis | 2)
            appendLittleEndian(UInt32(count), to: &value)
        }
        for token in tokens {
            if bytes == 2 {
                appendLittleEndian(UInt16(truncatingIfNeeded: token), to: &value)
            } else {
                appendLittleEndian(token, to: &value)
            }
        }
        return value
    }
}
