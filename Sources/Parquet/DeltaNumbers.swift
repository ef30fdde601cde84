/// Whole numbers of 32 bits, written as differences in blocks: DELTA_BINARY_PACKED.
///
/// - SeeAlso: https://parquet.apache.org/docs/file-format/data-pages/encodings/, "Delta encoding".
struct DeltaNumbers {
    private let bytes: [UInt8]
    /// The first byte that was not read.
    private var position: Int
    private let partLength: Int
    private let partCount: Int
    /// Numbers that were not read yet.
    private(set) var left: Int
    private var last: Int64
    private var isFirst = true
    private var smallest: Int64 = 0
    /// Bits of a difference in each part of the block.
    private var widths: ArraySlice<UInt8> = []
    private var width = 0
    private var leftInPart = 0
    private var bit = 0

    /// - Parameters:
    ///   - bytes: what holds the numbers.
    ///   - position: the first byte of them.
    /// - Throws: `ParquetFault` for a head that cannot be.
    init(_ bytes: [UInt8], at position: Int) throws(ParquetFault) {
        self.bytes = bytes
        var position = position
        func number() throws(ParquetFault) -> UInt64 {
            try readVarint(bytes, at: &position, end: bytes.count)
        }
        let (blockLength, partCount, count) = (try number(), try number(), try number())
        guard partCount > 0, blockLength <= UInt64(Int32.max), partCount <= blockLength,
            blockLength % partCount == 0, blockLength / partCount % 32 == 0
        else {
            throw ParquetFault(
                "blocks of \(blockLength) differences in \(partCount) parts, want multiples of 32")
        }
        guard count <= UInt64(Int32.max) else { throw ParquetFault("a page of \(count) lengths") }
        self.partCount = Int(partCount)
        partLength = Int(blockLength / partCount)
        left = Int(count)
        last = Self.signed(try number())
        self.position = position
    }

    private static func signed(_ number: UInt64) -> Int64 {
        Int64(bitPattern: number >> 1) ^ -Int64(bitPattern: number & 1)
    }

    /// The next number.
    mutating func next() throws(ParquetFault) -> Int32 {
        guard left > 0 else { throw ParquetFault("the page has fewer lengths than values") }
        if isFirst {
            isFirst = false
        } else {
            if leftInPart == 0 { try startPart() }
            let difference = lowBits(bytes, from: position, bit: bit, count: width)
            bit += width
            leftInPart -= 1
            if leftInPart == 0 { position += partLength * width / 8 }
            // Differences are those of 32-bit or 64-bit numbers that wrap around.
            last = last &+ smallest &+ Int64(difference)
        }
        left -= 1
        return Int32(truncatingIfNeeded: last)
    }

    /// Passes over the numbers.
    ///
    /// - Returns: the first byte behind them.
    /// - Throws: `ParquetFault` if they are cut short.
    consuming func end() throws(ParquetFault) -> Int {
        if left > 0 && isFirst { (left, isFirst) = (left - 1, false) }
        while left > 0 {
            if leftInPart == 0 { try startPart() }
            left -= min(left, leftInPart)
            leftInPart = 0
            position += partLength * width / 8
        }
        return position
    }

    private mutating func startPart() throws(ParquetFault) {
        if widths.isEmpty {
            smallest = Self.signed(try readVarint(bytes, at: &position, end: bytes.count))
            guard partCount <= bytes.count - position else { throw .cutShort("a block of lengths") }
            widths = bytes[position..<position + partCount]
            position += partCount
        }
        width = Int(widths.removeFirst())
        // Behind the last number there may be widths of parts that are not there.
        guard width <= 32 else {
            throw ParquetFault("differences of \(width) bits, want at most 32")
        }
        guard partLength * width / 8 <= bytes.count - position else {
            throw .cutShort("a block of lengths")
        }
        leftInPart = partLength
        bit = 0
    }
}
