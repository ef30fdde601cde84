/// The replacements of characters in a SentencePiece model (`precompiled_charsmap`), checked.
///
/// libsentencepiece follows the map's links wherever they lead, also out of its memory; so a model is
/// handed to it only if all of them stay inside.
///
/// Layout, all little-endian: size of the tree in bytes (UInt32); the tree, a double array of UInt32
/// units in blocks of 256; the replacements, each ended by a zero byte.
///
/// - SeeAlso: `Normalizer::DecodePrecompiledCharsMap` and `NormalizePrefix` of google/sentencepiece;
///   `DoubleArrayUnit` of s-yata/darts-clone.
struct CharacterMap {
    /// The most keys on one way down the tree: the library has room for so many.
    static let longestChain = 32
    /// All children of a unit are in one block.
    static let blockLength = 256

    private let units: [UInt32]
    private let replacementByteCount: Int

    /// Reads and checks a map.
    ///
    /// - Parameter bytes: the field's value; none is no map.
    /// - Throws: `Malformed` if following it would leave its memory.
    init(_ bytes: ArraySlice<UInt8>) throws(SentencePieceModel.Malformed) {
        if bytes.isEmpty {
            (units, replacementByteCount) = ([], 0)
            return
        }
        let (size, rest) = (Self.number(bytes.prefix(4)), bytes.dropFirst(4))
        guard size > 0, size.isMultiple(of: 4 * Self.blockLength), size < rest.count,
            bytes.last == 0
        else { throw Self.malformed }
        let start = rest.startIndex
        units = stride(from: start, to: start + size, by: 4).map {
            UInt32(Self.number(rest[$0..<$0 + 4]))
        }
        replacementByteCount = rest.count - size
        try checkUnits()
        guard longestChain(below: base(of: 0)) <= Self.longestChain else { throw Self.malformed }
    }

    private static let malformed = SentencePieceModel.Malformed(
        reason: "its map of characters points outside itself")

    private static func number(_ bytes: ArraySlice<UInt8>) -> Int {
        bytes.reversed().reduce(0) { $0 << 8 | Int($1) }
    }

    /// The base of a unit's children: each is at this XOR the byte that leads to it.
    private func base(of place: Int) -> Int {
        let unit = units[place]
        return place ^ (Int(unit >> 10) << (unit & (1 << 9) == 0 ? 0 : 8))
    }

    /// The byte that leads to a unit; nil for the value of a key.
    private func label(_ unit: UInt32) -> Int? { unit >> 31 == 0 ? Int(unit & 0xFF) : nil }

    private func endsKey(_ unit: UInt32) -> Bool { unit & (1 << 8) != 0 }

    private func checkUnits() throws(SentencePieceModel.Malformed) {
        for (place, unit) in units.enumerated() where place == 0 || label(unit) != nil {
            let base = base(of: place)
            guard base < units.count,
                !endsKey(unit) || Int(units[base] & 0x7FFF_FFFF) < replacementByteCount
            else { throw Self.malformed }
        }
    }

    /// The most keys on one way down from a place; more than any if a way leads back.
    ///
    /// - Complexity: 256 steps for every place at most; the ways are on no stack but an array.
    private func longestChain(below top: Int) -> Int {
        // Of places that were seen; `isOpen` while ways through them are followed.
        let isOpen = -1
        var chains = [top: isOpen]
        var way = [(base: top, byte: 0, longest: 0)]
        while var last = way.popLast() {
            guard last.byte < Self.blockLength else {
                chains[last.base] = last.longest
                continue
            }
            let place = last.base ^ last.byte
            let below = base(of: place)
            if label(units[place]) != last.byte {
                last.byte += 1
            } else if let chain = chains[below] {
                guard chain != isOpen else { return .max }
                last.longest = max(last.longest, chain + (endsKey(units[place]) ? 1 : 0))
                last.byte += 1
            } else {
                chains[below] = isOpen
                way.append(last)
                last = (below, 0, 0)
            }
            way.append(last)
        }
        return chains[top] ?? 0
    }
}
