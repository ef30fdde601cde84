import FalconCheckpoint
import FalconRecipe
import FalconRunRecord
import FalconSystem
import FalconTestSupport
import FalconTrain
import Foundation
import Testing

/// Runs that begin from a checkpoint of another run with all of its state.
@Suite struct BranchTests {
    let runs: TinyRuns

    init() throws { runs = try TinyRuns() }

    private func branch(
        _ name: String, from point: String, settings: [String] = [],
        existing: ExistingRun = .refuse
    ) throws -> [RunEvent] {
        let point = try BranchPoint(runs.path(point))
        return try runs.run(
            name, existing, document: point.recipe(settings: settings), branch: point)
    }

    @Test func aBranchThatChangesNothingEndsWithTheBitsOfItsParent() throws {
        try runs.run("parent", settings: ["optimizer.kind=muon", "parametrization.kind=learnable"])
        let events = try branch("branch", from: "parent@3")
        // The manifest alone differs: it names the parent.
        #expect(
            try runs.differingFiles(runs.checkpoint("parent"), runs.checkpoint("branch"))
                == ["manifest.json"])
        #expect(
            try runs.bytes("parent/recipe.resolved.yaml")
                == runs.bytes("branch/recipe.resolved.yaml"))
        let parent = try Checkpoint.open(runs.checkpoint("parent", step: 3)).manifest
        let own = try Checkpoint.open(runs.checkpoint("branch")).manifest
        let ancestor = CheckpointAncestor(
            run: runs.path("parent"), step: 3, manifestDigest: parent.digest)
        #expect(own.ancestors == [ancestor] && parent.ancestors == [])
        #expect(try runs.metrics("branch").map(\.step) == Array(4...8))
        #expect(try runs.metrics("branch").map(\.loss) == runs.metrics("parent")[3...].map(\.loss))
        let started = events.compactMap { if case .started(let start) = $0 { start } else { nil } }
        #expect(started.first?.beginning == .branched(ancestor) && started.first?.step == 3)
        #expect(started.first?.changes == [])
        #expect(try RunFolder(path: runs.path("branch")).isComplete(runs.recipe()))
    }

    /// One stable run, decayed from three of its checkpoints.
    @Test func aStableRunIsDecayedFromThreeOfItsCheckpoints() throws {
        let stable = ["schedule.decay_tokens=0", "train.steps=12", "evaluation.every_steps=3"]
        try runs.run("stable", settings: stable)
        for step in [3, 6, 9] {
            let settings = ["train.steps=\(step + 3)", "schedule.decay_tokens=288"]
            let events = try branch("decay\(step)", from: "stable@\(step)", settings: settings)
            let lines = try runs.metrics("decay\(step)")
            #expect(lines.map(\.step) == Array(step + 1...step + 3))
            // As a run with this schedule from its beginning would have them.
            let recipe = try runs.recipe(stable + settings)
            let plan = BatchPlan(recipe.train, sequenceLength: 24)
            #expect(
                lines.map(\.learningRate)
                    == lines.map { StepPlan(step: $0.step, of: recipe, plan).learningRate })
            #expect(abs(lines[2].learningRate - 0.125e-3) < 1e-9 && lines[0].learningRate > 0.4e-3)
            #expect(lines[2].validationLoss != nil)
            // The first decayed step sees the data of the stable run's next step.
            #expect(try lines[0].loss == runs.metrics("stable")[step].loss)
            let starts = events.compactMap {
                if case .started(let start) = $0 { start } else { nil }
            }
            #expect(
                starts.first?.changes
                    == ["schedule.decay_tokens: was 0, now 288"]
                    + (step == 9 ? [] : ["train.steps: was 12, now \(step + 3)"]))
        }
        #expect(try runs.metrics("stable").count == 12)
    }

    @Test func aBranchIsResumedWithoutItsParent() throws {
        let settings = ["optimizer.learning_rate=2.0e-3", "train.steps=9"]
        try runs.run("parent")
        _ = try branch("whole", from: "parent@3", settings: settings)
        _ = try branch("stopped", from: "parent@3", settings: settings)
        try runs.remove("parent")
        for step in [6, 9] { try runs.remove("stopped/checkpoints/step-0000000\(step)") }
        let held = try HeldRun(runs.path("stopped"))
        let run = try PretrainingRun(
            OpenedRun(held.folder.recipe(settings: []), in: held, existing: .resume),
            threadCount: 1, onEvent: { _ in })
        #expect(run.trainer.step == 3)
        #expect(try run.run() == .finished)
        #expect(
            try runs.differingFiles(
                runs.checkpoint("whole", step: 9), runs.checkpoint("stopped", step: 9)) == [])
        #expect(try runs.metrics("stopped").map(\.step) == Array(4...9))
    }

    @Test func aBranchOfABranchKnowsBoth() throws {
        try runs.run("a")
        _ = try branch("b", from: "a@3", settings: ["train.steps=10"])
        _ = try branch("c", from: "b@6", settings: ["train.steps=11"])
        let ancestors = try Checkpoint.open(runs.checkpoint("c", step: 11)).manifest.ancestors
        #expect(ancestors.map(\.step) == [3, 6])
        #expect(ancestors.map(\.run) == [runs.path("a"), runs.path("b")])
    }

    @Test(arguments: [
        ("seed=5", "seed: was 0, now 5"),
        ("data.sequence_length=12", "data.sequence_length: was 24, now 12"),
        ("model.rms_norm_eps=1.0e-4", "model.rms_norm_eps: was 1.0e-5, now 1.0e-4"),
        ("optimizer.kind=muon", "optimizer.kind: was adamw, now muon"),
        ("train.batch_tokens=192", "train.batch_tokens: was 96, now 192"),
        ("parametrization.kind=learnable", "parametrization.kind: was standard, now learnable"),
        ("train.initial_model=x", "train.initial_model: was null, now x"),
    ]) func whatABranchCannotChangeIsNamed(setting: String, line: String) throws {
        try runs.run("parent")
        let error = #expect(throws: TrainError.self) {
            _ = try branch("branch", from: "parent@3", settings: [setting, "train.steps=9"])
        }
        #expect(error?.description.contains("  \(line)\n") == true, "\(error?.description ?? "")")
        #expect(error?.exitStatus == .badRecipe)
        #expect(fileKind(of: runs.path("branch")) == .missing)
    }

    @Test func aBranchOfOtherDataIsRefused() throws {
        try runs.run("parent")
        try FileManager.default.copyItem(
            atPath: runs.path("shards"), toPath: runs.path("copied"))
        // The same data elsewhere are the same.
        _ = try branch("branch", from: "parent@3", settings: ["data.path=\(runs.path("copied"))"])
        try runs.run("other", settings: ["train.steps=3"])
        #expect(
            throws: TrainError.branchAtEnd(
                path: runs.checkpoint("parent", step: 6), step: 6, steps: 5)
        ) {
            _ = try branch("short", from: "parent@6", settings: ["train.steps=5"])
        }
        #expect(
            throws: TrainError.noSuchCheckpoint(
                path: runs.path("parent"), step: 4, steps: [3, 6, 8])
        ) {
            try BranchPoint(runs.path("parent@4"))
        }
        #expect(throws: TrainError.nothingToBranchFrom(path: runs.path("text"))) {
            try BranchPoint(runs.path("text"))
        }
    }
}
