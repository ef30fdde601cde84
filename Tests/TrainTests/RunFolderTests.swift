import FalconCheckpoint
import FalconJSON
import FalconRecipe
import FalconRunRecord
import FalconSystem
import FalconTestSupport
import Foundation
import Testing

@testable import FalconTrain

/// Who owns a run folder, and what is in it whatever ended its last owner.
@Suite struct RunFolderTests {
    let runs: TinyRuns

    init() throws { runs = try TinyRuns() }

    /// The files below a folder with their bytes.
    private func contents(_ name: String) throws -> [String: [UInt8]] {
        let root = runs.path(name)
        let files = try FileManager.default.subpathsOfDirectory(atPath: root).filter {
            fileKind(of: root + "/" + $0) == .file
        }
        return Dictionary(
            uniqueKeysWithValues: try files.map { ($0, try readBytes(ofFile: root + "/" + $0)) })
    }

    @Test func aFolderHasOneOwner() throws {
        let held = try HeldRun(runs.path("run"))
        // What the owner is about to finish.
        try createFolder(runs.path("run/checkpoints/step-00000003.partial"))
        try createFolder(runs.path("run/replaced.partial"))
        let error = #expect(throws: FileError.self) { try HeldRun(runs.path("run")) }
        #expect(
            try namesInFolder(runs.path("run")) == [".lock", "checkpoints", "replaced.partial"])
        #expect(
            try namesInFolder(runs.path("run/checkpoints")) == ["step-00000003.partial"])
        #expect(error?.exitStatus == .cannotCreate)
        #expect(error?.description.contains("process \(getpid())") == true)
        withExtendedLifetime(held) {}
    }

    @Test func aFolderThatIsGivenUpIsGone() throws {
        _ = try HeldRun(runs.path("a/run"))
        #expect(fileKind(of: runs.path("a/run")) == .missing)
        try createFolder(runs.path("old"))
        _ = try HeldRun(runs.path("old"))
        #expect(try namesInFolder(runs.path("old")) == [])
    }

    @Test func statesAreTold() throws {
        let folder = RunFolder(path: runs.path("run"))
        #expect(try folder.state() == .blank)
        try createFolder(folder.path + "/checkpoints/step-00000003.partial")
        try runs.write("run/recipe.resolved.yaml.partial", [1])
        try runs.write("run/.lock", [])
        #expect(try folder.state() == .blank)
        try runs.write("run/notes.txt", [])
        #expect(try folder.state() == .foreign)
        try runs.write("run/recipe.resolved.yaml", [1])
        #expect(try folder.state() == .begun)
        try createFolder(folder.path + "/checkpoints/step-00000003")
        #expect(try folder.state() == .saved)
        _ = try HeldRun(folder.path)
        #expect(
            try namesInFolder(folder.path) == ["checkpoints", "notes.txt", "recipe.resolved.yaml"])
        #expect(try folder.checkpoints.steps() == [3])
    }

    /// However far moving an old run aside has come, and whatever the new one has written: until it saves
    /// the old one comes back.
    @Test func anOldRunComesBackUntilTheNewOneHasSaved() throws {
        try runs.run("run", settings: ["train.steps=3"])
        try createFolder(runs.path("run/events"))
        try runs.write("run/events/step-2.json", [7])
        let old = try contents("run")
        let names = RunFolder.names.filter { fileKind(of: runs.path("run/\($0)")) != .missing }
        #expect(names.count == 4)
        func move(_ names: ArraySlice<String>, back: Bool = false) throws {
            try createFolder(runs.path("run/replaced.partial"))
            for name in names {
                let (here, aside) = (
                    runs.path("run/\(name)"), runs.path("run/replaced.partial/\(name)")
                )
                try renameItem(back ? aside : here, to: back ? here : aside)
            }
        }
        for count in 0...names.count {
            try move(names[..<count])
            if count == names.count {
                try runs.write("run/recipe.resolved.yaml", [1])
                try runs.write("run/metrics.jsonl", [1])
                try createFolder(runs.path("run/checkpoints/step-00000001.partial"))
            }
            _ = try HeldRun(runs.path("run"))
            #expect(try contents("run") == old, "\(count) moved")
        }
        // Killed while it was put back.
        for count in 0...names.count {
            try move(names[...])
            try move(Array(names.reversed())[..<count], back: true)
            _ = try HeldRun(runs.path("run"))
            #expect(try contents("run") == old, "\(count) put back")
        }
        // The new run has saved: the old one goes, at once or after a kill half-way.
        for half in [false, true] {
            try move(names[...])
            try createFolder(runs.path("run/checkpoints/step-00000001"))
            try runs.write("run/recipe.resolved.yaml", [1])
            if half {
                try renameItem(
                    runs.path("run/replaced.partial"), to: runs.path("run/removed.partial"))
                try runs.remove("run/removed.partial/recipe.resolved.yaml")
            }
            _ = try HeldRun(runs.path("run"))
            #expect(try contents("run") == ["recipe.resolved.yaml": [1]])
            try runs.remove("run")
            try runs.run("run", settings: ["train.steps=3"])
            try createFolder(runs.path("run/events"))
        }
    }

    @Test func aRunThatCannotBeginLeavesTheOldOne() throws {
        try runs.run("run")
        let old = try contents("run")
        for settings in [
            ["data.path=nowhere"], ["model.vocab_size=10"], ["train.initial_model=nowhere"],
            // Begins, and ends before it has saved.
            [
                "optimizer.learning_rate=1e30", "train.max_skipped_steps=1", "train.steps=30",
                "checkpoint.every_steps=1000",
            ],
        ] {
            #expect(throws: (any Error).self) {
                try runs.run("run", .overwrite, settings: settings)
            }
            #expect(try contents("run") == old, "\(settings)")
        }
        // Its weights are read before it is moved.
        try runs.run("run", .overwrite, settings: ["train.initial_model=\(runs.path("run"))"])
        #expect(try runs.metrics("run")[0].loss != runs.metrics("run")[7].loss)
        #expect(try !contents("run").keys.contains { $0.contains("partial") })
        #expect(try contents("run") != old)
    }

    @Test func resumingBeginsWhereNothingIsSaved() throws {
        try runs.run("whole")
        try runs.run("none", .resume)
        // Begun and killed before the first save; beside files of others.
        try createFolder(runs.path("begun/checkpoints/step-00000003.partial"))
        for (name, bytes) in try contents("whole") where !name.contains("/") {
            try runs.write("begun/\(name)", bytes)
        }
        try runs.write("begun/slurm.out", [1])
        let events = try runs.run("begun", .resume)
        #expect(
            events.contains {
                if case .started(let s) = $0 { s.beginning == .again } else { false }
            })
        for name in ["none", "begun"] {
            #expect(
                try runs.differingFiles(runs.checkpoint("whole"), runs.checkpoint(name)) == [])
            #expect(try runs.metrics(name).map(\.step) == Array(1...8))
        }
        #expect(try runs.bytes("begun/slurm.out") == [1])
        // All checkpoints damaged is not "nothing saved".
        for step in [3, 6, 8] {
            try runs.write("none/checkpoints/step-0000000\(step)/config.json", [])
        }
        let error = #expect(throws: TrainError.self) { try runs.run("none", .resume) }
        #expect(
            error?.exitStatus == .badData && error?.description.contains("--overwrite") == false)
    }

    @Test(arguments: [
        "checkpoint.every_steps=2", "evaluation.every_steps=5", "evaluation.tokens=100",
        "monitor.every_steps=3", "name=other", "train.max_skipped_steps=3", "train.recompute=block",
    ]) func harmlessChangesAreResumed(setting: String) throws {
        try runs.run("whole")
        try runs.run("run")
        for step in [6, 8] { try runs.remove("run/checkpoints/step-0000000\(step)") }
        let events = try runs.run("run", .resume, settings: [setting])
        let changes = events.compactMap { if case .started(let s) = $0 { s.changes } else { nil } }
        #expect(changes.first?.count == 1)
        #expect(changes[0][0].hasPrefix(String(setting.split(separator: "=")[0]) + ": was "))
        let files = try runs.differingFiles(runs.checkpoint("whole"), runs.checkpoint("run"))
        #expect(Set(files).isSubset(of: ["manifest.json", "recipe.resolved.yaml"]))
        #expect(
            try RunFolder(path: runs.path("run")).recipe(settings: []).digest
                == runs.document([setting]).digest)
    }

    @Test func theSameDataElsewhereAreResumed() throws {
        try runs.run("run")
        try FileManager.default.moveItem(atPath: runs.path("shards"), toPath: runs.path("moved"))
        try runs.run("run", .resume, settings: ["data.path=\(runs.path("moved"))"])
    }

    @Test func otherChangesAreNamed() throws {
        try runs.run("run")
        let error = #expect(throws: TrainError.self) {
            try runs.run(
                "run", .resume,
                settings: [
                    "optimizer.betas.1=0.99", "train.steps=9", "checkpoint.every_steps=2",
                    "train.clip_norm=null",
                ])
        }
        for line in [
            "  optimizer.betas: was [0.9, 0.95], now [0.9, 0.99]\n",
            "  train.steps: was 8, now 9\n",
            "  train.clip_norm: was 1.0, now null\n",
        ] { #expect(error?.description.contains(line) == true, "\(line)") }
        #expect(error?.description.contains("every_steps") == false)
    }
}

