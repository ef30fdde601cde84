import FalconSystem
import Testing

/// What is told of a job that takes long, by a clock of our own.
@Suite struct ProgressTests {
    /// A clock that stands still until it is set, and all that was written.
    private final class Stage {
        var now = 100.0
        var text = ""

        func line(
            isTerminal: Bool, isQuiet: Bool = false, secondsBetweenLines: Double? = nil
        ) -> ProgressLine {
            ProgressLine(
                isQuiet: isQuiet, secondsBetweenLines: secondsBetweenLines,
                on: .init(
                    isTerminal: isTerminal, now: { self.now }, write: { self.text += $0 }))
        }
    }

    private let erasure = ProgressLine.erasure

    @Test func bytesHavePlaceRateAndTimeLeft() {
        var bytes = WorkProgress(.bytes, of: 30_000_000, at: 7)
        #expect("\(bytes)" == "0.0 MB of 30.0 MB" && bytes.perSecond == nil)
        bytes.advance(to: 10_000_000, at: 12)
        #expect("\(bytes)" == "10.0 MB of 30.0 MB  2.0 MB/s  left 10s")
        bytes.advance(to: 30_000_000, at: 22)
        #expect("\(bytes)" == "30.0 MB of 30.0 MB  2.0 MB/s  left 0s")
        var unknown = WorkProgress(.bytes, at: 0)
        unknown.advance(to: 1_500_000, at: 1)
        #expect("\(unknown)" == "1.5 MB  1.5 MB/s" && unknown.secondsLeft == nil)
    }

    @Test func itemsAreNamed() {
        var documents = WorkProgress(.items("documents"), at: 0)
        documents.advance(to: 3, of: 103, at: 2)
        #expect("\(documents)" == "3/103  1.5 documents/s  left 1m07s")
        var tokens = WorkProgress(.items("tokens"), from: 5000, at: 0)
        tokens.advance(to: 17345, at: 10)
        #expect("\(tokens)" == "17,345  1,235 tokens/s")
    }

    @Test func whatWasDoneBeforeIsNoRate() {
        let tokens = WorkProgress(.items("tokens"), from: 50, of: 100, at: 0)
        #expect(tokens.description == "50/100")
        var other = tokens
        other.advance(to: 60, at: 0)
        #expect(other.perSecond == nil)
    }

    /// The rate since the beginning at first, the one of the last minutes later.
    @Test func theRateFollowsAChange() {
        var steps = WorkProgress(.items("steps"), at: 0)
        for second in 1...600 { steps.advance(to: 10 * second, at: Double(second)) }
        #expect(abs((steps.perSecond ?? 0) - 10) < 1e-9)
        for second in 1...60 { steps.advance(to: 6000 + second, at: Double(600 + second)) }
        let middle = steps.perSecond ?? 0
        #expect(middle > 1 && middle < 6)
        for second in 61...600 { steps.advance(to: 6000 + second, at: Double(600 + second)) }
        #expect(abs((steps.perSecond ?? 0) - 1) < 1e-2)
    }

    @Test func aTerminalLineIsRewritten() {
        let stage = Stage()
        let line = stage.line(isTerminal: true)
        line.show("at once")
        #expect(stage.text == "" && !line.isDue)
        stage.now += 0.3
        line.show("one")
        line.show("too soon")
        stage.now += 0.3
        line.show("two")
        #expect(stage.text == erasure + "one" + erasure + "two")
        line.show("news", isNews: true)
        line.show("too soon")
        #expect(stage.text.hasSuffix("two" + erasure + "news"))
        stage.text = ""
        line.write("stays")
        #expect(stage.text == erasure + "stays\n")
        line.end()
        #expect(stage.text == erasure + "stays\n")
        stage.now += 0.3
        line.show("three")
        line.end()
        line.end()
        #expect(stage.text == erasure + "stays\n" + erasure + "three" + erasure)
    }

    @Test func aTerminalLineEndsWithItsOwner() {
        let stage = Stage()
        do {
            let line = stage.line(isTerminal: true)
            stage.now += 0.3
            line.show("one")
        }
        #expect(stage.text == erasure + "one" + erasure)
    }

    @Test func elsewhereALineComesNowAndThen() {
        let stage = Stage()
        let line = stage.line(isTerminal: false, secondsBetweenLines: 10)
        for second in 1...25 {
            stage.now += 1
            line.show("\(second)", isNews: true)
        }
        #expect(stage.text == "10\n20\n")
        line.write("stays")
        stage.now += 9
        line.show("too soon")
        line.end()
        #expect(stage.text == "10\n20\nstays\n")
    }

    @Test func elsewhereNothingComesUnasked() {
        let stage = Stage()
        let line = stage.line(isTerminal: false)
        stage.now += 1000
        line.show("one")
        line.write("two")
        line.end()
        #expect(stage.text == "two\n")
    }

    @Test(arguments: [false, true]) func quietIsQuiet(isTerminal: Bool) {
        let stage = Stage()
        let line = stage.line(isTerminal: isTerminal, isQuiet: true, secondsBetweenLines: 1)
        stage.now += 1000
        line.show("one", isNews: true)
        line.write("two")
        line.end()
        #expect(stage.text == "")
    }

    @Test func quantitiesAreShort() {
        #expect(megabytes(1_250_000) == "1.3 MB" && grouped(-1_234_567) == "-1,234,567")
        #expect(grouped(.min) == "-9,223,372,036,854,775,808" && grouped(999) == "999")
        #expect([3725, 200, 12, -3].map(duration) == ["1h02m", "3m20s", "12s", "0s"])
        #expect(scientific(66_150_000_000_000, places: 1) == "6.6e13")
        #expect(scientific(0.09999, places: 2) == "1.00e-1" && scientific(0, places: 1) == "0.0")
    }
}
