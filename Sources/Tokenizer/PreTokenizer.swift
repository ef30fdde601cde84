/// A text and the places where it is cut into words.
struct WordList {
    /// The characters, after byte-level mapping if there is one and it was not left out.
    var scalars: [UInt32]
    /// The end of every word, the last one that of the text; empty for an empty text.
    var ends: [Int]

    init(_ scalars: [UInt32]) {
        self.scalars = scalars
        ends = scalars.isEmpty ? [] : [scalars.count]
    }
}

/// Cuts a text into the words that merges stay within: the part "pre_tokenizer" of a `tokenizer.json`.
///
/// - Complexity: linear in the length of the text, for every step.
struct PreTokenizer: Sendable, Equatable {
    /// One step; each works on the words that the one before it left.
    enum Step: Equatable, Sendable {
        /// Cuts before and after every match.
        case split(WordPattern)
        /// Puts a space before every word that does not start with one.
        case prefixSpace
        /// Replaces every character by those that stand for its bytes.
        case bytes
    }

    let steps: [Step]

    /// Whether words are made of the characters of `ByteAlphabet`.
    var mapsBytes: Bool { steps.contains(.bytes) }

    /// Whether words are only then made of the characters of their bytes when nothing else is left to do.
    var endsInBytes: Bool { steps.last == .bytes }

    /// Cuts a text.
    ///
    /// - Parameters:
    ///   - scalars: the text.
    ///   - isMapped: false leaves out the last step, if it is `bytes`: `appendMapped` does that for one word.
    /// - Returns: its words.
    func words(of scalars: [UInt32], isMapped: Bool = true) -> WordList {
        var words = WordList(scalars)
        for step in !isMapped && endsInBytes ? steps.dropLast() : steps[...] {
            switch step {
            case .split(let pattern): Self.split(&words, pattern)
            case .prefixSpace: Self.addPrefixSpaces(&words)
            case .bytes: Self.mapBytes(&words)
            }
        }
        return words
    }

    private static func split(_ words: inout WordList, _ pattern: WordPattern) {
        var ends: [Int] = []
        var start = 0
        for end in words.ends {
            var place = start
            while place < end {
                let matchEnd = pattern.matchEnd(words.scalars, place, end)
                if matchEnd > place {
                    if start < place { ends.append(place) }
                    ends.append(matchEnd)
                    start = matchEnd
                    place = matchEnd
                } else {
                    place += 1
                }
            }
            if start < end { ends.append(end) }
            start = end
        }
        words.ends = ends
    }

    private static func addPrefixSpaces(_ words: inout WordList) {
        var scalars: [UInt32] = []
        var start = 0
        for index in words.ends.indices {
            let end = words.ends[index]
            if words.scalars[start] != 0x20 { scalars.append(0x20) }
            scalars += words.scalars[start..<end]
            words.ends[index] = scalars.count
            start = end
        }
        words.scalars = scalars
    }

    private static func mapBytes(_ words: inout WordList) {
        var scalars: [UInt32] = []
        scalars.reserveCapacity(words.scalars.count)
        var start = 0
        for index in words.ends.indices {
            let end = words.ends[index]
            appendMapped(words.scalars[start..<end], to: &scalars)
            words.ends[index] = scalars.count
            start = end
        }
        words.scalars = scalars
    }

    /// Appends the characters that stand for the bytes of others.
    static func appendMapped(_ word: ArraySlice<UInt32>, to scalars: inout [UInt32]) {
        let alphabet = ByteAlphabet.scalars
        for value in word {
            if value < 0x80 {
                scalars.append(alphabet[Int(value)])
            } else if let bytes = Unicode.Scalar(value).map(UTF8.encode) ?? nil {
                for byte in bytes { scalars.append(alphabet[Int(byte)]) }
            }
        }
    }
}

extension PreTokenizer {
    /// Reads the part "pre_tokenizer".
    init(_ field: TokenizerField) throws(TokenizerFault) {
        var steps: [Step] = []
        for part in try field.flattened("pretokenizers") {
            let type = part["type"]
            switch try type.text() {
            case "ByteLevel":
                // Bytes of bytes are of no use, and would make a text grow without bound.
                guard !steps.contains(.bytes) else { throw type.fault("at most one ByteLevel") }
                if try part["add_prefix_space"].flag(missing: true) { steps.append(.prefixSpace) }
                if try part["use_regex"].flag(missing: true) { steps.append(.split(.gpt2)) }
                steps.append(.bytes)
            case "Digits":
                let individual = try part["individual_digits"].flag(missing: false)
                steps.append(.split(.digits(individual: individual)))
            case "Punctuation":
                let behavior = part["behavior"]
                switch behavior.isNull ? "Isolated" : try behavior.text() {
                case "Isolated": steps.append(.split(.punctuation(contiguous: false)))
                case "Contiguous": steps.append(.split(.punctuation(contiguous: true)))
                default: throw behavior.fault("\"Isolated\" or \"Contiguous\"")
                }
            case "Split": steps.append(.split(try Self.pattern(ofSplit: part)))
            default:
                throw type.fault(
                    "\"ByteLevel\", \"Digits\", \"Punctuation\", \"Split\" or \"Sequence\"")
            }
        }
        self.steps = steps
    }

    private static func pattern(ofSplit field: TokenizerField) throws(TokenizerFault) -> WordPattern
    {
        let pattern: WordPattern
        let expression = field["pattern"]["Regex"]
        if expression.isNull {
            let literal = field["pattern"]["String"]
            let scalars = try literal.text().unicodeScalars.map(\.value)
            guard !scalars.isEmpty && scalars.count <= 64 else {
                throw literal.fault("1 to 64 characters")
            }
            pattern = .literal(scalars)
        } else {
            let text = try expression.text()
            guard
                let known = WordPattern.expressions.first(where: {
                    $0.text.utf8.elementsEqual(text.utf8)
                })
            else {
                throw expression.fault(
                    "the expression of GPT-2, Llama 3 or Qwen 2, or one for digits: "
                        + WordPattern.expressions.dropFirst(4).map(\.text).joined(separator: ", "))
            }
            pattern = known.pattern
        }
        // Matches kept and the rest removed: the same where matches leave no rest.
        let behavior = field["behavior"]
        let invert = try field["invert"].flag(missing: false)
        switch try behavior.text() {
        case "Isolated": break
        case "Removed" where invert && pattern.coversEverything: break
        default: throw behavior.fault("\"Isolated\"")
        }
        return pattern
    }
}
