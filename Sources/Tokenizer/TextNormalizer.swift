import FalconJSON
// The library's canonical composition; it has no other interface without Foundation.
@_spi(_Unicode) import Swift

/// Changes characters before a text is cut: the part "normalizer" of a `tokenizer.json`.
struct TextNormalizer: Sendable, Equatable {
    enum Step: Sendable, Equatable {
        /// Unicode's canonical composition.
        case composition
        case replacement(pattern: [UInt32], content: [UInt32])
        case prefix([UInt32])
    }

    let steps: [Step]

    /// The text as it is cut.
    ///
    /// - Parameters:
    ///   - scalars: a text, or a part of one.
    ///   - isContinued: whether the text begins before this part of it.
    /// - Returns: the characters that are cut into words.
    func normalized(_ scalars: [UInt32], isContinued: Bool = false) -> [UInt32] {
        var scalars = scalars
        for step in steps {
            switch step {
            case .composition: scalars = Self.composed(scalars)
            case .replacement(let pattern, let content):
                scalars = Self.replaced(scalars, pattern, content)
            case .prefix(let prefix):
                if !scalars.isEmpty && !isContinued { scalars = prefix + scalars }
            }
        }
        return scalars
    }

    private static func composed(_ scalars: [UInt32]) -> [UInt32] {
        // Characters before the first combining mark never change alone, and never join with one
        // before them: each stretch of others is composed by itself, with the character before it.
        var result: [UInt32] = []
        result.reserveCapacity(scalars.count)
        var place = 0
        while place < scalars.count {
            var end = place + 1
            while end < scalars.count, scalars[end] >= firstMark { end += 1 }
            if end == place + 1 && scalars[place] < firstMark {
                result.append(scalars[place])
            } else {
                var text = String.UnicodeScalarView()
                text.append(
                    contentsOf: ordered(scalars[place..<end]).compactMap(Unicode.Scalar.init))
                result += String(text)._nfc.map(\.value)
            }
            place = end
        }
        return result
    }

    private static let firstMark: UInt32 = 0x300

    /// Marks in canonical order; the library takes quadratic time for that, and does not take three
    /// Tibetan characters, which are made of marks only, for marks.
    private static func ordered(_ scalars: ArraySlice<UInt32>) -> [UInt32] {
        var result: [UInt32] = []
        result.reserveCapacity(scalars.count)
        var marks: [(order: UInt8, scalar: UInt32)] = []
        func flush() {
            let order = marks.indices.sorted { (marks[$0].order, $0) < (marks[$1].order, $1) }
            result += order.map { marks[$0].scalar }
            marks.removeAll(keepingCapacity: true)
        }
        for scalar in scalars {
            let parts: [UInt32] =
                switch scalar {
                case 0xF73: [0xF71, 0xF72]
                case 0xF75: [0xF71, 0xF74]
                case 0xF81: [0xF71, 0xF80]
                default: [scalar]
                }
            for part in parts {
                let order =
                    part < firstMark
                    ? 0 : Unicode.Scalar(part)?.properties.canonicalCombiningClass.rawValue ?? 0
                if order > 0 {
                    marks.append((order, part))
                } else {
                    flush()
                    result.append(part)
                }
            }
        }
        flush()
        return result
    }

    static func replaced(
        _ scalars: [UInt32], _ pattern: [UInt32], _ content: [UInt32]
    ) -> [UInt32] {
        var result: [UInt32] = []
        result.reserveCapacity(scalars.count)
        var place = 0
        while place < scalars.count {
            if scalars.count - place >= pattern.count,
                scalars[place..<place + pattern.count].elementsEqual(pattern)
            {
                result += content
                place += pattern.count
            } else {
                result.append(scalars[place])
                place += 1
            }
        }
        return result
    }
}

extension TextNormalizer {
    /// Reads the part "normalizer".
    init(_ field: TokenizerField) throws(TokenizerFault) {
        var steps: [Step] = []
        for part in try field.flattened("normalizers") {
            let type = part["type"]
            switch try type.text() {
            case "NFC": steps.append(.composition)
            case "Replace":
                let (pattern, content) = try Self.replacement(part)
                steps.append(
                    .replacement(
                        pattern: pattern.unicodeScalars.map(\.value),
                        content: content.unicodeScalars.map(\.value)))
            case "Prepend":
                let prefix = try part["prepend"].text().unicodeScalars.map(\.value)
                guard prefix.count <= 16 else {
                    throw part["prepend"].fault("at most 16 characters")
                }
                steps.append(.prefix(prefix))
            default: throw type.fault("\"NFC\", \"Replace\", \"Prepend\" or \"Sequence\"")
            }
        }
        self.steps = steps
    }

    /// Reads a part of type "Replace", of a normalizer or a decoder.
    static func replacement(
        _ field: TokenizerField
    ) throws(TokenizerFault) -> (pattern: String, content: String) {
        let pattern = field["pattern"]["String"]
        let content = field["content"]
        guard let wanted = pattern.value.string else {
            throw TokenizerFault(
                place: field["pattern"].place, got: "no fixed text",
                wanted: "a \"String\"; regular expressions are not replaced")
        }
        let count = wanted.unicodeScalars.count
        guard count > 0 && count <= 64 else { throw pattern.fault("1 to 64 characters") }
        // So that no text grows.
        guard try content.text().unicodeScalars.count <= count else {
            throw content.fault("no more characters than the pattern")
        }
        return (wanted, try content.text())
    }
}
