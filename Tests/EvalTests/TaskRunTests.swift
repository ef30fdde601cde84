import FalconJSON
import FalconRanks
import FalconRunRecord
import FalconSystem
import FalconTestSupport
import Foundation
import Testing

@testable import FalconEval

/// Runs of a task: what is read, drawn, written, and taken up again.
@Suite struct TaskRunTests {
    /// Questions of different lengths with three answers.
    private struct Quiz: EvaluationTask {
        let name = "quiz"
        let files = ["quiz/test.jsonl"]
        let exampleFiles = ["quiz/train.jsonl"]
        var sampling = ExampleSampling.random
        let preamble = "Answer.\n\n"

        func document(from record: Record) throws -> TaskDocument {
            let answers = try record.texts("answers")
            return TaskDocument(
                question: "Q: \(try record.text("question"))\nA:", answers: answers,
                right: try record.label("label", below: answers.count))
        }
    }

    private let folder: TemporaryFolder
    private let evaluator: Evaluator

    init() throws {
        folder = try TemporaryFolder()
        evaluator = try EvaluatorTests.makeEvaluator(positions: 300)
        for (name, count) in [("test", 12), ("train", 9)] {
            let lines = (0..<count).map { index in
                let words = Array(repeating: "law of the state", count: 1 + index % 3)
                return
                    #"{"question": "\#(name) \#(words.joined(separator: " and ")) \#(index)","#
                    + #" "answers": ["peace", "a long war", "tax \#(index)"], "label": \#(index % 3)}"#
            }
            _ = try folder.write("quiz/\(name).jsonl", lines.joined(separator: "\n") + "\n")
        }
    }

    private func data(
        _ task: Quiz = Quiz(), shots: Int? = nil, limit: Int? = nil
    ) throws -> TaskData {
        try TaskData(task, in: folder.path, shots: shots, limit: limit)
    }

    // MARK: Examples

    /// Places drawn with `random.Random(1234)`: `sample(range(9), 2)` twice.
    @Test func examplesStandBeforeTheQuestion() throws {
        let plain = try data()
        #expect(plain.prefixes == Array(repeating: "Answer.\n\n", count: 12))
        #expect(plain.examplesDigest == nil && plain.shots == 0)
        let drawn = try data(shots: 2)
        func example(_ index: Int) -> String {
            let words = Array(repeating: "law of the state", count: 1 + index % 3)
            let answer = ["peace", "a long war", "tax \(index)"][index % 3]
            return "Q: train \(words.joined(separator: " and ")) \(index)\nA: \(answer)\n\n"
        }
        #expect(drawn.prefixes[0] == "Answer.\n\n" + example(7) + example(1))
        #expect(drawn.prefixes[1] == "Answer.\n\n" + example(0) + example(1))
        #expect(drawn.shared == "Answer.\n\n" && drawn.examplesDigest?.count == 64)
        // The first documents of a file have the same examples as in all of it.
        #expect(try data(shots: 2, limit: 5).prefixes == Array(drawn.prefixes.prefix(5)))
        var first = Quiz()
        first.sampling = .firstN
        let same = try data(first, shots: 3)
        #expect(Set(same.prefixes) == ["Answer.\n\n" + example(0) + example(1) + example(2)])
        #expect(same.shared == same.prefixes[0])
    }

