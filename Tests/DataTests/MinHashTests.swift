import FalconSystem
import FalconTestSupport
import Testing

@testable import FalconData

/// Words, their runs, and the hashes that similar texts share.
@Suite struct MinHashTests {
    @Test func caseAndMarksDoNotCount() {
        let words = WordHashes.of(
            "The state of the Union, 1790: \u{201C}peace\u{201D} \u{2014} naïve ÉTÉ")
        #expect(words == WordHashes.of("the STATE\nof...the union 1790 peace NAÏVE été"))
        #expect(words.count == 9 && Set(words).count == 8)
        #expect(WordHashes.of("Привет ΑΒΓ") == WordHashes.of("привет, αβγ!"))
        #expect(WordHashes.of("") == [] && WordHashes.of(" -- \u{3000}\u{2026}!") == [])
        #expect(WordHashes.of("ab c") != WordHashes.of("a bc"))
    }

    /// Scripts without blanks; marks belong to their letter elsewhere.
    @Test func lettersOfScriptsWithoutBlanksAreWords() {
        #expect(WordHashes.of("国の状態").count == 4)
        #expect(WordHashes.of("state国union").count == 3)
        #expect(WordHashes.of("国の状態") == WordHashes.of("国 の、状 態。"))
        #expect(WordHashes.of("नमस्ते दुनिया").count == 2)
        #expect(WordHashes.of("\u{20000}\u{10400}a").count == 2)
        #expect(WordHashes.of("\u{10400}") == WordHashes.of("\u{10428}"))
    }

    @Test func runsAreThoseOfTheirWordsAlone() {
        let words = (0..<40).map { WordHashes.mixed($0) }
        for length in [1, 2, 5, 39, 40] {
            let runs = WordHashes.runs(of: words, length: length)
            #expect(runs.count == words.count - length + 1)
            for (place, run) in runs.enumerated() {
                let alone = WordHashes.runs(
                    of: Array(words[place..<place + length]), length: length)
                #expect(alone == [run])
            }
            #expect(Set(runs).count == runs.count)
        }
        #expect(WordHashes.runs(of: words, length: 41).count == 1)
        #expect(WordHashes.runs(of: [], length: 5) == [])
    }

    /// The kernel against plain loops, for numbers of keys and functions that fill no vector.
    @Test(arguments: [1, 3, 4, 5, 8, 13, 100], [(1, 1), (14, 8), (3, 7), (1, 37)])
    func minimaAreThoseOfPlainLoops(words: Int, shape: (bands: Int, rows: Int)) {
        var parameters = MinHash.Parameters()
        (parameters.words, parameters.bands, parameters.rows) = (1, shape.bands, shape.rows)
        let text = (0..<words).map { "w\($0 * $0)" }.joined(separator: " ")
        let got = MinHash(parameters).minima(of: text)
        var state: UInt64 = 0
        func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            return WordHashes.mixed(state)
        }
        let count = shape.bands * shape.rows
        let factors = (0..<count).map { _ in next() | 1 }
        let offsets = (0..<count).map { _ in next() }
        let keys = WordHashes.runs(of: WordHashes.of(text), length: 1)
        let wanted = zip(factors, offsets).map { factor, offset in
            keys.map { Int64(bitPattern: $0 &* factor &+ offset) }.min() ?? 0
        }
        #expect(got == wanted)
    }

    /// The share of equal minima estimates the Jaccard index: of 1,024 functions, within four standard deviations.
    @Test(arguments: [0.05, 0.3, 0.5, 0.72, 0.9, 0.99])
    func equalMinimaEstimateTheJaccardIndex(share: Double) {
        var parameters = MinHash.Parameters()
        (parameters.words, parameters.bands, parameters.rows) = (1, 1, 1024)
        let minHash = MinHash(parameters)
        var sum = 0.0
        let rounds = 20
        for round in 0..<rounds {
            let common = Int(400 * share)
            func text(_ name: String) -> String {
                let own = (0..<(400 - common) / 2).map { "\(name)\(round)x\($0)" }
                return ((0..<common).map { "c\(round)x\($0)" } + own).joined(separator: " ")
            }
            let (a, b) = (minHash.minima(of: text("a")), minHash.minima(of: text("b")))
            let estimate = Double(zip(a, b).count { $0 == $1 }) / 1024
            let exact = Double(common) / Double(common + (400 - common) / 2 * 2)
            let deviation = (exact * (1 - exact) / 1024).squareRoot()
            #expect(abs(estimate - exact) < 4.5 * deviation, "\(exact)")
            sum += (estimate - exact) / deviation
        }
        // Their mean has a standard deviation of 1 / sqrt(20).
        #expect(abs(sum / Double(rounds)) < 4 / Double(rounds).squareRoot())
    }

    @Test func impossibleParametersAreRefused() {
        for (change, name) in [
            (\MinHash.Parameters.words, "--run-words"), (\.bands, "--bands"), (\.rows, "--rows"),
        ] as [(WritableKeyPath<MinHash.Parameters, Int>, String)] {
            for value in [0, -1, 1 << 20] {
                var parameters = MinHash.Parameters()
                parameters[keyPath: change] = value
                let error = #expect(throws: DataError.self) { try parameters.check() }
                #expect("\(error.map { "\($0)" } ?? "")".contains(name))
            }
        }
        #expect(abs(MinHash.Parameters().threshold - 0.719) < 0.001)
    }

    @Test(arguments: [0, 1, 999, 1024, 1025, 50_000])
    func recordsAreSortedOutsideMemory(count: Int) throws {
        let folder = try TemporaryFolder()
        var random = SystemRandomNumberGenerator()
        let records = (0..<count).map { number in
            let key = UInt64.random(in: 0..<UInt64(count / 2 + 1), using: &random)
            return KeyRecord(
                DuplicateKey(high: key >> 1, low: key << 63), document: count - number - 1)
        }
        for memoryBytes in [0, 100_000, 100_000_000] {
            var sorter = RecordSorter(path: folder.file("\(memoryBytes)"), memoryBytes: memoryBytes)
            for record in records { try sorter.append(record) }
            var sorted: [KeyRecord] = []
            try sorter.finish { sorted.append($0) }
            #expect(sorted == records.sorted())
            if memoryBytes == 0 {
                #expect(sorter.runCount == (count <= 1024 ? 0 : (count + 1023) / 1024))
            }
        }
    }
}
