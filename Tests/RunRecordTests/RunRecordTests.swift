import FalconRunRecord
import Foundation
import Testing

/// What a run's files say, and what the run comes to.
@Suite struct RunRecordTests {
    private func line(_ step: Int, loss: String, seconds: Double = 1, more: String = "") -> String {
        """
        {"step":\(step),"tokens":\(step * 100),"loss":\(loss),"grad_norm":1,"batch_tokens":100,\
        "learning_rate":0.1,"weight_decay":0.1,"effective_learning_rate":0.1,\
        "effective_weight_decay":1,"tokens_per_second":1,"elapsed_seconds":\(seconds),\
        "data_wait_seconds":0,"peak_memory_bytes":1\(more)}

        """
    }

    private func metrics(_ text: String) -> MetricsLines { MetricsLines(Array(text.utf8)) }

    @Test func damagedLinesHaveNumbersAndHalfOnesDoNot() {
        let whole = (1...4).map { line($0, loss: "2") }
        let text = whole[0] + "\n{broken\n" + whole[1] + "{\"step\":3#}\n" + whole[2]
        let read = metrics(text + whole[3].dropLast(9))
        #expect(read.steps.map(\.step) == [1, 2, 3] && read.damagedNumbers == [3, 5])
        // With its line break it is a damaged line.
        #expect(metrics(text + whole[3].dropLast(9) + "\n").damagedNumbers == [3, 5, 7])
        // A line break that has become another byte.
        let joined = metrics(whole[0].dropLast() + "*" + whole[1] + whole[2])
        #expect(joined.steps.map(\.step) == [1, 2, 3] && joined.damagedNumbers.isEmpty)
        #expect(metrics("").steps.isEmpty && metrics("").damagedNumbers.isEmpty)
    }

    @Test func theLossIsTheMeanOfTheLastSteps() {
        let lines = (1...40).map { line($0, loss: "\($0)") }
        #expect(RunResult(metrics(lines.joined()).steps).loss == 39.5)
        // Steps that did not move the weights are left out.
        let skipped = lines[..<39] + [line(40, loss: "9", more: ",\"applied\":false")]
        #expect(RunResult(metrics(skipped.joined()).steps).loss == 39)
        let notFinite = lines[..<39] + [line(40, loss: "\"Infinity\"")]
        #expect(RunResult(metrics(notFinite.joined()).steps).loss == nil)
        #expect(RunResult([]).loss == nil)
    }

    @Test func timeIsThatOfAllProcesses() {
        let lines = [3.0, 5, 1, 4].enumerated().map {
            line($0.offset + 1, loss: "1", seconds: $0.element)
        }
        #expect(RunResult(metrics(lines.joined()).steps).elapsedSeconds == 9)
    }

    @Test func theObjectiveIsOfWhatWasMeasured() {
        func result(_ loss: Double?, _ validation: Double?) -> RunResult {
            RunResult(
                loss: loss, validationLoss: validation, validationBitsPerByte: nil,
                elapsedSeconds: nil)
        }
        #expect(result(1, 2).value(.validationLoss) == 2 && result(1, 2).value(.loss) == 1)
        #expect(RunObjective.loss.measured(in: result(1, 2)) == .loss)
        #expect(result(1, nil).value(.validationLoss) == 1)
        #expect(RunObjective.validationLoss.measured(in: result(1, nil)) == .loss)
        // What was validated is not rated by another loss.
        #expect(result(1, .nan).value(.validationLoss) == nil && result(1, .nan).value(.loss) == 1)
        #expect(RunObjective.validationLoss.measured(in: result(1, .nan)) == .validationLoss)
        #expect(result(.infinity, nil).value(.validationLoss) == nil)
        #expect(result(nil, 2).value(.loss) == nil)
        let scored = [
            line(1, loss: "3", more: ",\"validation_loss\":2.5"), line(2, loss: "2"),
        ]
        let measured = RunResult(metrics(scored.joined()).steps)
        #expect(measured.value(.validationLoss) == 2.5 && measured.value(.loss) == 2)
    }

    @Test func scoresOfTasksAreObjectives() throws {
        let acc = try #require(RunObjective(name: "arc_easy@5.acc_norm"))
        #expect(acc == .score(task: "arc_easy@5", metric: "acc_norm") && acc.isHigherBetter)
        #expect(acc.name == "arc_easy@5.acc_norm")
        for name in ["lambada_openai.perplexity", "hellaswag.bits_per_byte", "loss"] {
            #expect(try #require(RunObjective(name: name)).isHigherBetter == false)
        }
        for name in ["", "los", ".acc", "acc."] { #expect(RunObjective(name: name) == nil) }
        let scored = [
            line(1, loss: "3", more: ",\"task_scores\":{\"arc_easy@5\":{\"acc_norm\":0.25}}"),
            line(2, loss: "2", more: ",\"task_scores\":{\"arc_easy@5\":{\"acc_norm\":0.5}}"),
            line(3, loss: "2"),
        ]
        let measured = RunResult(metrics(scored.joined()).steps)
        #expect(measured.value(acc) == 0.5 && measured.cost(acc) == -0.5)
        #expect(measured.value(.score(task: "piqa", metric: "acc")) == nil)
    }

    @Test func aRunOfSkippedStepsHasDiverged() {
        let skipped = ",\"applied\":false,\"skip_reason\":\"not_finite\""
        let empty = ",\"applied\":false,\"skip_reason\":\"no_targets\""
        func areDiverged(_ ends: [String], limit: Int = 2) -> Bool {
            let lines = ends.enumerated().map { line($0.offset + 1, loss: "1", more: $0.element) }
            return StepMetrics.areDiverged(metrics(lines.joined()).steps, limit: limit)
        }
        #expect(
            areDiverged(["", skipped, skipped]) && areDiverged([skipped, empty, skipped, empty]))
        #expect(
            !areDiverged([skipped, skipped, ""]) && !areDiverged([skipped]) && !areDiverged([]))
    }

    @Test(arguments: [
        ("runs/a/checkpoints/step-00000008", "runs/a"), ("a/checkpoints/step-00000008/", "a"),
        ("/checkpoints/step-00000008", ""), ("checkpoints/step-00000008", nil),
        ("runs/a/hf", nil), ("model.gguf", nil),
    ])
    func aCheckpointLiesInItsRun(checkpoint: String, run: String?) {
        #expect(RunFolder(ofCheckpoint: checkpoint)?.path == run)
    }

    @Test func filesHaveTheirNames() throws {
        let run = RunFolder(path: "runs/a")
        #expect(run.name == "a" && run.metricsPath == "runs/a/metrics.jsonl")
        #expect(run.recipePath == "runs/a/recipe.resolved.yaml")
        #expect(run.eventPath(ofStep: 7) == "runs/a/events/step-7.json")
        #expect(try run.metrics().steps.isEmpty && run.lastStep() == nil)
    }
}
