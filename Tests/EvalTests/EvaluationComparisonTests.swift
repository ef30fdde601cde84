import FalconJSON
import FalconSystem
import Foundation
import Testing

@testable import FalconEval

/// What is compared of two results, and what comes of it.
@Suite struct EvaluationComparisonTests {
    private static func text(
        nats: Double = 200, digest: String? = "d", length: Int? = 24
    ) -> EvaluationResult.Text {
        EvaluationResult.Text(
            score: TextScore(nats: nats, tokens: 100, bytes: 400), dataDigest: digest,
            sequenceLength: length)
    }

    private static func task(right: Int, of count: Int = 10, digest: String = "d") -> TaskScore {
        let values = (0..<count).map { Metric.Value($0 < right ? 1 : 0) }
        return TaskScore(
            task: "t", version: "1.0", shots: 0, documents: count, dataDigest: digest,
            examplesDigest: nil,
            metrics: [
                "acc": MetricScore(values, .mean), "acc_norm": MetricScore(values, .mean),
            ])
    }

    private static func result(
        tokenizer: String = "a", texts: [String: EvaluationResult.Text] = [:],
        tasks: [String: TaskScore] = [:]
    ) -> EvaluationResult {
        var result = EvaluationResult(model: "m", tokenizer: tokenizer)
        (result.texts, result.tasks) = (texts, tasks)
        return result
    }

    private func compare(
        _ result: EvaluationResult, _ golden: EvaluationResult, tolerance: Double = 1e-4
    ) -> EvaluationComparison {
        EvaluationComparison(
            result, with: golden, tolerance: ScoreTolerance([.init(tolerance)]))
    }

    @Test func theSameScoresMatch() {
        let result = Self.result(texts: ["x": Self.text()], tasks: ["t": Self.task(right: 3)])
        #expect(compare(result, result, tolerance: 0).verdict == .matches)
        // What the earlier result does not have is not looked at.
        #expect(compare(result, Self.result()).verdict == .matches)
        let near = Self.result(texts: ["x": Self.text(nats: 200.01)])
        #expect(compare(near, Self.result(texts: ["x": Self.text()])).verdict == .matches)
    }

    @Test func scoresThatAreApartDiffer() {
        let golden = Self.result(texts: ["x": Self.text()], tasks: ["t": Self.task(right: 3)])
        let other = Self.result(
            texts: ["x": Self.text(nats: 210)], tasks: ["t": Self.task(right: 4)])
        let comparison = compare(other, golden)
        #expect(comparison.verdict == .differs && comparison.differences.count == 4)
        #expect(comparison.differences[0] == "x loss: got 2.1, want 2.0 within 0.0001")
        #expect(comparison.differences[2] == "t acc: got 0.4, want 0.3 within 0.0001")
        let missing = compare(Self.result(), golden)
        #expect(missing.differences == ["x: missing, want loss 2.0", "t: missing"])
        let damaged = Self.result(texts: ["x": Self.text(nats: .nan)])
        #expect(compare(damaged, damaged).verdict == .differs)
    }

