import FalconEval
import FalconInterchange
import FalconRunRecord
import FalconSystem
import FalconTensor
import FalconTestSupport
import Testing

@testable import FalconTrain

/// Tasks that a run scores when it validates.
@Suite struct TaskScoringTests {
    private static let settings = [
        "evaluation.tasks=[hellaswag, piqa@2, bpb]",
        "evaluation.tasks_path=\(testsFolder)/EvalTests/Fixtures/tasks", "evaluation.documents=3",
    ]

    @Test func theScoresOfARunAreThoseOfItsCheckpoints() throws {
        let runs = try TinyRuns()
        try runs.run("run", settings: Self.settings)
        let lines = try runs.metrics("run")
        #expect(lines.filter { $0.taskScores != nil }.map(\.step) == [4, 8])
        #expect(lines.allSatisfy { ($0.evaluationSeconds != nil) == ($0.taskScores != nil) })
        let scores = try #require(lines.last?.taskScores)
        #expect(scores["hellaswag"]?["acc_norm_stderr"] != nil && scores["bpb"]?["score"] != nil)
        let loaded = try LoadedModel(path: runs.path("run"), on: Device(threadCount: 1))
        let evaluator = Evaluator(
            model: loaded.model, tokenizer: try loaded.requireTokenizer(), device: loaded.device)
        for part in try TaskSelection("hellaswag,piqa@2").parts {
            let data = try TaskData(
                part.task, in: "\(testsFolder)/EvalTests/Fixtures/tasks", shots: part.shots,
                limit: 3)
            let run = TaskRun(data, key: part.key, limit: 3, modelDigest: "", samplesFolder: nil)
            let wanted = try run.run(with: evaluator, resumes: false) { _ in }
            for (metric, score) in wanted.metrics {
                #expect(scores[part.key]?[metric] == score.value)
                #expect(scores[part.key]?[metric + "_stderr"] == score.standardError)
            }
        }
    }

    /// A run whose last line has no scores goes on with them; they change nothing else.
    @Test func scoresChangeNothingElseAndAreMadeUpFor() throws {
        let runs = try TinyRuns()
        try runs.run("plain")
        try runs.run("scored", settings: Self.settings)
        let (plain, scored) = (try runs.metrics("plain"), try runs.metrics("scored"))
        #expect(plain.map(\.loss) == scored.map(\.loss))
        #expect(plain.map(\.validationLoss) == scored.map(\.validationLoss))
        let folder = RunFolder(path: runs.path("scored"))
        let recipe = try runs.recipe(Self.settings)
        #expect(try folder.isComplete(recipe))
        #expect(try !RunFolder(path: runs.path("plain")).isComplete(recipe))
        try runs.run("plain", .resume, settings: Self.settings)
        #expect(try runs.metrics("plain").last?.taskScores == scored.last?.taskScores)
    }

    /// Documents are dealt out, and the numbers are the same.
    @Test func ranksScoreAsOneDoes() throws {
        let runs = try TinyRuns(settings: Self.settings + ["train.leaves=2", "train.steps=4"])
        #expect(try runs.run("one", ranks: 1)[0].get() == .finished)
        for result in try runs.run("two", ranks: 2) { #expect(try result.get() == .finished) }
        let (one, two) = (try runs.metrics("one").last, try runs.metrics("two").last)
        #expect(one?.taskScores != nil && one?.taskScores == two?.taskScores)
        #expect(one?.validationLoss == two?.validationLoss)
    }

    /// The memory of tasks is planned to the byte, and what they cost is known before.
    @Test func whatTasksTakeIsPlanned() throws {
        let runs = try TinyRuns()
        let names = "evaluation.tasks=[hellaswag, piqa@2, mmlu_anatomy@3, wikitext, lambada_openai]"
        let tasks = [names] + Self.settings.dropFirst()
        // The model is the smallest and each document many times the length of its sequences.
        let recipe = try runs.recipe(tasks + ["train.micro_batch_sequences=1"])
        let scoring = try #require(try TaskScoring(recipe))
        let dry = Device.rehearsal(threadCount: 2, precision: .f32)
        try MemoryPlan.rehearse(recipe, tasks: scoring, on: dry)
        let real = Device(threadCount: 2)
        try MemoryPlan.rehearse(recipe, tasks: scoring, on: real)
        #expect(dry.peakByteCount == real.peakByteCount)
        #expect(dry.peakScratchByteCount == real.peakScratchByteCount)
        let without = Device.rehearsal(threadCount: 2, precision: .f32)
        try MemoryPlan.rehearse(recipe, on: without)
        #expect(dry.peakByteCount > without.peakByteCount)
        let cost = try scoring.cost(in: recipe)
        let plan = RunPlan(recipe)
        #expect(cost.scorings == 2 && cost.tokens > 100)
        let share = 2 * Double(cost.tokens) / 3 / Double(plan.totalTokens)
        #expect(abs(cost.share - share) < 1e-12)
    }

    @Test func aPlanWithoutTheFilesOfItsTasksSaysSo() throws {
        let runs = try TinyRuns()
        let recipe = try runs.recipe(["evaluation.tasks=[sciq]", "evaluation.tasks_path=nowhere"])
        let planned = PlannedTasks(recipe)
        #expect(planned.tasks == nil && planned.note?.contains("nowhere/sciq/test.jsonl") == true)
        #expect(PlannedTasks(try runs.recipe()).note == nil)
    }

    @Test func whatIsMissingIsSaidBeforeAnythingIsWritten() throws {
        let runs = try TinyRuns()
        let error = #expect(throws: EvaluationError.self) {
            try runs.run(
                "run",
                settings: ["evaluation.tasks=[sciq]", "evaluation.tasks_path=nowhere"])
        }
        #expect("\(error.map { "\($0)" } ?? "")".contains("nowhere/sciq/test.jsonl"))
        #expect(fileKind(of: runs.path("run") + "/metrics.jsonl") == .missing)
        let unknown = #expect(throws: (any Error).self) {
            try runs.recipe(["evaluation.tasks=[hellswag]"])
        }
        #expect("\(unknown.map { "\($0)" } ?? "")".contains("did you mean hellaswag?"))
        #expect(throws: (any Error).self) { try runs.recipe(["evaluation.shots=-1"]) }
    }
}
