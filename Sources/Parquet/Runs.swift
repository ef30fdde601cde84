/// Small numbers as runs of one number, and as groups of eight that are packed in bits.
///
/// - SeeAlso: https://parquet.apache.org/docs/file-format/data-pages/encodings/, "RLE / bit-packing hybrid".
struct Runs {
    private let bytes: [UInt8]
    private var position: Int
    private let end: Int
    private let bitWidth: Int
    private var left = 0
    /// The number that is repeated; nil in packed groups.
    private var repeated: UInt32?
    /// The first bit of the next packed number, from `position`.
    private var bit = 0

    /// - Parameters:
    ///   - bytes: what holds the runs.
    ///   - range: their place.
    ///   - bitWidth: bits of a number.
    /// - Throws: `ParquetFault` for more than 32 bits.
    init(_ bytes: [UInt8], in range: Range<Int>, bitWidth: Int) throws(ParquetFault) {
        guard (0...32).contains(bitWidth) else {
            throw ParquetFault("numbers of \(bitWidth) bits, want at most 32")
        }
        self.bytes = bytes
        position = range.lowerBound
        end = range.upperBound
        self.bitWidth = bitWidth
    }

    /// The next number.
    mutating func next() throws(ParquetFault) -> UInt32 {
        while left == 0 { try startRun() }
        left -= 1
        if let repeated { return repeated }
        guard position + (bit + bitWidth + 7) / 8 <= end else {
            throw .cutShort("a run of numbers")
        }
        defer { bit += bitWidth }
        let number = lowBits(bytes, from: position, bit: bit, count: bitWidth)
        if left == 0 { position = min(end, position + (bit + bitWidth + 7) / 8) }
        return number
    }

    private mutating func startRun() throws(ParquetFault) {
        let head = try readVarint(bytes, at: &position, end: end)
        guard head >> 33 == 0 else { throw ParquetFault("a run of \(head >> 1) numbers") }
        if head & 1 == 1 {
            repeated = nil
            bit = 0
            left = Int(head >> 1) * 8
        } else {
            let byteCount = (bitWidth + 7) / 8
            guard byteCount <= end - position else { throw .cutShort("a run of numbers") }
            var number: UInt32 = 0
            for index in 0..<byteCount { number |= UInt32(bytes[position + index]) << (8 * index) }
            position += byteCount
            repeated = number
            left = Int(head >> 1)
        }
    }
}

/// A number of at most 32 bits, the lowest of which comes first; its bytes must be there.
func lowBits(_ bytes: [UInt8], from position: Int, bit: Int, count: Int) -> UInt32 {
    var (number, have, place) = (UInt64(0), 0, position + bit / 8)
    let offset = bit % 8
    while have < offset + count {
        number |= UInt64(bytes[place]) << have
        have += 8
        place += 1
    }
    return UInt32(truncatingIfNeeded: (number >> offset) & ((1 << count) - 1))
}

/// Reads a number of any length, seven bits a byte, the lowest first; `what` holds it, for messages.
func readVarint(
    _ bytes: [UInt8], at position: inout Int, end: Int, of what: String = "the page"
) throws(ParquetFault) -> UInt64 {
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 64, by: 7) {
        guard position < end else { throw .cutShort("a number of \(what)") }
        let byte = bytes[position]
        position += 1
        value |= UInt64(byte & 0x7F) << shift
        if byte < 0x80 { return value }
    }
    throw ParquetFault("a number of \(what) has more than 64 bits")
}

/// Which values of a page are there: the definition level of each.
enum DefinitionLevels {
    /// All are there.
    case none
    case runs(Runs, wanted: UInt32)
    /// Numbers of a few bits, the highest of which comes first: how old writers had it.
    case packed(bytes: [UInt8], bit: Int, bitCount: Int, wanted: UInt32)

    /// Bits of a level.
    static func bitWidth(of level: Int) -> Int { Int.bitWidth - level.leadingZeroBitCount }

    /// Whether the next value is there.
    mutating func isNextThere() throws(ParquetFault) -> Bool {
        let (level, wanted): (UInt32, UInt32)
        switch self {
        case .none: return true
        case .runs(var runs, let most):
            // Nothing else may hold the array while it is read.
            self = .none
            defer { self = .runs(runs, wanted: most) }
            (level, wanted) = (try runs.next(), most)
        case .packed(let bytes, let bit, let bitCount, let most):
            var number: UInt32 = 0
            for place in bit..<bit + bitCount {
                guard place / 8 < bytes.count else { throw .cutShort("the definition levels") }
                number = number << 1 | UInt32(bytes[place / 8] >> (7 - place % 8) & 1)
            }
            self = .packed(bytes: bytes, bit: bit + bitCount, bitCount: bitCount, wanted: most)
            (level, wanted) = (number, most)
        }
        guard level <= wanted else {
            throw ParquetFault("a definition level is \(level), want at most \(wanted)")
        }
        return level == wanted
    }
}
