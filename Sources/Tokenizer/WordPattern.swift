/// The words that a pre-tokenizer cuts out of a text: regular expressions as code.
enum WordPattern: Equatable, Sendable {
    /// The expression of GPT-2.
    case gpt2
    /// The expression of Llama 3, with at most this many digits in a number.
    case llama3(digits: Int)
    /// At most this many characters of `\p{N}`.
    case numbers(limit: Int)
    /// Characters that Digits cuts at, one by one or in runs.
    case digits(individual: Bool)
    /// Characters that Punctuation cuts at, one by one or in runs.
    case punctuation(contiguous: Bool)
    /// Exactly three of 0 to 9.
    case threeDigits
    /// A fixed text.
    case literal([UInt32])

    private static let tail = #"\s+(?!\S)|\s+"#
    private static let gpt2Tail = #"| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|"# + tail
    private static let llama3Head =
        #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"#
    private static let llama3Tail = #"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"# + tail

    /// The regular expressions that are known, by their text.
    static let expressions: [(text: String, pattern: WordPattern)] = [
        ("'s|'t|'re|'ve|'m|'ll|'d" + gpt2Tail, .gpt2),
        ("'(?:[sdmt]|ll|ve|re)" + gpt2Tail, .gpt2),
        (llama3Head + #"\p{N}{1,3}"# + llama3Tail, .llama3(digits: 3)),
        (llama3Head + #"\p{N}"# + llama3Tail, .llama3(digits: 1)),
        (#"\p{N}"#, .numbers(limit: 1)),
        (#"\p{N}{1,3}"#, .numbers(limit: 3)),
        ("[0-9][0-9][0-9]", .threeDigits),
        ("[0-9]{3}", .threeDigits),
    ]

    /// Whether a match starts wherever another one ends.
    var coversEverything: Bool {
        switch self {
        case .gpt2, .llama3: true
        default: false
        }
    }

    /// The end of the match that starts at a place; the place itself if there is none.
    func matchEnd(_ text: [UInt32], _ start: Int, _ end: Int) -> Int {
        switch self {
        case .gpt2: Self.gpt2End(text, start, end)
        case .llama3(let digits): Self.llama3End(text, start, end, digits)
        case .numbers(let limit): Self.run(text, start, min(end, start + limit), .number)
        case .digits(let individual):
            Self.run(text, start, individual ? min(end, start + 1) : end, .digit)
        case .punctuation(let contiguous):
            Self.run(text, start, contiguous ? end : min(end, start + 1), .punctuation)
        case .threeDigits:
            end - start >= 3 && text[start..<start + 3].allSatisfy { (0x30...0x39).contains($0) }
                ? start + 3 : start
        case .literal(let wanted):
            end - start >= wanted.count
                && text[start..<start + wanted.count].elementsEqual(wanted)
                ? start + wanted.count : start
        }
    }

    private static func run(
        _ text: [UInt32], _ start: Int, _ end: Int, _ wanted: ScalarClass
    ) -> Int {
        var place = start
        while place < end, ScalarClass.of(text[place]).contains(wanted) { place += 1 }
        return place
    }

    // `[^\s\p{L}\p{N}]*`
    private static func symbols(_ text: [UInt32], _ start: Int, _ end: Int) -> Int {
        var place = start
        while place < end,
            ScalarClass.of(text[place]).isDisjoint(with: [.space, .letter, .number])
        {
            place += 1
        }
        return place
    }

    /// `\s+(?!\S)|\s+`: the last space of a run belongs to what follows it.
    private static func spaces(_ text: [UInt32], _ start: Int, _ end: Int) -> Int {
        let place = run(text, start, end, .space)
        return place < end && place > start + 1 ? place - 1 : place
    }

    private static func gpt2End(_ text: [UInt32], _ start: Int, _ end: Int) -> Int {
        let contraction = contractionEnd(text, start, end, ignoresCase: false)
        if contraction > start { return contraction }
        let first = text[start] == 0x20 ? start + 1 : start
        for wanted in [ScalarClass.letter, .number] {
            let place = run(text, first, end, wanted)
            if place > first { return place }
        }
        let place = symbols(text, first, end)
        return place > first ? place : spaces(text, start, end)
    }

    private static func llama3End(
        _ text: [UInt32], _ start: Int, _ end: Int, _ digits: Int
    ) -> Int {
        let contraction = contractionEnd(text, start, end, ignoresCase: true)
        if contraction > start { return contraction }
        let character = text[start]
        let kind = ScalarClass.of(character)
        let isLineEnd = character == 0x0A || character == 0x0D
        // One other character before the letters, unless letters start here.
        let first =
            isLineEnd || kind.contains(.letter) || kind.contains(.number) ? start : start + 1
        let word = run(text, first, end, .letter)
        if word > first { return word }
        if kind.contains(.number) { return run(text, start, min(end, start + digits), .number) }
        let symbol = character == 0x20 ? start + 1 : start
        var place = symbols(text, symbol, end)
        if place > symbol {
            while place < end, text[place] == 0x0A || text[place] == 0x0D { place += 1 }
            return place
        }
        // `\s*[\r\n]+`: up to the last line end of the run.
        let runEnd = run(text, start, end, .space)
        var lineEnd = runEnd
        while lineEnd > start, text[lineEnd - 1] != 0x0A && text[lineEnd - 1] != 0x0D {
            lineEnd -= 1
        }
        return lineEnd > start ? lineEnd : spaces(text, start, end)
    }

    // `'s|'t|'re|'ve|'m|'ll|'d`
    private static func contractionEnd(
        _ text: [UInt32], _ start: Int, _ end: Int, ignoresCase: Bool
    ) -> Int {
        guard text[start] == 0x27, start + 1 < end else { return start }
        func letter(_ offset: Int) -> Unicode.Scalar {
            guard start + offset < end, let scalar = Unicode.Scalar(text[start + offset]) else {
                return "\0"
            }
            guard ignoresCase else { return scalar }
            // U+017F, the long s, is another case of s.
            if scalar == "\u{17F}" { return "s" }
            return ("A"..."Z").contains(scalar)
                ? Unicode.Scalar(UInt8(scalar.value) | 0x20) : scalar
        }
        switch (letter(1), letter(2)) {
        case ("s", _), ("t", _), ("m", _), ("d", _): return start + 2
        case ("r", "e"), ("v", "e"), ("l", "l"): return start + 3
        default: return start
        }
    }
}
