import FalconJSON
import FalconSystem
import FalconTestSupport
import FalconTokenizer
import Testing

@testable import FalconData

/// Published rules on texts that break one of them, and on texts at their limits.
@Suite struct FilterTests {
    /// Prose of a number of words without repetition, in lines of ten.
    static func prose(_ count: Int) -> String {
        let stop = ["the", "of", "and", "to"]
        return (0..<count).map { place in
            let word = place % 6 == 0 ? stop[place / 6 % 4] : "word\(place * 7919 % 9973)"
            return word + (place % 10 == 9 ? ".\n" : " ")
        }.joined()
    }

    private func quality(_ text: String) -> FilterFinding? {
        GopherQuality.finding(in: TextParts(text))
    }

    private func repetition(_ text: String) -> FilterFinding? {
        GopherRepetition.finding(in: TextParts(text))
    }

    /// One text that datatrove has judged.
    private struct Judged: Decodable {
        let text: String
        let rules: [String: String?]
    }

    /// Fixtures/filters.jsonl: by `scripts/parity/check_cleaning.py --write`, datatrove 0.10.1.
    @Test func rulesAreThoseOfDatatrove() throws {
        let lines = try load(testsFolder + "/DataTests/Fixtures/filters.jsonl").split(
            separator: 0x0A)
        var rules: Set<String> = []
        for line in lines {
            let judged = try decodedJSON(Judged.self, from: Array(line))
            for filter in TextFilter.allCases {
                var cleaning = DocumentCleaning()
                cleaning.filters = [filter]
                let wanted = try #require(judged.rules[filter.rawValue])
                if case .filtered(let finding) = cleaning.outcome(for: judged.text) {
                    #expect(finding.rule == wanted, "\(judged.text)")
                    rules.insert(finding.rule)
                } else {
                    #expect(wanted == nil, "\(judged.text)")
                }
            }
        }
        #expect(rules.count >= 18)
    }

