/// The words of texts as 64-bit hashes.
///
/// A word is a run of letters, digits and marks, whatever its case; all else stands between words. Of scripts
/// that are written without blanks (Han, kana, Thai, Lao, Khmer, Burmese), every letter is a word.
enum WordHashes {
    // FNV-1a.
    private static let basis: UInt64 = 0xCBF2_9CE4_8422_2325
    private static let prime: UInt64 = 0x100_0000_01B3
    /// In an entry of the table: the letter is a word.
    private static let isWord: UInt32 = 1 << 31
    /// Scalars below this are in the table.
    private static let tableCount = 1 << 16
    /// The small letter of each scalar, with `isWord`; 0 for what stands between words.
    private static let table = (0..<UInt32(tableCount)).map { number in
        Unicode.Scalar(number).map(entry) ?? 0
    }

    /// The words of a text, in order.
    ///
    /// - Parameter text: any text.
    /// - Returns: a hash of each.
    static func of(_ text: String) -> [UInt64] {
        let bytes = text.utf8Span.span
        var hashes: [UInt64] = []
        hashes.reserveCapacity(bytes.count / 5)
        var hash = basis
        var isInWord = false
        var place = 0
        while place < bytes.count {
            let byte = bytes[place]
            let letter: UInt32
            if byte < 0x80 {
                place += 1
                let small = byte | 0x20
                let isLetter = small &- 0x61 < 26 || byte &- 0x30 < 10
                letter = isLetter ? UInt32(small) : 0
            } else {
                letter = self.letter(of: bytes, at: &place)
            }
            if letter != 0 && letter & isWord == 0 {
                // Wrapping is meant, here and below.
                hash = (hash ^ UInt64(letter)) &* prime
                isInWord = true
                continue
            }
            if isInWord {
                hashes.append(hash)
                (hash, isInWord) = (basis, false)
            }
            if letter != 0 { hashes.append((basis ^ UInt64(letter)) &* prime) }
        }
        if isInWord { hashes.append(hash) }
        return hashes
    }

    /// The hashes of all runs of a number of words; of a text of fewer words, one of all of them.
    ///
    /// - Parameters:
    ///   - words: hashes of words in order.
    ///   - length: words in a run, at least 1.
    /// - Returns: a hash of each run, its bits mixed; none if there is no word.
    static func runs(of words: [UInt64], length: Int) -> [UInt64] {
        guard !words.isEmpty else { return [] }
        let length = min(length, words.count)
        // The value of a polynomial modulo 2^64.
        let base: UInt64 = 0x9E37_79B9_7F4A_7C15
        var highest: UInt64 = 1
        for _ in 1..<max(1, length) { highest = highest &* base }
        var value: UInt64 = 0
        var runs: [UInt64] = []
        runs.reserveCapacity(words.count)
        for place in words.indices {
            if place >= length { value = value &- words[place - length] &* highest }
            value = value &* base &+ words[place]
            if place >= length - 1 { runs.append(mixed(value)) }
        }
        return runs
    }

    /// A permutation of 64-bit numbers in which every bit depends on all: the end of SplitMix64.
    ///
    /// - SeeAlso: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014, figure 13.
    static func mixed(_ value: UInt64) -> UInt64 {
        var value = value
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }

    /// The entry of a letter beyond ASCII in UTF-8; moves behind it.
    private static func letter(of bytes: Span<UInt8>, at place: inout Int) -> UInt32 {
        func next(_ offset: Int) -> UInt32 { UInt32(bytes[place + offset] & 0x3F) }
        let first = UInt32(bytes[place])
        if first < 0xE0 {
            let number = (first & 0x1F) << 6 | next(1)
            place += 2
            return table[Int(number)]
        }
        if first < 0xF0 {
            let number = (first & 0xF) << 12 | next(1) << 6 | next(2)
            place += 3
            return table[Int(number)]
        }
        let number = (first & 7) << 18 | next(1) << 12 | next(2) << 6 | next(3)
        place += 4
        return Unicode.Scalar(number).map(entry) ?? 0
    }

    private static func entry(_ scalar: Unicode.Scalar) -> UInt32 {
        let properties = scalar.properties
        switch scalar.value {
        case 0x0E00...0x0EFF, 0x1000...0x109F, 0x1780...0x17FF, 0x3040...0x30FF:
            return isLetter(properties) ? scalar.value | isWord : 0
        default: break
        }
        if properties.isIdeographic { return scalar.value | isWord }
        guard isLetter(properties) else { return 0 }
        guard properties.changesWhenLowercased else { return scalar.value }
        return properties.lowercaseMapping.unicodeScalars.first?.value ?? scalar.value
    }

    private static func isLetter(_ properties: Unicode.Scalar.Properties) -> Bool {
        switch properties.generalCategory {
        case .nonspacingMark, .spacingMark, .enclosingMark: true
        default: properties.isAlphabetic || properties.numericType != nil
        }
    }
}
