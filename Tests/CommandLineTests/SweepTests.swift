import FalconTestSupport
import Foundation
import Testing

/// `falcon sweep` and `falcon report` on runs of a fraction of a second.
@Suite struct SweepTests {
    private func place(_ sweep: String, base: String = "") throws -> Workplace {
        let place = try Workplace()
        try place.write(
            "sweep.yaml", "extends: tiny.yaml\nname: sweep\n" + base + "sweep:\n" + sweep)
        return place
    }

    private func results(_ place: Workplace, _ folder: String = "out") throws -> [[String: Any]] {
        try String(decoding: place.read(folder + "/results.jsonl"), as: UTF8.self)
            .split(separator: "\n").map {
                try #require(
                    try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
            }
    }

    private func count(_ results: [[String: Any]], _ status: String) -> Int {
        results.count { $0["status"] as? String == status }
    }

    private static let twelve = """
          grid: {parametrization.kind: [standard, learnable], optimizer.kind: [adamw, muon]}
          learning_rates: {center: 0.01, steps: 3}
          jobs: 2

        """

    /// Two rates ranked by a task's score: less is not better there, and the report draws the scores.
    @Test func runsAreRankedByTheScoreOfATask() throws {
        let tasks = testsFolder + "/EvalTests/Fixtures/tasks"
        let place = try place(
            "  learning_rates: {center: 0.01, steps: 3}\n  objective: hellaswag.acc_norm\n  jobs: 2\n",
            base: "evaluation: {tasks: [hellaswag], tasks_path: \(tasks), tokens: 48}\n")
        try place.failure(
            "sweep --recipe sweep.yaml --run out --set evaluation.tasks=[piqa]", status: 78,
            says: "sweep.objective is hellaswag.acc_norm", "the runs score piqa")
        for command in ["sweep --run typo", "plan"] {
            try place.failure(
                command + " --recipe sweep.yaml --set sweep.objective=hellaswag.acc_nrm",
                status: 78, says: "hellaswag has no acc_nrm; did you mean acc_norm?")
            try place.failure(
                command + " --recipe sweep.yaml --set sweep.objective=validation.loss",
                status: 78, says: "did you mean validation_loss?")
        }
        try place.failure(
            "plan --recipe sweep.yaml --set evaluation.every_steps=null", status: 78,
            says: "tasks are scored every every_steps steps, but that is null")
        #expect(
            try place.success("plan --recipe sweep.yaml").output.contains("tasks, each time"))
        let outcome = try place.success("sweep --recipe sweep.yaml --run out")
        #expect(outcome.output.contains("hellaswag.acc_norm"))
        let scores = try results(place).map { line in
            try #require((line["scores"] as? [String: Double])?["hellaswag.acc_norm"])
        }
        #expect(scores.count == 3 && scores.allSatisfy { (0...1).contains($0) })
        let best = try place.success("sweep --run out --resume --json").json()
        let configurations = try #require(best["configurations"] as? [[String: Any]])
        #expect(configurations[0]["mean"] as? Double == scores.max())
        try place.success("report out --output report.html")
        let report = String(decoding: try place.read("report.html"), as: UTF8.self)
        #expect(report.contains("hellaswag, acc_norm, with one standard error"))
    }

    @Test func everyCombinationIsTrainedAndReported() throws {
        let place = try place(
            "  grid: {parametrization.kind: [standard, learnable]}\n"
                + "  learning_rates: {center: 0.01, steps: 3}\n  best_seeds: [1, 2]\n  jobs: 2\n",
            base: "monitor: {every_steps: 4}\n")
        let outcome = try place.success("sweep --recipe sweep.yaml --run out")
        #expect(outcome.output.contains("learnable") && outcome.errors.contains("10/10"))
        let results = try results(place)
        #expect(results.count == 10 && count(results, "finished") == 10)
        for result in results {
            #expect(result["steps"] as? Int == 8 && result["tokens"] as? Int == 768)
            #expect((result["validation_loss"] as? Double ?? 0) > 1)
            #expect(result["starts"] as? Int == 1)
        }
        // What a run of its own gives is what it gave in the sweep.
        let first = try #require(results.first?["run"] as? String)
        try place.success("pretrain --recipe out/recipes/\(first).yaml --run alone")
        let manifest = "checkpoints/step-00000008/manifest.json"
        #expect(try place.read("alone/" + manifest) == place.read("out/runs/\(first)/" + manifest))

        let report = try place.success("report out --output report.html --json")
        let summary = try report.json()
        let verdicts = try #require(summary["verdicts"] as? [[String: Any]])
        #expect(verdicts.count == 1)
        #expect((verdicts[0]["text"] as? String)?.contains("3 seeds each") == true)
        let page = String(decoding: try place.read("report.html"), as: UTF8.self)
        #expect(page.contains("<svg") && !page.contains("http") && page.utf8.count < 2_000_000)
        try place.success("report out alone --output again.html")
        try place.success("report out --output report2.html")
        #expect(try place.read("report.html") == place.read("report2.html"))
        try place.failure("report shards", status: 66, says: "neither a run")
        try place.failure(
            "pretrain --recipe sweep.yaml --run x", status: 78, says: "run it with falcon sweep")
    }

    /// Killed in the middle: what ended is kept, what ran goes on, nothing is made twice.
    @Test func aKilledSweepGoesOnWhereItWas() throws {
        let slow =
            "train: {steps: 60}\ncheckpoint: {every_steps: 10}\nevaluation: {every_steps: 60}\n"
        let place = try place(Self.twelve, base: slow)
        let sweep = try Program.start(
            ["sweep", "--recipe", "sweep.yaml", "--run", "out"], in: place.folder)
        let limit = Date().addingTimeInterval(60)
        while Date() < limit {
            let ended = (try? count(results(place), "finished")) ?? 0
            if ended >= 3 { break }
            usleep(10_000)
        }
        sweep.send(SIGKILL)
        #expect(try sweep.outcome().endedBySignal)
        let before = try results(place)
        #expect((3..<12).contains(count(before, "finished")))
        try place.failure("sweep --recipe sweep.yaml --run out", status: 73, says: "--resume")
        try place.success("sweep --recipe sweep.yaml --run out --resume")
        let after = try results(place)
        #expect(after.count == 12 && count(after, "finished") == 12)
        #expect(Set(after.compactMap { $0["run"] as? String }).count == 12)
        // Those that had ended were not started again; at most the two that ran were.
        for old in before where old["status"] as? String == "finished" {
            let new = after.first { $0["run"] as? String == old["run"] as? String }
            #expect(new?["starts"] as? Int == 1)
        }
        let starts = after.compactMap { $0["starts"] as? Int }.reduce(0, +)
        #expect((12...14).contains(starts))
        for result in after {
            let run = try #require(result["run"] as? String)
            let lines = String(
                decoding: try place.read("out/runs/\(run)/metrics.jsonl"), as: UTF8.self
            ).split(separator: "\n")
            #expect(lines.count == 60)
        }
        // Once more does nothing.
        try place.success("sweep --recipe sweep.yaml --run out --resume")
        #expect(
            try results(place).compactMap { $0["starts"] as? Int }.reduce(0, +) == starts)
    }

    @Test func aSignalStopsRunsWithTheirStateSaved() throws {
        let slow = "train: {steps: 3000}\nevaluation: {every_steps: 3000}\n"
        let place = try place("  seeds: [0, 1, 2]\n  jobs: 2\n", base: slow)
        let sweep = try Program.start(
            ["sweep", "--recipe", "sweep.yaml", "--run", "out"], in: place.folder)
        // Not below the runs' folders: what a run removes meanwhile would fail the listing.
        while sweep.isRunning {
            let runs = place.path("out/runs")
            let names = (try? FileManager.default.contentsOfDirectory(atPath: runs)) ?? []
            if names.count(where: { place.exists("out/runs/\($0)/metrics.jsonl") }) >= 2 { break }
            usleep(10_000)
        }
        sweep.send(SIGTERM)
        let outcome = try sweep.outcome()
        #expect(outcome.status == 75 && outcome.errors.contains("--resume"))
        let checkpoints = try place.files().filter {
            $0.hasPrefix("out") && $0.hasSuffix("manifest.json")
        }
        #expect(checkpoints.count >= 2)
    }

    @Test func aRunThatDivergesOrFailsLeavesTheOthersAlone() throws {
        let place = try place(
            """
              variants:
                - {name: good, settings: {train.steps: 8}}
                - {name: wild, settings: {optimizer.groups.0.learning_rate_scale: 1.0e+30, train.max_skipped_steps: 2}}
                - {name: gone, settings: {data.path: nowhere}}

            """)
        let outcome = try place.falcon("sweep --recipe sweep.yaml --run out")
        #expect(outcome.status == 1 && outcome.errors.contains("nowhere"))
        let results = try results(place)
        let byName = Dictionary(
            uniqueKeysWithValues: results.map {
                (($0["configuration"] as? [String: String])?["variant"] ?? "", $0)
            })
        #expect(byName["good"]?["status"] as? String == "finished")
        #expect(byName["wild"]?["status"] as? String == "diverged")
        #expect((byName["wild"]?["message"] as? String)?.contains("not finite") == true)
        #expect(byName["gone"]?["status"] as? String == "failed")
        #expect((byName["gone"]?["message"] as? String)?.contains("exit status 66") == true)
    }

    @Test func badSweepsAreFoundBeforeAnythingRuns() throws {
        for (sweep, words) in [
            ("  grid: {optimizer.kind: []}\n", "no values"),
            ("  grid: {optimizer.lr: [1]}\n", "no such key"),
            ("  grid: {train.steps: [8, many]}\n", "many"),
            ("  grid: {train.steps: [8, 0]}\n", "at least 1"),
            ("  grids: {train.steps: [8]}\n", "did you mean grid"),
        ] {
            let place = try place(sweep)
            try place.failure(
                "sweep --recipe sweep.yaml --run out", status: 78, says: words)
        }
        let place = try Workplace()
        try place.failure("sweep --recipe tiny.yaml", status: 78, says: "no sweep part")
        try place.failure(
            "sweep --recipe tiny.yaml --jobs 0", status: 64, says: "at least 1")
    }

    @Test func runsMadeElsewhereAreGathered() throws {
        let place = try place("  seeds: [0, 1, 2]\n")
        let emitted = try place.success("sweep --recipe sweep.yaml --run out --emit commands")
        let commands = emitted.output.split(separator: "\n").map(String.init)
        #expect(commands.count == 3 && commands.allSatisfy { $0.hasPrefix("falcon pretrain ") })
        for command in commands.prefix(2) {
            try place.success(String(command.dropFirst("falcon ".count)))
        }
        let gathered = try place.success("sweep --recipe sweep.yaml --run out --gather")
        #expect(gathered.errors.contains("1 runs are not at their end"))
        #expect(try count(results(place), "finished") == 2)
        let rest = try place.success("sweep --recipe sweep.yaml --run out --emit commands")
        #expect(rest.output.split(separator: "\n").map(String.init) == [commands[2]])
        // A folder of another recipe is not taken for the run.
        let id = try #require(
            try results(place).first { $0["status"] as? String == "pending" }?["run"] as? String)
        try place.copy("run", to: "out/runs/" + id)
        let foreign = try place.falcon("sweep --recipe sweep.yaml --run out --gather")
        #expect(foreign.status == 1 && foreign.errors.contains("another recipe"))
        let resumed = try place.falcon("sweep --recipe sweep.yaml --run out --resume")
        #expect(resumed.status == 1 && resumed.errors.contains(id))
        try FileManager.default.removeItem(atPath: place.path("out/runs/" + id))
        try place.success("sweep --recipe sweep.yaml --run out --resume")
        #expect(try count(results(place), "finished") == 3)
        try place.failure(
            "sweep --recipe sweep.yaml --set train.steps=9 --run out --resume", status: 78,
            says: "not the one")
    }

    /// The script for sbatch with a task for each run, in a folder whose name has a blank.
    @Test func tasksOfAnArrayTrainTheRuns() throws {
        let place = try place("  seeds: [0, 1, 2]\n  jobs: 2\n")
        let sweep = ["sweep", "--recipe", "sweep.yaml", "--run", "of 3"]
        let commands = try place.falcon(sweep + ["--emit", "commands"]).output
        let script = try place.falcon(sweep + ["--emit", "slurm"]).output
        for command in commands.split(separator: "\n") {
            #expect(script.contains(") run=(\(command)) ;;"))
        }
        #expect(script.contains("#SBATCH --array=1-3%2\n"))
        #expect(script.contains("#SBATCH --output='of 3/slurm-%A-%a.log'\n"))
        try place.write("sweep.sbatch", script)
        let tools = place.url("bin")
        try FileManager.default.createDirectory(at: tools, withIntermediateDirectories: false)
        try place.write(
            "bin/srun",
            "#!/bin/bash\nwhile [[ $1 == --* ]]; do shift; done\n\"$@\"\nexit ${STATUS:-$?}\n")
        try place.write("bin/scontrol", "#!/bin/bash\necho \"$@\" >> asked.txt\n")
        for tool in ["srun", "scontrol"] {
            try FileManager.default.setAttributes(
                [.posixPermissions: 0o755], ofItemAtPath: place.path("bin/" + tool))
        }
        let folder = URL(fileURLWithPath: Program.path).deletingLastPathComponent().path
        func task(_ number: Int, _ variables: String...) throws -> Int32 {
            let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
            return try Program.start(
                [
                    "PATH=\(place.path("bin")):\(folder):\(path)", "SLURM_ARRAY_JOB_ID=7",
                    "SLURM_ARRAY_TASK_ID=\(number)",
                ] + variables + ["bash", "sweep.sbatch"], of: "/usr/bin/env", in: place.folder
            ).outcome().status
        }
        #expect(try task(1) == 0 && task(4) == 64)
        #expect(!place.exists("asked.txt"))
        // One that was stopped comes back, but not for ever.
        #expect(try task(2, "STATUS=75") == 75)
        #expect(try task(2, "STATUS=75", "SLURM_RESTART_COUNT=100") == 75)
        #expect(try place.read("asked.txt") == Data("requeue 7_2\n".utf8))
        let gathered = try place.falcon(["sweep", "--run", "of 3", "--gather"])
        #expect(gathered.errors.contains("1 runs are not at their end"))
        // The last one alone is in the next script, and nothing is left for a third.
        try place.write(
            "sweep.sbatch", place.falcon(sweep + ["--emit", "slurm", "--jobs", "5"]).output)
        #expect(
            try String(decoding: place.read("sweep.sbatch"), as: UTF8.self).contains("=1-1%5\n"))
        #expect(try task(1) == 0)
        #expect(try place.falcon(["sweep", "--run", "of 3", "--gather"]).status == 0)
        #expect(try count(results(place, "of 3"), "finished") == 3)
        let nothing = try place.falcon(sweep + ["--emit", "slurm"])
        #expect(nothing.output == "" && nothing.errors.contains("no run is left"))
        let unfit = try place.falcon(
            ["sweep", "--recipe", "sweep.yaml", "--run", "a\\b", "--emit", "slurm"])
        #expect(unfit.status == 64 && unfit.errors.contains("a\\b has a backslash"))
    }

    @Test func halvingStopsRunsEarly() throws {
        let place = try place(
            """
              learning_rates: {center: 0.01, steps: 5, ratio: 4}
              halving: {rungs: 2, factor: 2, minimum_tokens: 400}
              objective: loss
              jobs: 2

            """)
        try place.success("sweep --recipe sweep.yaml --run out")
        let results = try results(place)
        #expect(count(results, "finished") == 2 && count(results, "stopped") == 3)
        #expect(
            results.allSatisfy {
                $0["steps"] as? Int == ($0["status"] as? String == "finished" ? 8 : 5)
            })
    }

    @Test func singleRunsAreComparedByTheirRecipes() throws {
        let place = try Workplace()
        for (run, setting) in [
            ("a", "seed=1"), ("b", "seed=2"), ("c", "optimizer.kind=muon"),
        ] { try place.success("pretrain --recipe tiny.yaml --set \(setting) --run \(run)") }
        let summary = try place.success("report a b c --json").json()
        let configurations = try #require(summary["configurations"] as? [[String: Any]])
        let counts = Dictionary(
            uniqueKeysWithValues: configurations.map {
                (
                    ($0["configuration"] as? [String: String])?["recipe"] ?? "",
                    ($0["objective"] as? [String: Any])?["count"] as? Int
                )
            })
        #expect(counts == ["tiny": 2, "tiny (c)": 1])
    }

    @Test func coordinateCheckTellsSlopesAndFails() throws {
        let place = try Workplace()
        let passing = try place.success(
            "coordcheck --recipe tiny.yaml --widths 16,32 --steps 2 --seeds 1 --tolerance 50 --json"
        )
        let check = try #require(try passing.json()["check"] as? [String: Any])
        #expect((check["widths"] as? [Int]) == [16, 32])
        let failing = try place.falcon(
            "coordcheck --recipe tiny.yaml --widths 16,32 --steps 2 --seeds 1 --tolerance 0.0001")
        #expect(failing.status == 1 && failing.errors.contains("change with the width"))
        #expect(failing.output.contains("logits"))
        try place.failure(
            "coordcheck --recipe tiny.yaml --widths 16,17", status: 64, says: "whole numbers")
    }
}