/// When a run is at its end.
@Suite struct CompletenessTests {
    let runs: TinyRuns
    let folder: RunFolder

    init() throws {
        runs = try TinyRuns()
        folder = RunFolder(path: runs.path("run"))
        #expect(try !folder.isComplete(runs.recipe()))
        try runs.run("run")
        #expect(try folder.isComplete(runs.recipe()))
    }

    /// A stop during the last validation: the run goes on with it, and nothing else is done again.
    @Test func aMissingScoreIsMadeUpFor() throws {
        let lines = try runs.bytes("run/metrics.jsonl").split(separator: 0x0A)
        let whole = try decodedJSON(StepMetrics.self, from: lines[7])
        var last = whole
        (last.validationLoss, last.validationBitsPerByte) = (nil, nil)
        let cut = Array(lines[..<7].joined(separator: [0x0A])) + [0x0A]
        try runs.write("run/metrics.jsonl", cut + Array((try jsonText(last) + "\n").utf8))
        #expect(try !folder.isComplete(runs.recipe()))
        let events = try runs.run("run", .resume)
        var made = try #require(try runs.metrics("run").last)
        #expect(events.contains { if case .step(let line) = $0 { line == made } else { false } })
        made.evaluationSeconds = whole.evaluationSeconds
        #expect(made == whole)
        #expect(try runs.bytes("run/metrics.jsonl").starts(with: cut))
        #expect(try folder.isComplete(runs.recipe()))
        // The whole line lost: all that can be known is written again.
        try runs.write("run/metrics.jsonl", cut)
        #expect(try !folder.isComplete(runs.recipe()))
        try runs.run("run", .resume)
        let again = try #require(try runs.metrics("run").last)
        #expect(
            again.step == 8 && again.loss == nil && again.validationLoss == whole.validationLoss)
        #expect(again.learningRate == whole.learningRate)
        #expect(try folder.isComplete(runs.recipe()))
    }

    @Test func aRunWithoutItsLastCheckpointIsNotComplete() throws {
        try runs.write("run/checkpoints/step-00000008/config.json", [])
        #expect(try !folder.isComplete(runs.recipe()))
        try runs.run("run", .resume)
        #expect(try folder.isComplete(runs.recipe()))
        try runs.remove("run/checkpoints/step-00000008")
        #expect(try !folder.isComplete(runs.recipe()))
    }

    @Test func runsThatDoNotValidateAreCompleteWithoutAScore() throws {
        try runs.run("none", settings: ["evaluation.every_steps=null"])
        #expect(
            try RunFolder(path: runs.path("none")).isComplete(
                runs.recipe(["evaluation.every_steps=null"])))
    }
}
