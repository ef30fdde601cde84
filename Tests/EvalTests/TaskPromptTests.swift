import FalconSystem
import FalconTestSupport
import Foundation
import Testing

@testable import FalconEval

/// The prompts of every task are those of lm-evaluation-harness 0.4.13, byte for byte.
///
/// `Fixtures/tasks` holds made-up records, and `prompts.json` what the harness asks about them, with and
/// without examples; `scripts/fixtures/task_prompts.py` made both.
@Suite struct TaskPromptTests {
    private static let folder = testsFolder + "/EvalTests/Fixtures/tasks"

    private struct Case: Decodable, Sendable {
        let task: String
        let shots: Int
        /// For each document, the arguments of each request.
        let requests: [[[String]]]
        /// For each document, the places of the right answers; empty where the harness has none.
        let right: [[Int]]
    }

    private static let cases: [Case] = {
        guard let data = FileManager.default.contents(atPath: folder + "/prompts.json"),
            let cases = try? JSONDecoder().decode([Case].self, from: data)
        else { return [] }
        return cases
    }()

    @Test func everyTaskHasItsPrompts() {
        let names = Set(Self.cases.map(\.task))
        #expect(TaskCatalog.tasks.allSatisfy { names.contains($0.name) })
        for name in [
            "mmlu_anatomy", "mmlu_anatomy_continuation", "blimp_adjunct_island",
            "leaderboard_gpqa_main", "leaderboard_math_algebra_hard",
        ] + BBH.parts.map(\.name) {
            #expect(names.contains(name))
        }
        #expect(Self.cases.contains { $0.shots > 0 && $0.task == "hellaswag" })
    }

    @Test(arguments: cases.indices) func promptsAreTheHarnesses(_ index: Int) throws {
        let wanted = Self.cases[index]
        let task = try #require(TaskCatalog.task(named: wanted.task))
        let data = try TaskData(task, in: Self.folder, shots: wanted.shots)
        #expect(data.documents.count == wanted.requests.count)
        for (index, requests) in wanted.requests.enumerated() {
            let document = data.documents[index]
            let got: [[String]]
            switch document.request {
            case .choices, .continuation:
                got = document.pairs(after: data.prefixes[index]).map {
                    [$0.context, $0.continuation]
                }
            case .rolling(let text, _, _): got = [[text]]
            case .generation(let writing): got = [[data.prefixes[index] + writing.question]]
            }
            let isEqual = got == requests
            #expect(isEqual, "\(wanted.task), \(wanted.shots) shots, document \(index)")
            if case .choices(_, _, let right) = document.request {
                #expect(right == Set(wanted.right[index]), "\(wanted.task), document \(index)")
            }
        }
    }

    // MARK: The whole sets

    /// Requests, and SHA-256 over all prompts as the harness's own preprocessing gives them.
    @Test(
        .enabled(
            if: HellaSwagTests.dataFolder != nil, "FALCON_EVAL_DATA names no folder with the data"),
        arguments: [
            ("piqa", 3676, "d9b43f1473ab616557fa37d2bd9bd31e08020db41cc054c78640d4e48b2971b1"),
            ("arc_easy", 9501, "2db763e46f7d2750ba70be7a7eb2097f6daa751da278687a3bae6730193beaf9"),
            (
                "lambada_openai", 5153,
                "521c496efd250b705653e489f1fee7a0aceacda8dd3384fae6999585aa9d3a97"
            ),
            (
                "blimp_adjunct_island", 2000,
                "b390ad7cc0c6f1739c9fc8245a16d964c2fa39d2cff91dec566ad3dc867496b3"
            ),
            (
                "blimp_anaphor_number_agreement", 2000,
                "f5b755bedf8981c1f74339cae3aafc25d1505aa2da5daecf6a3929073af6d7df"
            ),
            (
                "blimp_determiner_noun_agreement_2", 2000,
                "0a44add095461eaf42c67c409af5fb0d7982549ff4ca9133c563da5bf4cdda95"
            ),
            (
                "blimp_irregular_past_participle_verbs", 2000,
                "c0561787bcab7db42a5ae2f6e2026b8d9a452746ffa92720198902a6a100bd61"
            ),
            (
                "blimp_regular_plural_subject_verb_agreement_2", 2000,
                "7952e33813dbfc4b5af5d5898e9e84cc5842af4974c5bbb83b88166b05a2fadf"
            ),
        ]) func wholeSetsGiveTheHarnessesRequests(_ name: String, _ count: Int, _ digest: String)
        throws
    {
        let folder = try #require(HellaSwagTests.dataFolder)
        let task = try #require(TaskCatalog.task(named: name))
        let documents = try TaskData(task, in: folder).documents
        #expect(documents.reduce(0) { $0 + $1.pairs(after: "").count } == count)
        #expect(promptDigest(documents) == digest)
    }