    @Test func badDataIsNamed() throws {
        func error(_ line: String, shots: Int = 0) throws -> String {
            _ = try folder.write("quiz/test.jsonl", "\n" + line + "\n")
            let error = #expect(throws: (any Error).self) { try data(shots: shots) }
            return "\(error.map { "\($0)" } ?? "")"
        }
        for (line, wanted) in [
            ("{", "test.jsonl:2: not a record of this task: not JSON"),
            ("[]", "want a JSON object"), ("{}", "answers is missing"),
            (#"{"answers": [], "label": 0}"#, "answers is empty"),
            (#"{"answers": ["a", 1], "label": 0}"#, "answers: want a list of texts"),
            (
                #"{"question": "q", "answers": ["a"], "label": 1}"#,
                "label is 1, want a number from 0 to 0"
            ),
            (#"{"answers": ["a"], "label": 0, "question": null}"#, "question is null, want a text"),
        ] {
            let text = try error(line)
            #expect(text.contains(wanted))
        }
        let whole = #"{"question": "q", "answers": ["a"], "label": 0}"#
        #expect(try error(whole, shots: 10).contains("holds 9 examples, want at least 10"))
        #expect(
            throws: EvaluationError.noRecords(path: folder.path + "/quiz/test.jsonl", task: "quiz")
        ) {
            _ = try folder.write("quiz/test.jsonl", "\n \n")
            _ = try data()
        }
        try FileManager.default.removeItem(atPath: folder.path + "/quiz/train.jsonl")
        #expect(try error(whole, shots: 1).contains("the 1 examples of quiz are missing"))
    }

    // MARK: Runs

    private func run(
        _ data: TaskData, _ name: String = "out", resumes: Bool = false, model: String = "m"
    ) throws -> TaskScore {
        let path = folder.path + "/" + name
        try createFolder(path)
        let run = TaskRun(data, key: "quiz", limit: nil, modelDigest: model, samplesFolder: path)
        return try run.run(with: evaluator, resumes: resumes, rows: 40) { _ in }
    }

    private func contents(_ name: String) throws -> [String: String] {
        let path = folder.path + "/" + name
        return try Dictionary(
            uniqueKeysWithValues: FileManager.default.contentsOfDirectory(atPath: path).map {
                ($0, try String(contentsOfFile: path + "/" + $0, encoding: .utf8))
            })
    }

    @Test func samplesHaveTheHarnessesFields() throws {
        let data = try data(shots: 1)
        let score = try run(data)
        let lines = try #require(try contents("out")["samples_quiz.jsonl"]).split(separator: "\n")
        #expect(lines.count == 12 && score.documents == 12)
        for (index, line) in lines.enumerated() {
            let sample = try #require(try JSONValue(parsing: Array(line.utf8)).object)
            #expect(sample["doc_id"]?.integer == index)
            #expect(sample["doc"]?.object?["label"]?.integer == index % 3)
            #expect(sample["target"]?.string == "\(index % 3)")
            let arguments = try #require(sample["arguments"]?.object)
            #expect(arguments.keys == ["gen_args_0", "gen_args_1", "gen_args_2"])
            let pairs = data.documents[index].pairs(after: data.prefixes[index])
            #expect(arguments["gen_args_1"]?.object?["arg_0"]?.string == pairs[1].context)
            #expect(arguments["gen_args_1"]?.object?["arg_1"]?.string == " a long war")
            #expect(sample["filtered_resps"]?.array?.count == 3)
            #expect(
                sample["metrics"]?.array?.map(\.string) == ["acc", "acc_norm", "bits_per_byte"])
            #expect([0, 1].contains(sample["acc"]?.integer))
            #expect(sample["prompt_hash"]?.string?.count == 64)
        }
    }

    /// The leader writes what one process writes, and all have the score; also behind answers that are there.
    @Test(arguments: [2, 5]) func ranksShareTheDocuments(count: Int) throws {
        let data = try data()
        let wanted = try run(data, "alone")
        let whole = try contents("alone")
        let first = String(
            decoding: try CheckedLine.bytes(
                of: TaskRun.Identity(
                    task: "quiz", version: "1.0", shots: 0, limit: nil, dataDigest: data.digest,
                    examplesDigest: nil, modelDigest: "m")), as: UTF8.self)
        let lines = try #require(whole["samples_quiz.jsonl"]).split(separator: "\n")
        for kept in [0, 4] {
            let name = "ranks-\(kept)"
            let part = ([first] + lines.prefix(kept).map(String.init)).joined(separator: "\n")
            _ = try folder.write("\(name)/samples_quiz.jsonl.part", part + "\n")
            let (path, top) = (folder.file(name), folder.path)
            let results = try ThreadRanks(count: count).run { link in
                let ranks = RankGroup(link)
                let evaluator = try EvaluatorTests.makeEvaluator(
                    threadCount: 1, positions: 300, ranks: ranks)
                return try TaskRun(
                    TaskData(Quiz(), in: top, shots: nil, limit: nil), key: "quiz", limit: nil,
                    modelDigest: "m", samplesFolder: ranks.isLeader ? path : nil
                ).run(with: evaluator, resumes: true) { _ in }
            }
            for result in results { #expect(try result.get() == wanted) }
            #expect(try contents(name) == whole)
        }
    }

    @Test func aBrokenOffRunGoesOnFromEveryAnswer() throws {
        let data = try data(shots: 1)
        let wanted = try run(data, "whole")
        let whole = try contents("whole")
        #expect(whole.keys.sorted() == ["results_quiz.json", "samples_quiz.jsonl"])
        let lines = try #require(whole["samples_quiz.jsonl"]).split(separator: "\n")
        for count in [0, 1, 7, 12] {
            for torn in ["", "{\"doc_id\": "] {
                let name = "part-\(count)-\(torn.count)"
                // A run that ends before its first answer leaves the line that names it.
                let first = String(
                    decoding: try CheckedLine.bytes(
                        of: TaskRun.Identity(
                            task: "quiz", version: "1.0", shots: 1, limit: nil,
                            dataDigest: data.digest, examplesDigest: data.examplesDigest,
                            modelDigest: "m")), as: UTF8.self)
                let kept = ([first] + lines.prefix(count).map(String.init)).joined(separator: "\n")
                _ = try folder.write("\(name)/samples_quiz.jsonl.part", kept + "\n" + torn)
                #expect(throws: FileError.self) { try run(data, name) }
                #expect(try run(data, name, resumes: true) == wanted)
                #expect(try contents(name) == whole)
                // What is finished is not run again.
                #expect(throws: FileError.self) { try run(data, name) }
                #expect(try run(data, name, resumes: true) == wanted)
            }
        }
        // A file that ends within its first line.
        _ = try folder.write("torn/samples_quiz.jsonl.part", "{\"task\"")
        #expect(try run(data, "torn", resumes: true) == wanted)
        #expect(try contents("torn") == whole)
    }

    /// A byte that has changed is noticed, wherever it is.
    @Test func changedAnswersAndResultsAreNotTaken() throws {
        let data = try data(shots: 1)
        _ = try run(data, "whole")
        let whole = try contents("whole")
        let samples = try #require(whole["samples_quiz.jsonl"])
        let result = try #require(whole["results_quiz.json"])
        func isRefused(_ name: String, _ files: [String: String]) throws {
            for (file, text) in files { _ = try folder.write("\(name)/\(file)", text) }
            let error = #expect(throws: EvaluationError.self) { try run(data, name, resumes: true) }
            guard case .damagedSamples? = error else {
                Issue.record("\(name): \(String(describing: error))")
                return
            }
            // Nothing of it is lost.
            for (file, text) in files { #expect(try contents(name)[file] == text) }
        }
        let changed = samples.replacing(
            "\"filtered_resps\": [[\"-", with: "\"filtered_resps\": [[\"-9", maxReplacements: 1)
        #expect(changed != samples)
        try isRefused("samples", ["samples_quiz.jsonl": changed, "results_quiz.json": result])
        try isRefused("lost", ["results_quiz.json": result])
        let score = result.replacing("\"acc\":0.", with: "\"acc\":0.9", maxReplacements: 1)
        #expect(score != result)
        try isRefused("score", ["samples_quiz.jsonl": samples, "results_quiz.json": score])
        try isRefused("noise", ["samples_quiz.jsonl": samples, "results_quiz.json": "{}\n"])
        let identity = TaskRun.Identity(
            task: "quiz", version: "1.0", shots: 1, limit: nil, dataDigest: data.digest,
            examplesDigest: data.examplesDigest, modelDigest: "m")
        let first = String(decoding: try CheckedLine.bytes(of: identity), as: UTF8.self)
        try isRefused("part", ["samples_quiz.jsonl.part": first + "\n" + changed])
        let swapped = first.replacing("\"m\"", with: "\"n\"") + "\n" + samples
        try isRefused("first", ["samples_quiz.jsonl.part": swapped])
    }

    @Test func answersOfAnotherEvaluationAreRefused() throws {
        _ = try run(data(shots: 1))
        func reason(_ data: TaskData, model: String = "m") throws -> String {
            let error = #expect(throws: EvaluationError.self) {
                try run(data, resumes: true, model: model)
            }
            return "\(error.map { "\($0)" } ?? "")"
        }
        #expect(try reason(data(shots: 2)).contains("shots 1, now 2"))
        #expect(try reason(data(shots: 1), model: "n").contains("model_sha256 m, now n"))
        let path = folder.path + "/quiz/test.jsonl"
        let text = try String(contentsOfFile: path, encoding: .utf8)
        _ = try folder.write("quiz/test.jsonl", text.replacingOccurrences(of: "law", with: "laws"))
        #expect(try reason(data(shots: 1)).contains("data_sha256"))
    }

    /// Half an answer must not be scored as if it were whole.
    @Test func anAnswerLongerThanTheContextIsAnError() throws {
        let long = String(repeating: "peace ", count: 400)
        let line = #"{"question": "q", "answers": ["a", "\#(long)"], "label": 0}"#
        _ = try folder.write("quiz/test.jsonl", line + "\n")
        let error = try #require(throws: EvaluationError.self) { try run(data(), "long") }
        #expect(error.description.contains("test.jsonl, document 0: an answer has "))
        #expect(error.exitStatus == .badData)
    }

    // MARK: Scores

    /// Means and errors worked out by hand; the bootstrap's by the harness's own function.
    @Test func scoresAndErrorsAreTheHarnesses() {
        func score(_ numbers: [Double], _ aggregation: Metric.Aggregation) -> MetricScore {
            MetricScore(numbers.map { Metric.Value($0, weight: 4) }, aggregation)
        }
        // Mean 3/4; squared deviations 3 · 1/16 + 9/16 = 3/4; over 3, over 4, root: 1/4.
        #expect(score([1, 1, 0, 1], .mean) == MetricScore(value: 0.75, standardError: 0.25))
        #expect(score([1], .mean) == MetricScore(value: 1, standardError: nil))
        #expect(score([-2, -6], .weightedPerplexity).value == exp(1.0))
        #expect(abs(score([-2, -6], .bitsPerByte).value - 1 / log(2.0)) < 1e-15)
        let perplexity = score([-1, -2.5, -0.25, -4, -3, -1.5], .perplexity)
        #expect(abs(perplexity.value - 7.703438) < 1e-6)
        #expect(abs((perplexity.standardError ?? 0) - Self.bootstrapped) < 1e-9)
        // Groups: (0.5 · 2 + 1 · 4) / 6, and √(Σ (n − 1) se² n / (Σn − k) / Σn).
        let scores = [
            MetricScore(value: 0.5, standardError: 0.5), MetricScore(value: 1, standardError: 0.1),
        ]
        let weighted = MetricScore(group: scores, sizes: [2, 4], isWeighted: true)
        #expect(abs(weighted.value - 5.0 / 6) < 1e-15)
        #expect(abs((weighted.standardError ?? 0) - (0.62 / 24).squareRoot()) < 1e-12)
        let plain = MetricScore(group: scores, sizes: [2, 4], isWeighted: false)
        #expect(plain.value == 0.75)
        #expect(abs((plain.standardError ?? 0) - 0.26.squareRoot() / 2) < 1e-15)
    }

    /// lm_eval.api.metrics.bootstrap_stderr(perplexity, the six numbers, 100000), lm-eval 0.4.13.
    private static let bootstrapped = 4.840151668661733
}
