import Testing

@testable import FalconParquet

/// The encodings of small numbers, against plain loops that write them.
@Suite struct EncodingTests {
    /// A generator with the same numbers every time.
    private struct Source: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ state >> 29
        }
    }

    private static func varint(_ number: UInt64) -> [UInt8] {
        number < 128 ? [UInt8(number)] : [UInt8(number & 127) | 128] + varint(number >> 7)
    }

    private static func packed(_ numbers: [UInt32], bits: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: (numbers.count * bits + 7) / 8)
        for (index, number) in numbers.enumerated() {
            for bit in 0..<bits where number >> bit & 1 == 1 {
                bytes[(index * bits + bit) / 8] |= 1 << ((index * bits + bit) % 8)
            }
        }
        return bytes
    }

    @Test(arguments: [0, 1, 2, 3, 5, 7, 8, 9, 13, 16, 17, 24, 25, 31, 32])
    func runsAndGroupsAreRead(_ bits: Int) throws {
        var source = Source(state: UInt64(bits))
        let most: UInt32 = bits == 0 ? 0 : .max >> (32 - bits)
        var (bytes, wanted): ([UInt8], [UInt32]) = ([9, 9], [])
        for length in [1, 8, 3, 64, 1, 500, 24, 7] {
            if length % 8 == 0 {
                let numbers = (0..<length).map { _ in UInt32.random(in: 0...most, using: &source) }
                bytes += Self.varint(UInt64(length / 8) << 1 | 1) + Self.packed(numbers, bits: bits)
                wanted += numbers
            } else {
                let number = UInt32.random(in: 0...most, using: &source)
                bytes += Self.varint(UInt64(length) << 1)
                bytes += (0..<(bits + 7) / 8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
                wanted += [UInt32](repeating: number, count: length)
            }
        }
        var runs = try Runs(bytes, in: 2..<bytes.count, bitWidth: bits)
        for number in wanted { #expect(try runs.next() == number) }
        #expect(throws: ParquetFault.self) { try runs.next() }
        // Not a byte beyond the range is read.
        for end in 2..<bytes.count {
            var cut = try Runs(bytes, in: 2..<end, bitWidth: bits)
            var count = 0
            while (try? cut.next()) == wanted[count] { count += 1 }
            #expect(count < wanted.count)
        }
    }

    @Test func runsOfNothingAndOfTooMuchAreRefused() throws {
        #expect(throws: ParquetFault.self) { try Runs([], in: 0..<0, bitWidth: 33) }
        #expect(throws: ParquetFault.self) { try Runs([], in: 0..<0, bitWidth: 255) }
        var empty = try Runs([0, 0, 0, 0], in: 0..<4, bitWidth: 1)
        #expect(throws: ParquetFault.self) { try empty.next() }
        var long = try Runs(Self.varint(.max) + [1], in: 0..<11, bitWidth: 1)
        #expect(throws: ParquetFault.self) { try long.next() }
    }

    private static func delta(
        _ numbers: [Int32], block: Int, parts: Int, extraWidths: UInt8 = 0
    ) -> [UInt8] {
        func zigzag(_ number: Int64) -> [UInt8] {
            varint(UInt64(bitPattern: number << 1 ^ number >> 63))
        }
        var bytes = varint(UInt64(block)) + varint(UInt64(parts)) + varint(UInt64(numbers.count))
        bytes += zigzag(Int64(numbers.first ?? 0))
        let differences = zip(numbers.dropFirst(), numbers).map { $0 &- $1 }
        for start in stride(from: 0, to: differences.count, by: block) {
            let some = differences[start..<min(start + block, differences.count)]
            let smallest = some.min() ?? 0
            var (widths, packed): ([UInt8], [UInt8]) = ([], [])
            for part in 0..<parts {
                let from = start + part * block / parts
                let values = some.dropFirst(from - start).prefix(block / parts).map {
                    UInt32(bitPattern: $0 &- smallest)
                }
                // Behind the last number anything may stand here.
                if values.isEmpty {
                    widths.append(extraWidths)
                    continue
                }
                let bits = 32 - (values.max() ?? 0).leadingZeroBitCount
                let padding = [UInt32](repeating: 0, count: block / parts - values.count)
                widths.append(UInt8(bits))
                packed += Self.packed(values + padding, bits: bits)
            }
            bytes += zigzag(Int64(smallest)) + widths + packed
        }
        return bytes
    }

    @Test(arguments: [0, 1, 2, 32, 33, 129, 400], [(128, 4), (256, 1), (128, 1)])
    func differencesAreRead(_ count: Int, _ shape: (block: Int, parts: Int)) throws {
        var source = Source(state: UInt64(count))
        for range in [Int32(5)...5, 0...1, -3...100_000, Int32.min...Int32.max] {
            let numbers = (0..<count).map { _ in Int32.random(in: range, using: &source) }
            let encoded = Self.delta(
                numbers, block: shape.block, parts: shape.parts, extraWidths: 200)
            let bytes = [7] + encoded + [1, 2, 3]
            let whole = try DeltaNumbers(bytes, at: 1)
            #expect(try whole.end() == 1 + encoded.count)
            var reader = whole
            for number in numbers { #expect(try reader.next() == number) }
            #expect(reader.left == 0)
            #expect(throws: ParquetFault.self) { try reader.next() }
            for end in 0..<encoded.count {
                #expect(throws: ParquetFault.self) {
                    _ = try DeltaNumbers(Array(encoded.prefix(end)), at: 0).end()
                }
            }
        }
    }

    @Test func levelsHaveTheBitsTheyNeed() {
        #expect([0, 1, 2, 3, 4, 7, 8].map(DefinitionLevels.bitWidth) == [0, 1, 2, 2, 3, 3, 4])
    }

    @Test func oldLevelsHaveTheirFirstBitHighest() throws {
        var levels = DefinitionLevels.packed(
            bytes: [0b1101_1000, 0b0110_0000], bit: 0, bitCount: 2, wanted: 3)
        let found = try (0..<6).map { _ in try levels.isNextThere() }
        #expect(found == [true, false, false, false, false, false])
        var more = DefinitionLevels.packed(bytes: [0b1011_0000], bit: 0, bitCount: 1, wanted: 1)
        #expect(
            try (0..<8).map { _ in try more.isNextThere() } == [
                true, false, true, true, false, false, false, false,
            ])
        #expect(throws: ParquetFault.self) { try more.isNextThere() }
    }

    @Test func headersOfAnyTypesArePassedOver() throws {
        // One field of each type, a map and a set among them, and field numbers that do not fit a nibble.
        let bytes: [UInt8] = [
            0x11, 0x12, 0x13, 0x7F, 0x14, 0x80, 0x01, 0x15, 0x02, 0x16, 0x03, 0x17, 1, 2, 3, 4, 5,
            6, 7, 8,
            0x18, 2, 0x61, 0x62, 0x19, 0x21, 1, 2, 0x1A, 0x13, 9, 0x1B, 1, 0x85, 1, 0x61, 2, 0x1B,
            0,
            0x1C, 0x15, 0x04, 0, 0x0D, 0x80, 0x02, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
            15, 16, 0,
        ]
        var reader = ThriftReader(bytes + [42])
        var numbers: [Int] = []
        try reader.readStructure { (_, number, _) throws(ParquetFault) in
            numbers.append(number)
            return false
        }
        #expect(numbers == Array(1...13) + [128])
        #expect(reader.position == bytes.count)
        for count in 0..<bytes.count {
            var cut = ThriftReader(Array(bytes.prefix(count)))
            do throws(ParquetFault) {
                try cut.readStructure { (_, _, _) throws(ParquetFault) in false }
                Issue.record("\(count) bytes are read")
            } catch {
                #expect(error.isCutShort)
            }
        }
    }
}