    @Test func qualityRulesHoldAtTheirLimits() {
        #expect(quality(Self.prose(50)) == nil)
        #expect(quality(Self.prose(49))?.rule == "gopher_quality_few_words")
        #expect(quality(Self.prose(49))?.value == 49)
        #expect(quality(Self.prose(49))?.text == "49 words, want 50 or more")
        // A symbol is no word.
        #expect(quality(Self.prose(49) + " -- ** %")?.value == 49)
        #expect(quality(Self.prose(100_001))?.rule == "gopher_quality_many_words")
        #expect(quality(Self.prose(100_000)) == nil)
        let two = String(repeating: "ab ", count: 60)
        #expect(quality(two)?.rule == "gopher_quality_short_words" && quality(two)?.value == 2)
        #expect(quality(String(repeating: "abc ", count: 58) + "the and")?.rule == nil)
        let ten = String(repeating: "abcdefghij ", count: 60)
        #expect(quality(ten)?.rule == "gopher_quality_stop_words")
        #expect(
            quality(String(repeating: "äbcdefghijk ", count: 60))?.rule
                == "gopher_quality_long_words")
    }

    /// 100 words, of which marks are added to: a tenth may carry one.
    @Test func symbolsAndLinesAreShares() {
        let base = Self.prose(100)
        #expect(quality("##########" + base) == nil)
        #expect(quality("###########" + base)?.rule == "gopher_quality_hashes")
        #expect(quality("###########" + base)?.value == 0.11)
        let dots = String(repeating: "a... ", count: 8) + String(repeating: "a\u{2026} ", count: 4)
        #expect(quality(base + dots)?.rule == "gopher_quality_ellipses")
        let lines = base.split(separator: "\n").map(String.init)
        func marked(_ count: Int, _ mark: (String) -> String) -> String {
            lines.enumerated().map { $0.offset < count ? mark($0.element) : $0.element }
                .joined(separator: "\r\n")
        }
        #expect(quality(marked(9) { " - " + $0 }) == nil)
        #expect(quality(marked(10) { "\t\u{2022}" + $0 })?.rule == "gopher_quality_bullet_lines")
        #expect(quality(marked(3) { $0 + "..  " }) == nil)
        #expect(quality(marked(4) { $0 + "..  " })?.rule == "gopher_quality_ellipsis_lines")
        #expect(quality(marked(4) { $0 + "\u{2026}" })?.value == 0.4)
        let numbers = String(repeating: "1234 ", count: 25)
        #expect(quality(base + numbers) == nil)
        #expect(quality(base + numbers + "1234")?.rule == "gopher_quality_letters")
        let stopless = (0..<60).map { "word\($0)" }.joined(separator: " ")
        #expect(quality(stopless + " (The)")?.value == 1)
        #expect(quality(stopless + " (The) \"That,\"") == nil)
    }

    @Test func repetitionRulesHoldAtTheirLimits() {
        let base = Self.prose(400)
        #expect(repetition(base) == nil)
        let unique = base.split(separator: "\n").map(String.init)
        func pieces(_ copies: Int, _ separator: String) -> String {
            (0..<10).map { $0 < copies ? "x y z" : unique[$0] }.joined(separator: separator)
        }
        // Of 10 pieces, 3 stand there before: that is no more than 0.3.
        #expect(repetition(pieces(4, "\n\n")) == nil)
        #expect(repetition(pieces(5, "\n\n\n"))?.rule == "gopher_repetition_paragraphs")
        #expect(repetition(pieces(5, "\n"))?.rule == "gopher_repetition_lines")
        #expect(repetition(pieces(5, "\n"))?.value == 0.4)
        let long = Self.prose(30).replacing("\n", with: " ")
        let twice = [long, unique[3], unique[4] + unique[5], long].joined(separator: "\n\n")
        #expect(repetition(twice)?.rule == "gopher_repetition_paragraph_characters")
        let lines = [long] + unique[3..<9] + [long]
        #expect(
            repetition(lines.joined(separator: "\n"))?.rule == "gopher_repetition_line_characters")
    }

    /// Exact shares, worked out by hand.
    @Test func repeatedRunsAreSharesOfCharacters() {
        // 41 characters without "a b", of which each adds 4.
        func text(_ copies: Int) -> String {
            (0..<6).map { ($0 < copies ? "a b " : "") + "r\($0)wxyz" }.joined(separator: " ")
        }
        // Of runs that all stand there once, the first counts.
        let wanted: [(Int, String, Double, Double)] = [
            (0, "top_2", 13, 41), (1, "top_3", 10, 45), (2, "top_3", 10, 49), (4, "top_2", 12, 57),
            (5, "top_2", 15, 61), (6, "top_2", 18, 65),
        ]
        for (copies, rule, characters, all) in wanted {
            let found = repetition(text(copies))
            #expect(found?.rule == "gopher_repetition_\(rule)_words")
            #expect(found?.value == characters / all)
        }
        // Four runs of 5 words of 4 letters, each twice, with a word of 5 letters between them: 241 characters.
        let runs: [String] = ["a", "b", "c", "d"].map { letter in
            (0..<5).map { "\(letter)xy\($0)" }.joined(separator: " ")
        }
        var between = runs[0]
        for (place, run) in (runs[1...] + runs).enumerated() { between += " w100\(place) " + run }
        #expect(between.count == 241)
        for others in [0, 48, 49] {
            let all = between + (0..<others).map { " z\(1000 + $0)" }.joined()
            let found = repetition(all)
            if others == 49 {
                #expect(found == nil)
            } else {
                #expect(found?.rule == "gopher_repetition_5_words")
                #expect(found?.value == 80 / Double(241 + 6 * others))
            }
        }
    }

    private func c4(_ text: String) -> C4Filter.Outcome { C4Filter.outcome(for: TextParts(text)) }

    @Test func linesOfC4AreTakenOut() {
        let good = "One two three. Four five! Is it six? \"Yes it is.\"\nAnd a last line."
        #expect(c4(good) == .kept(good))
        let bad = [
            "No mark at the end", "too few.", "It goes on and on...", "",
            "You need JavaScript to see this.", "We and others use cookies here.",
            "A word of " + String(repeating: "x", count: 1001) + " is long.", "See {here}",
        ]
        for line in bad {
            #expect(c4(line + "\n  " + good + "\t\r\n" + line) == .kept(good), "\(line)")
        }
        let word = "A word of " + String(repeating: "ü", count: 1000) + " is not long."
        #expect(c4(word + "\n" + good) == .kept(word + "\n" + good))
        #expect(
            c4("Cited[12] twice[] or[edit] so[citation needed] it is [a].\n" + good)
                == .kept("Cited twice or so it is [a].\n" + good))
        #expect(
            c4("He said \u{201C}so it is.\u{201D}\n" + good)
                == .kept("He said \u{201C}so it is.\u{201D}\n" + good))
        func rule(_ text: String) -> String? {
            if case .leftOut(let finding) = c4(text) { finding.rule } else { nil }
        }
        #expect(rule(good + "\nIt holds Lorem Ipsum here.") == "c4_lorem_ipsum")
        #expect(rule(good + "\nIt holds a { bracket here.") == "c4_curly_bracket")
        #expect(rule("One two three. Four five! Is it six? Yes.") == "c4_few_sentences")
        #expect(rule("") == "c4_few_sentences")
    }

    @Test func linesAndWordsAreThoseOfPython() {
        let parts = TextParts("a\u{A0}b\r\nc\u{85}d\u{2028}\u{2003}e \u{B}f\rg\n\nh\u{1C}i\n")
        func text(_ range: Range<Int>) -> String {
            String(decoding: parts.bytes[range], as: UTF8.self)
        }
        #expect(
            parts.lines().map(text) == ["a\u{A0}b", "c", "d", "\u{2003}e ", "f", "g", "", "h", "i"])
        #expect(parts.words.map(text) == ["a", "b", "c", "d", "e", "f", "g", "h", "i"])
        #expect(TextParts("").lines() == [] && TextParts("").words == [])
        let pieces = TextParts("\na\nb\n\n\nc\n\n")
        #expect(pieces.pieces(betweenLineFeeds: 1).count == 3)
        #expect(pieces.pieces(betweenLineFeeds: 2) == [0..<4, 7..<8])
    }
}
