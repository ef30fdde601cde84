import FalconSystem

/// A value of the column.
public enum ParquetValue: Sendable, Equatable {
    /// A text, or any other bytes.
    case bytes([UInt8])
    /// No value.
    case null
    /// Bytes that are more than the limit; their number.
    case tooLarge(byteCount: Int)
}

/// The values that are there in one page, one after the other.
protocol PageValues: AnyObject {
    /// The next value.
    ///
    /// - Parameter limit: bytes of the largest value that is wanted.
    /// - Returns: bytes, or that there are too many.
    /// - Throws: `ParquetFault` if there is none.
    func next(limit: Int) throws(ParquetFault) -> ParquetValue
    /// Complains about what is left behind the last value.
    func finish() throws(ParquetFault)
}

private func value(_ bytes: [UInt8], _ range: Range<Int>, limit: Int) -> ParquetValue {
    range.count > limit ? .tooLarge(byteCount: range.count) : .bytes(Array(bytes[range]))
}

/// Refuses what follows the last value, but for zeros: fastparquet writes some.
private func requireEnd(_ position: Int, _ bytes: [UInt8]) throws(ParquetFault) {
    guard bytes[position...].allSatisfy({ $0 == 0 }) else {
        throw ParquetFault("\(bytes.count - position) bytes are left behind the page's last value")
    }
}

/// Bytes, each with their count before them: PLAIN.
final class PlainValues: PageValues {
    private let bytes: [UInt8]
    private var position: Int

    init(_ bytes: [UInt8], at position: Int) {
        self.bytes = bytes
        self.position = position
    }

    /// The place of the next value.
    func nextRange() throws(ParquetFault) -> Range<Int> {
        guard bytes.count - position >= 4 else { throw .cutShort("a value") }
        let count = Int(littleEndianUInt32(bytes, at: position))
        position += 4
        guard count <= bytes.count - position else {
            throw ParquetFault(
                "a value has \(count) bytes, but only \(bytes.count - position) are left in the page"
            )
        }
        defer { position += count }
        return position..<position + count
    }

    func next(limit: Int) throws(ParquetFault) -> ParquetValue {
        value(bytes, try nextRange(), limit: limit)
    }

    func finish() throws(ParquetFault) { try requireEnd(position, bytes) }
}

/// The values that the pages of a column chunk name by their numbers.
struct ValueDictionary {
    private let bytes: [UInt8]
    private let ranges: [Range<UInt32>]

    /// - Parameters:
    ///   - bytes: of a dictionary page.
    ///   - count: the number of values in it.
    /// - Throws: `ParquetFault` for another number of them.
    init(_ bytes: [UInt8], count: Int) throws(ParquetFault) {
        guard count <= bytes.count / 4 else {
            throw ParquetFault("\(count) values cannot be in a dictionary of \(bytes.count) bytes")
        }
        self.bytes = bytes
        let plain = PlainValues(bytes, at: 0)
        var ranges: [Range<UInt32>] = []
        ranges.reserveCapacity(count)
        for _ in 0..<count {
            let range = try plain.nextRange()
            ranges.append(UInt32(range.lowerBound)..<UInt32(range.upperBound))
        }
        try plain.finish()
        self.ranges = ranges
    }

    func value(_ number: UInt32, limit: Int) throws(ParquetFault) -> ParquetValue {
        guard number < ranges.count else {
            throw ParquetFault("value \(number) of a dictionary that has \(ranges.count)")
        }
        let range = ranges[Int(number)]
        return FalconParquet.value(
            bytes, Int(range.lowerBound)..<Int(range.upperBound), limit: limit)
    }
}

/// Numbers of values in a dictionary: RLE_DICTIONARY, PLAIN_DICTIONARY.
final class DictionaryValues: PageValues {
    private let dictionary: ValueDictionary
    private var numbers: Runs

    init(_ bytes: [UInt8], at position: Int, _ dictionary: ValueDictionary) throws(ParquetFault) {
        self.dictionary = dictionary
        // A page of nulls may have nothing here.
        let width = position < bytes.count ? Int(bytes[position]) : 0
        numbers = try Runs(
            bytes, in: min(position + 1, bytes.count)..<bytes.count, bitWidth: width)
    }

    func next(limit: Int) throws(ParquetFault) -> ParquetValue {
        try dictionary.value(try numbers.next(), limit: limit)
    }

    /// Groups of eight are filled up.
    func finish() {}
}

/// All lengths, then all bytes: DELTA_LENGTH_BYTE_ARRAY.
final class DeltaLengthValues: PageValues {
    fileprivate let bytes: [UInt8]
    private var lengths: DeltaNumbers
    private var position: Int

    init(_ bytes: [UInt8], at position: Int) throws(ParquetFault) {
        self.bytes = bytes
        lengths = try DeltaNumbers(bytes, at: position)
        self.position = try lengths.end()
    }

    /// The place of the next value.
    fileprivate func nextRange() throws(ParquetFault) -> Range<Int> {
        let length = Int(try lengths.next())
        guard (0...bytes.count - position).contains(length) else {
            throw ParquetFault(
                "a value has \(length) bytes, but only \(bytes.count - position) are left in the page"
            )
        }
        defer { position += length }
        return position..<position + length
    }

    func next(limit: Int) throws(ParquetFault) -> ParquetValue {
        value(bytes, try nextRange(), limit: limit)
    }

    func finish() throws(ParquetFault) {
        guard lengths.left == 0 else { throw ParquetFault("\(lengths.left) values too many") }
        try requireEnd(position, bytes)
    }
}

/// Each value as what it has in common with the one before, and the rest: DELTA_BYTE_ARRAY.
final class DeltaValues: PageValues {
    private var prefixes: DeltaNumbers
    private let suffixes: DeltaLengthValues
    private var last: [UInt8] = []

    init(_ bytes: [UInt8], at position: Int) throws(ParquetFault) {
        prefixes = try DeltaNumbers(bytes, at: position)
        suffixes = try DeltaLengthValues(bytes, at: try prefixes.end())
    }

    func next(limit: Int) throws(ParquetFault) -> ParquetValue {
        let count = Int(try prefixes.next())
        guard (0...last.count).contains(count) else {
            throw ParquetFault(
                "a value shares \(count) bytes with the one before, which has \(last.count)")
        }
        let suffix = try suffixes.nextRange()
        last.removeLast(last.count - count)
        // Never longer than all suffixes together, which are in the page.
        last += suffixes.bytes[suffix]
        return last.count > limit ? .tooLarge(byteCount: last.count) : .bytes(last)
    }

    func finish() throws(ParquetFault) { try suffixes.finish() }
}
