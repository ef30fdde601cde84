import FalconTestSupport
import Foundation
import Testing

/// How a run begins, goes on, is replaced and is branched from.
@Suite struct LifecycleTests {
    static let last = "checkpoints/step-00000008"
    let place: Workplace

    init() throws { place = try Workplace() }

    private func manifest(_ run: String, step: Int = 8) throws -> Data {
        try place.read("\(run)/checkpoints/step-0000000\(step)/manifest.json")
    }

    private func lineCount(_ name: String) -> Int {
        ((try? place.read(name)) ?? Data()).count { $0 == 0x0A }
    }

    private func shell(_ script: String) throws -> Outcome {
        try Program.start(["-c", script, Program.path], of: "/bin/sh", in: place.folder).outcome()
    }

    /// Starts a run that goes on for long and waits until it trains.
    private func startLongRun(_ flags: String) throws -> RunningProgram {
        let program = try Program.start(
            (flags + " --set train.steps=100000 --set checkpoint.every_steps=100000 --quiet")
                .split(separator: " ").map(String.init), in: place.folder)
        while program.isRunning && lineCount("run/metrics.jsonl") != 3 { usleep(500) }
        return program
    }

    @Test func aRunGoesOnWithTheRecipeOfItsFolder() throws {
        let whole = try manifest("run")
        try FileManager.default.removeItem(atPath: place.path("run/\(Self.last)"))
        try FileManager.default.removeItem(atPath: place.path("tiny.yaml"))
        let outcome = try place.success("pretrain --run run --resume")
        #expect(outcome.errors.contains("continuing after step 6"))
        #expect(try manifest("run") == whole)
        // A changed value is told, and the others remember where they were written.
        let changed = try place.success("pretrain --run run --resume --set checkpoint.keep_last=5")
        #expect(changed.errors.contains("  checkpoint.keep_last: was 2, now 5"))
        let recipe = String(
            decoding: try place.read("run/recipe.resolved.yaml"), as: UTF8.self)
        #expect(
            recipe.contains("keep_last: 5") && recipe.contains("# --set checkpoint.keep_last=5"))
        #expect(recipe.contains("# tiny.yaml:2:"))
        #expect(try place.success("pretrain --run run --resume").errors.contains("was 2, now 5"))
    }

    @Test func whatIsMissingIsTold() throws {
        try place.failure("pretrain --run run", status: 64, says: "missing --recipe")
        try place.failure(
            "pretrain --resume", status: 64, says: "--resume without --recipe wants --run")
        try place.failure("pretrain --resume --run none", status: 66, says: "none: no such")
        try place.failure(
            "pretrain --resume --run shards", status: 66, says: "shards holds no recipe")
        try place.failure(
            "pretrain --recipe tiny.yaml --run run", status: 73, says: "run already holds a run",
            "--resume")
        try place.failure(
            "pretrain --recipe tiny.yaml --set name=../../x", status: 78,
            says: "name: got \"../../x\", want the name of a folder in runs")
    }

    /// A recipe half written by a run that was killed.
    @Test(arguments: ["", "--resume", "--overwrite"])
    func whatAKillLeavesIsNotInTheWay(flag: String) throws {
        try FileManager.default.createDirectory(
            atPath: place.path("new/checkpoints/step-00000003.partial"),
            withIntermediateDirectories: true)
        try place.write("new/recipe.resolved.yaml.partial", "name: t")
        try place.write("new/.lock", "process 1 on nowhere\n")
        try place.success("pretrain --recipe tiny.yaml --run new \(flag)")
        #expect(try manifest("new") == manifest("run"))
        #expect(
            try place.files().allSatisfy { !$0.contains(".partial") && !$0.hasSuffix(".lock") })
    }

    /// One command line, killed again and again, wherever it is.
    @Test func oneCommandLineBeginsAndGoesOn() throws {
        let settings = "--set train.steps=90 --set checkpoint.every_steps=2"
        let line = "pretrain --recipe tiny.yaml --run killed \(settings) --resume --quiet"
        var kills = 0
        for delay in 1...40 {
            let program = try Program.start(
                line.split(separator: " ").map(String.init), in: place.folder)
            usleep(UInt32(delay) * 3_000)
            program.send(SIGKILL)
            let outcome = try program.outcome()
            #expect(outcome.endedBySignal || outcome.status == 0, "\(outcome.errors)")
            if !outcome.endedBySignal { break }
            kills += 1
        }
        try place.success(line)
        try place.success("pretrain --recipe tiny.yaml --run whole \(settings)")
        let name = "checkpoints/step-00000090/manifest.json"
        #expect(try place.read("killed/\(name)") == place.read("whole/\(name)"))
        #expect(lineCount("killed/metrics.jsonl") == 90 && kills > 0)
        #expect(try place.files().allSatisfy { !$0.contains(".partial") })
    }

    @Test func theSecondProcessIsToldWhoHasTheRun() throws {
        let first = try startLongRun("pretrain --recipe tiny.yaml --run run --overwrite")
        for flag in ["--resume", "--overwrite"] {
            let second = try place.falcon("pretrain --recipe tiny.yaml --run run \(flag)")
            #expect(second.status == 73, "\(second.errors)")
            #expect(
                second.errors.contains(
                    "run is in use by process \(first.process.processIdentifier)"))
        }
        first.send(SIGTERM)
        #expect(try first.outcome().status == 75)
    }

    @Test func theOldRunStaysUntilTheNewOneHasSaved() throws {
        let old = try manifest("run")
        for (settings, status) in [
            ("model.vocab_size=299", 78), ("data.path=nowhere", 66), ("train.stps=1", 78),
            ("train.initial_model=nowhere", 66),
        ] {
            try place.failure(
                "pretrain --recipe tiny.yaml --run run --overwrite --set \(settings)",
                status: Int32(status), says: "falcon: ")
            #expect(try manifest("run") == old)
        }
        let first = try startLongRun("pretrain --recipe tiny.yaml --run run --overwrite")
        #expect(!place.exists("run/\(Self.last)") && place.exists("run/replaced.partial"))
        first.send(SIGKILL)
        #expect(try first.outcome().endedBySignal)
        // Also for those that only look.
        let model = try place.success("ckpt info run --json").json()["path"] as? String
        #expect(model == "run/replaced.partial/\(Self.last)")
        try place.success("pretrain --run run --resume")
        #expect(try manifest("run") == old && lineCount("run/metrics.jsonl") == 8)
        #expect(!place.exists("run/replaced.partial"))
        try place.success(
            "pretrain --recipe tiny.yaml --run run --overwrite --set train.initial_model=run")
        #expect(try manifest("run") != old)
    }

    @Test func damageIsNamedWithQuiet() throws {
        try place.flipBit(in: "run/\(Self.last)/model.safetensors")
        var metrics = try place.read("run/metrics.jsonl")
        metrics[metrics.count / 2] |= 0x80
        try metrics.write(to: place.url("run/metrics.jsonl"))
        let outcome = try place.success("pretrain --run run --resume --quiet")
        #expect(outcome.errors.contains("falcon: skipping a damaged checkpoint: run/\(Self.last)"))
        #expect(
            outcome.errors.contains("falcon: run/metrics.jsonl: 1 line cannot be read (line "))
        #expect(lineCount("run/metrics.jsonl") == 7)
        #expect(lineCount("run/metrics.damaged.jsonl") == 1)
        let info = try place.falcon("ckpt info run --quiet")
        #expect(info.status == 0)
    }

    @Test(arguments: [2, 30, 100]) func aLimitOnTheSizeOfFilesIsTold(blocks: Int) throws {
        let outcome = try shell(
            "ulimit -f \(blocks); exec \"$0\" pretrain --recipe tiny.yaml --run limited --quiet "
                + "--set train.steps=200 --set model.hidden_size=64")
        #expect(outcome.status == 74 && !outcome.endedBySignal, "\(outcome.errors)")
        #expect(outcome.errors.contains("File too large; raise the limit on the size of files"))
        let text = (try? place.read("limited/metrics.jsonl")) ?? Data()
        #expect(text.isEmpty || text.last == 0x0A)
    }

    @Test func aRunOutlivesTheReaderOfItsTalk() throws {
        let outcome = try shell(
            "{ \"$0\" pretrain --recipe tiny.yaml --run talk 2>&1 >out; echo $? >status; } | true; "
                + "\"$0\" pretrain --recipe tiny.yaml --run closed 2>&-; echo $? >>status")
        #expect(outcome.status == 0)
        #expect(try place.read("status") == Data("0\n0\n".utf8))
        for run in ["talk", "closed"] { #expect(try manifest(run) == manifest("run")) }
    }

    @Test func aBranchGoesOnFromACheckpointOfAnotherRun() throws {
        let outcome = try place.success(
            "pretrain --branch run@6 --run branch --set train.steps=9 --set schedule.decay_tokens=96"
        )
        for line in [
            "branching from run after step 6", "  train.steps: was 8, now 9",
            "  schedule.decay_tokens: was 192, now 96", "saved branch/checkpoints/step-00000006",
        ] { #expect(outcome.errors.contains(line), "\(line)") }
        let info = try place.success("ckpt info branch")
        #expect(info.output.contains("run after step 6 (manifest SHA-256 "))
        let ancestors = try place.success("ckpt info branch --json").json()["ancestors"]
        #expect((ancestors as? [[String: Any]])?.first?["step"] as? Int == 6)
        #expect(lineCount("branch/metrics.jsonl") == 3)
        try place.success("ckpt verify branch")
        try place.success("report branch run --output report.html")
        // One command line for a branch too, when its parent has gone on as well.
        for number in 0..<2 {
            if number == 1 {
                try FileManager.default.removeItem(
                    atPath: place.path("run/checkpoints/step-00000006"))
            }
            try place.success("pretrain --branch run@6 --run again --set train.steps=9 --resume")
        }
        #expect(lineCount("again/metrics.jsonl") == 3)
        try place.success("pretrain --run again --resume")
        try place.failure(
            "pretrain --branch run@7 --run b", status: 66, says: "run has no checkpoint of step 7",
            "it has those of 8")
        try place.failure(
            "pretrain --branch run --run b --set data.sequence_length=12", status: 78,
            says: "  data.sequence_length: was 24, now 12")
        try place.failure(
            "pretrain --branch run --run run", status: 73, says: "already holds a run")
        #expect(!place.exists("b"))
    }
}