    @Test func othersTextsLengthsAndDocumentsAreNotCompared() {
        let golden = Self.result(texts: ["x": Self.text()], tasks: ["t": Self.task(right: 3)])
        func obstacles(
            _ text: EvaluationResult.Text = Self.text(), _ task: TaskScore = Self.task(right: 3)
        ) -> [String] {
            let comparison = compare(Self.result(texts: ["x": text], tasks: ["t": task]), golden)
            #expect(comparison.verdict == .notComparable && comparison.differences.isEmpty)
            return comparison.obstacles
        }
        #expect(obstacles(Self.text(digest: "e")) == ["x: the text is different (e, want d)"])
        #expect(
            obstacles(Self.text(length: 4))
                == ["x: in pieces of a different length (4, want 24 tokens)"])
        #expect(
            obstacles(Self.text(), Self.task(right: 3, digest: "e"))
                == ["t: its documents are different (SHA-256 e, want d)"])
        #expect(
            obstacles(Self.text(), Self.task(right: 3, of: 9)) == ["t: 9 documents, want 10"])
    }

    @Test func acrossTokenizersBitsAByteAreCompared() {
        let golden = Self.result(texts: ["x": Self.text()])
        let same = compare(Self.result(tokenizer: "b", texts: ["x": Self.text()]), golden)
        #expect(same.verdict == .matches && same.notes.count == 1)
        let other = compare(
            Self.result(tokenizer: "b", texts: ["x": Self.text(nats: 300)]), golden)
        #expect(other.differences.count == 1)
        #expect(other.differences.first?.hasPrefix("x bits_per_byte: got ") == true)
        let unknown = compare(
            Self.result(tokenizer: "b", texts: ["x": Self.text(digest: nil)]), golden)
        #expect(unknown.obstacles == ["x: by a different tokenizer, on an unknown text"])
    }

    /// A limit of a metric goes before that of all; two standard errors of a difference are
    /// 2 √(0.1528² + 0.1633²) = 0.447.
    @Test func tolerancesAreOfMetricsAndInStandardErrors() throws {
        let golden = Self.result(tasks: ["t": Self.task(right: 3)])
        let other = Self.result(tasks: ["t": Self.task(right: 4)])
        func verdict(_ limits: String...) throws -> EvaluationComparison.Verdict {
            let limits = try limits.map { try #require(ScoreTolerance.Limit($0)) }
            return EvaluationComparison(
                other, with: golden, tolerance: ScoreTolerance([.init(1e-4)] + limits)
            ).verdict
        }
        #expect(try verdict("0.11") == .matches && verdict("0.09") == .differs)
        #expect(try verdict("acc=0.11") == .differs)
        #expect(try verdict("acc=0.11", "acc_norm=2se") == .matches)
        #expect(try verdict("0.4se") == .differs && verdict("0.5se") == .matches)
        // A score without an error has the limit in numbers.
        var (old, new) = (golden, other)
        (old.suites, new.suites) = (["s": suite(0.5)], ["s": suite(0.501)])
        func suites(_ limits: String...) throws -> EvaluationComparison {
            let limits = try limits.map { try #require(ScoreTolerance.Limit($0)) }
            return EvaluationComparison(
                new, with: old, tolerance: ScoreTolerance([.init(1e-4)] + limits))
        }
        #expect(try suites("2se").differences.count == 1)
        #expect(try suites("0.01", "2se").verdict == .matches)
        #expect(
            try suites("2se", "score=2se").differences.first?.contains("no standard error") == true)
        for text in ["", "x", "acc=", "=1", "-1", "acc=1=2", "nan", "acc=-1se"] {
            #expect(ScoreTolerance.Limit(text) == nil, "\(text)")
        }
    }

    private func suite(_ score: Double, items: Int = 2) -> SuiteScore {
        SuiteScore(score: score, items: items, missing: [])
    }

    /// A group may lose what each of its tasks may lose by chance.
    @Test func groupsAndSuitesAreCompared() {
        func result(group right: Int?, suite score: Double?, items: Int = 2) -> EvaluationResult {
            var result = Self.result(tasks: ["t": Self.task(right: 3)])
            result.groups = right.map { ["g": Self.task(right: $0)] }
            result.suites = score.map { ["s": suite($0, items: items)] }
            return result
        }
        let golden = result(group: 5, suite: 0.5)
        #expect(compare(golden, golden).verdict == .matches)
        let worse = compare(result(group: 4, suite: 0.4), golden)
        #expect(
            worse.differences.map { $0.prefix(6) } == ["g acc:", "g acc_", "s scor"])
        let missing = compare(result(group: nil, suite: nil), golden)
        #expect(missing.differences == ["g: missing", "s: missing, want score 0.5"])
        let others = compare(result(group: 5, suite: 0.5, items: 3), golden)
        #expect(others.obstacles == ["s: a mean of 3 scores, want 2"])
    }

    /// What will not be measured is an error before anything is.
    @Test func requirementsOfScoresThatAreNotMeasuredAreErrors() throws {
        let selection = try TaskSelection("arc_easy@5,bpb,mmlu")
        func problem(_ text: String, _ selection: TaskSelection?) throws -> String? {
            let requirement = try #require(ScoreRequirement(text))
            do throws(EvaluationError) {
                try requirement.requireMeasured(texts: ["a.txt"], selection)
                return nil
            } catch {
                #expect(error.exitStatus == .usage)
                return error.description
            }
        }
        for text in [
            "arc_easy@5.acc>0", "bpb.score<9", "mmlu.acc>0", "mmlu_anatomy.acc>0", "a.txt.loss<9",
        ] { #expect(try problem(text, selection) == nil) }
        #expect(try problem("arc_easy@5.accc>0", selection)?.contains("did you mean acc?") == true)
        #expect(
            try problem("arc_esy@5.acc>0", selection)?.contains("did you mean arc_easy@5?") == true)
        #expect(try problem("a.txt.acc>0", nil)?.contains("a text has loss") == true)
        #expect(try problem("mmlu.acc>0", nil)?.contains("will not be scored") == true)
        #expect(try problem("bpb.acc>0", selection)?.contains("it has score") == true)
    }

    @Test func requirementsAreKeptOrNot() throws {
        var result = Self.result(
            texts: ["a.b.txt": Self.text()], tasks: ["t": Self.task(right: 3)])
        result.suites = ["s": SuiteScore(score: 0.5, items: 1, missing: [])]
        func failure(_ text: String) throws -> String? {
            try #require(ScoreRequirement(text)).failure(in: result)
        }
        for text in ["t.acc>=0.3", "t.acc <= 0.3", "t.acc>0.29", "a.b.txt.loss<2.01", "s.score>0"] {
            #expect(try failure(text) == nil, "\(text)")
        }
        #expect(try failure("t.acc>0.3") == "t.acc>0.3: t.acc is 0.3")
        #expect(try failure("t.accc>0")?.contains("t has no accc; it has acc, acc_norm") == true)
        #expect(try failure("u.acc>0")?.contains("there is no score of u") == true)
        for text in ["", "t.acc", "acc>1", "t.acc>x", "t.acc>nan", "t.>1", "t.acc>1>2", "t.acc=1"] {
            #expect(ScoreRequirement(text) == nil, "\(text)")
        }
        result.tasks["n"] = TaskScore(
            task: "n", version: nil, shots: nil, documents: 1, dataDigest: "", examplesDigest: nil,
            metrics: ["acc": MetricScore(value: .nan, standardError: nil)])
        #expect(try failure("n.acc<1") != nil && failure("n.acc>=0") != nil)
    }

    @Test func aResultIsReadAgain() throws {
        let path = FileManager.default.temporaryDirectory.path + "/falcon-\(UUID().uuidString).json"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let result = Self.result(
            texts: ["x": Self.text(nats: .infinity), "y": Self.text(digest: nil, length: nil)],
            tasks: ["t": Self.task(right: 3)])
        try Data(jsonText(result).utf8).write(to: URL(fileURLWithPath: path))
        #expect(try EvaluationResult(path: path) == result)
        try Data("{\"model\": \"m\"}".utf8).write(to: URL(fileURLWithPath: path))
        #expect(throws: EvaluationError.notAResult(path: path)) {
            try EvaluationResult(path: path)
        }
    }
}
