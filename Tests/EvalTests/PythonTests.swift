import Testing

@testable import FalconEval

/// What Python 3.11 gives.
@Suite struct PythonTests {
    @Test func examplesAreThoseThatPythonDraws() {
        var random = PythonRandom(seed: 1234)
        #expect(random.sample(5, of: 1000) == [989, 796, 451, 119, 7])
        #expect(random.sample(5, of: 1000) == [92, 932, 965, 961, 826])
        #expect(random.sample(3, of: 10) == [9, 0, 1])
        #expect(
            random.sample(25, of: 30) == [
                3, 24, 11, 7, 0, 25, 28, 27, 20, 19, 15, 14, 4, 2, 5, 22, 1, 23, 8, 26, 29, 13, 10,
                12, 17,
            ])
        #expect(
            (0..<3).map { _ in random.unit() } == [
                0.6751269332239689, 0.515044969163855, 0.04596531592000641,
            ])
        var shuffled = Array(0..<10)
        var seeded = PythonRandom(seed: 0)
        seeded.shuffle(&shuffled)
        #expect(shuffled == [7, 8, 1, 5, 3, 4, 2, 0, 9, 6])
        seeded.shuffle(&shuffled)
        #expect(shuffled == [6, 3, 9, 2, 7, 8, 0, 1, 5, 4])
        // Past the first 624 words.
        var other = PythonRandom(seed: 99)
        let sum = (0..<2000).reduce(UInt64(0)) { sum, _ in sum &+ UInt64(other.next()) }
        #expect(sum == 4_219_168_829_391)
    }

    @Test(arguments: [
        (" a\u{85}b\u{1C} ", "a\u{85}b"), ("\u{A0}x\u{3000}\u{2028}", "x"),
        ("\u{200B}x", "\u{200B}x"),
        ("", ""), (" \n", ""),
    ]) func strippingIsPythons(_ text: String, _ wanted: String) {
        #expect(text.strippedAsPython() == wanted)
    }

    @Test func replacingAndSplittingGoByScalars() {
        // A letter and its accent are one character of Swift's.
        #expect("e\u{301}e".replacingAsPython("e", with: "a") == "a\u{301}a")
        #expect("aaa".replacingAsPython("aa", with: "b") == "ba")
        #expect("a\r\nb".splitAsPython("\n") == ["a\r", "b"])
        #expect(",a,".splitAsPython(",") == ["", "a", ""])
    }
}