    @Test(
        .enabled(
            if: HellaSwagTests.dataFolder != nil, "FALCON_EVAL_DATA names no folder with the data"))
    func theSixtyTwoPagesOfWikiTextAreTheHarnesses() throws {
        let data = try TaskData(WikiText(), in: try #require(HellaSwagTests.dataFolder))
        var (texts, words, bytes) = ("", 0, 0)
        for document in data.documents {
            guard case .rolling(let text, let count, let size) = document.request else { continue }
            texts += text + "\u{1E}"
            (words, bytes) = (words + count, bytes + size)
        }
        #expect(data.documents.count == 62 && words == 241_335 && bytes == 1_290_527)
        #expect(texts.utf8.count - 62 == 1_240_466)
        #expect(
            SHA256.hex(of: Array(texts.utf8))
                == "dffedef4ed90bbda70c30ae2b8bf2efb75dac3ff99b6116d1e981d79ab51c8fd")
    }

    // MARK: Numbers in texts

    /// What Python's `re.findall` finds with the harness's expressions.
    @Test(arguments: [
        ("so #### 18", "18", "18"), ("#### -1,234.5 and", "-1,234.5", "-1,234.5"),
        ("#### $5 then #### 7", "7", "7"), ("costs $5.", "[invalid]", "$5."),
        ("a 3 b 42", "[invalid]", "42"), ("x-5", "[invalid]", "-5"), ("x -$5", "[invalid]", "-$5"),
        ("none", "[invalid]", "[invalid]"), ("", "[invalid]", "[invalid]"),
        ("####18", "[invalid]", "18"), ("a - b -- 7", "[invalid]", "7"),
        ("1. 2.", "[invalid]", "2."), ("#### #### 5", "5", "5"), ("5,", "[invalid]", "5,"),
        ("wait... 9", "[invalid]", "9"), ("9 wait..", "[invalid]", ".."),
    ]) func numbersAreFoundAsTheHarnessDoes(_ text: String, _ strict: String, _ flexible: String) {
        #expect(GSM8K.strictNumber(text) == strict)
        #expect(GSM8K.lastNumber(text) == flexible)
    }

    private struct MathAnswers: Decodable {
        /// Solutions as a model may write them, with their normalized answers.
        let written: [[String?]]
        /// Solutions of the set, with the inside of their boxes.
        let boxed: [[String?]]
    }

    @Test func answersToProblemsOfMathAreTheHarnesses() throws {
        let path = Self.folder + "/math_answers.json"
        let answers = try JSONDecoder().decode(
            MathAnswers.self, from: try #require(FileManager.default.contents(atPath: path)))
        #expect(answers.written.count == 400 && answers.boxed.count == 400)
        for pair in answers.written {
            #expect(MinervaAnswer(solution: try #require(pair[0]))?.text == pair[1])
        }
        for pair in answers.boxed {
            #expect(MinervaAnswer.lastBox(try #require(pair[0])) == pair[1])
        }
        let metric = try #require(MATH.subjects[0].metrics.first)
        let request = TaskDocument.Request.generation(
            .init(question: "", until: [], references: [#"So $\boxed{\frac12}$."#]))
        func score(_ text: String) -> Double {
            metric.value(request, ModelAnswer(text: text)).number
        }
        #expect(
            score(#"Final Answer: The final answer is $x = \frac{1}{2}$. I hope it is correct."#)
                == 1)
        #expect(score("Final Answer: The final answer is $0.5$. I hope it is correct.") == 0)
        #expect(score("One half.") == 0)
    }

    @Test func examplesWithoutTheDocumentItselfAreTheFirstOthers() throws {
        let data = try TaskData(GPQA("main"), in: Self.folder, shots: 2)
        let alone = try TaskData(GPQA("main"), in: Self.folder)
        let texts = alone.documents.compactMap(\.example).map { $0 + "\n\n" }
        try #require(texts.count == 4)
        #expect(
            data.prefixes == [
                texts[1] + texts[2], texts[0] + texts[2], texts[0] + texts[1], texts[0] + texts[1],
            ])
        #expect(throws: EvaluationError.self) {
            try TaskData(GPQA("main"), in: Self.folder, shots: 4)
        }
    }
}
