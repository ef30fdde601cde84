import FalconSystem
import FalconTestSupport
import Testing

@testable import FalconEval

/// Names of tasks, groups and suites.
@Suite struct TaskSelectionTests {
    @Test func numbersOfExamplesStandInNamesOnlyIfTheyAreNotUsual() throws {
        let suite = try TaskSelection("learnable-multipliers")
        let keys = Set(suite.names)
        #expect(keys.isSuperset(of: ["hellaswag@10", "mmlu@5", "gsm8k", "leaderboard_bbh"]))
        #expect(keys.contains("leaderboard_bbh_navigate") && keys.contains("mmlu_anatomy@5"))
        // What a suite has is not run a second time.
        let both = try TaskSelection("learnable-multipliers,leaderboard_bbh,gsm8k,hellaswag@10")
        #expect(both.parts.map(\.key) == suite.parts.map(\.key))
        #expect(Set(try TaskSelection("leaderboard_bbh").parts.map(\.shots)) == [nil])
        let three = try TaskSelection("piqa,arc_easy@5", shots: 3)
        #expect(three.parts.map(\.key) == ["piqa", "arc_easy@5"])
        #expect(three.parts.map(\.shots) == [3, 5])
        #expect(
            try TaskSelection(" piqa , arc_easy@+05").parts.map(\.key) == ["piqa", "arc_easy@5"])
    }

    /// The harness leaves examples out where a task says so, whatever is asked for.
    @Test func tasksWithoutExamplesTakeNone() throws {
        let mixed = try TaskSelection("wikitext,piqa,truthfulqa_mc1,blimp", shots: 3)
        for part in mixed.parts { #expect(part.shots == (part.key == "piqa" ? 3 : nil)) }
        #expect(throws: EvaluationError.noExamples(task: "wikitext")) {
            try TaskSelection("wikitext@2")
        }
        #expect(try TaskSelection("wikitext@0").parts.map(\.shots) == [0])
        #expect(throws: EvaluationError.suiteWithShots(name: "core@5")) {
            try TaskSelection("core@5")
        }
        #expect(throws: EvaluationError.badShots(name: "piqa@x")) { try TaskSelection("piqa@x") }
    }

    @Test(arguments: ["", ",", "hellswag", "piqa@", "piqa@x", "piqa@-1", "piqa,nope"])
    func unknownNamesAreErrors(_ names: String) {
        #expect(throws: EvaluationError.self) { try TaskSelection(names) }
    }

    @Test func filesOfAllTasksThatAreMissingAreNamed() throws {
        let folder = testsFolder + "/EvalTests/Fixtures/tasks"
        let selection = try TaskSelection("piqa,mmlu_virology,leaderboard_gpqa,arc_easy")
        let error = try #require(throws: EvaluationError.self) {
            try selection.data(in: folder, limit: 1)
        }
        #expect(error.exitStatus == .missingInput)
        for name in ["mmlu/virology/test.jsonl", "gpqa_diamond.jsonl", "gpqa_extended.jsonl"] {
            #expect(error.description.contains(name))
        }
        #expect(!error.description.contains("piqa/"))
        #expect(error.description.hasPrefix("files of 3 tasks are missing"))
        let data = try TaskSelection("piqa@1,leaderboard_gpqa_main").data(in: folder, limit: 1)
        #expect(data.map(\.key) == ["piqa@1", "leaderboard_gpqa_main"])
    }
}
