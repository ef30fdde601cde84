import FalconTestSupport
import Testing

@testable import FalconTokenizer

/// A map of characters: a tree of 512 units, the first one the root, and its replacements.
private func map(_ units: [Int: UInt32], replacements: [UInt8] = [0x62, 0]) -> [UInt8] {
    let all: [UInt32] = [2048] + (0..<512).map { units[$0] ?? 1 << 31 }
    return all.flatMap { unit in (0..<4).map { UInt8(truncatingIfNeeded: unit >> (8 * $0)) } }
        + replacements
}

/// A unit at a place, whose children are at `base` XOR their byte.
private func unit(
    _ label: UInt8 = 0, at place: Int, base: Int, endsKey: Bool = false
) -> UInt32 {
    UInt32(place ^ base) << 10 | (endsKey ? 1 << 8 : 0) | UInt32(label)
}

private let letter: UInt8 = 0x61
private let root = unit(at: 0, base: 2)

/// The tree of the keys "a", "aa" and so on.
private func chain(_ count: Int) -> [Int: UInt32] {
    // Bases that differ from each other and from all children, which are at the base XOR 0x61.
    let bases = (1...).lazy.map { $0 << 1 }.filter { $0 & 0x60 == 0 }.prefix(count + 1)
    var units = [0: root]
    for (base, below) in zip(bases, bases.dropFirst()) {
        let place = base ^ Int(letter)
        units[place] = unit(letter, at: place, base: below, endsKey: true)
    }
    return units
}

@Suite struct CharacterMapTests {
    @Test(arguments: [0, 1, 2, 31, 32])
    func readsMapsOfNestedKeys(count: Int) throws {
        _ = try CharacterMap(map(chain(count))[...])
        _ = try CharacterMap([])
    }

    @Test(arguments: [
        ("more nested keys than the library has room for", map(chain(33))),
        ("a way back", map([0: root, 2 ^ 0x61: unit(letter, at: 2 ^ 0x61, base: 2)])),
        (
            "a replacement beyond the last",
            map([0: root, 2 ^ 0x61: unit(letter, at: 2 ^ 0x61, base: 4, endsKey: true), 4: 2])
        ),
        ("a root that leads out", map([0: 1 << 31 | 1 << 9 | 3 << 10])),
        ("a unit that leads out", map([0: root, 300: unit(7, at: 300, base: 512)])),
        ("a replacement without end", map(chain(1), replacements: [0x62])),
        ("no replacements", map(chain(1), replacements: [])),
        ("half a block", [0, 2, 0, 0] + [UInt8](repeating: 0, count: 513)),
        ("a size beyond the map", [0, 4, 0, 0xFF] + [UInt8](repeating: 0, count: 1025)),
        ("no size", [0, 0, 0]),
    ])
    func refusesMapsThatLeadOut(what: String, bytes: [UInt8]) {
        #expect(throws: SentencePieceModel.Malformed.self, "\(what)") {
            try CharacterMap(bytes[...])
        }
    }

    @Test(arguments: [[0x1A], [0x2A], [0x9A, 0x80, 0x80, 0x80, 0x10]] as [[UInt8]])
    func noTokenizerIsMadeOfThem(key: [UInt8]) throws {
        // Normalizer, denormalizer, and a key whose lower half is the normalizer's.
        let path = tokenizerFixture("test_model.model")
        let model = try SentencePieceTokenizer(path: path).modelBytes
        func appended(_ map: [UInt8]) -> [UInt8] {
            let length: [UInt8] = [0x80 | UInt8(map.count & 0x7F), UInt8(map.count >> 7)]
            let field = [0x12] + length + map
            return model + key + [0x80 | UInt8(field.count & 0x7F), UInt8(field.count >> 7)] + field
        }
        #expect(throws: TokenizerError.self) {
            try SentencePieceTokenizer(modelBytes: appended(map(chain(33))))
        }
        if key.count == 1 {
            let tokenizer = try SentencePieceTokenizer(modelBytes: appended(map(chain(32))))
            #expect(try !tokenizer.encode("aaaa aa").isEmpty)
        }
    }
}
