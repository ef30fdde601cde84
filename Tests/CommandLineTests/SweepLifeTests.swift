import FalconTestSupport
import Foundation
import Testing

/// Who owns a sweep and its runs, and what is left of them when they are interrupted.
@Suite struct SweepLifeTests {
    private func place(_ sweep: String, steps: Int) throws -> Workplace {
        let place = try Workplace()
        try place.write(
            "sweep.yaml",
            """
            extends: tiny.yaml
            name: sweep
            train: {steps: \(steps)}
            evaluation: {every_steps: \(steps / 2)}
            checkpoint: {every_steps: \(steps / 2)}
            sweep: \(sweep)

            """)
        return place
    }

    private func results(_ place: Workplace) throws -> [[String: Any]] {
        try String(decoding: place.read("out/results.jsonl"), as: UTF8.self)
            .split(separator: "\n").map {
                try #require(
                    try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
            }
    }

    private func lines(_ place: Workplace, _ run: String) throws -> [Data.SubSequence] {
        try place.read("out/runs/\(run)/metrics.jsonl").split(separator: 0x0A)
    }

    /// Waits until so many runs have begun, and names them.
    private func begun(_ count: Int, _ place: Workplace, _ program: RunningProgram) -> [String] {
        while program.isRunning {
            let runs = place.path("out/runs")
            let names = (try? FileManager.default.contentsOfDirectory(atPath: runs)) ?? []
            let found = names.filter { ((try? lines(place, $0).count) ?? 0) > 3 }
            if found.count >= count { return found }
            usleep(10_000)
        }
        return []
    }

    @Test func oneProcessAtATimeHasASweep() throws {
        let place = try place("{seeds: [0, 1], jobs: 2}", steps: 2000)
        let first = try Program.start(
            ["sweep", "--recipe", "sweep.yaml", "--run", "out"], in: place.folder)
        #expect(begun(2, place, first).count == 2)
        for line in [
            "sweep --recipe sweep.yaml --run out", "sweep --run out --resume",
            "sweep --run out --gather", "sweep --run out --emit commands",
        ] {
            let second = try place.falcon(line)
            #expect(second.status == 73, "\(line): \(second.errors)")
            #expect(
                second.errors.contains(
                    "out is in use by process \(first.process.processIdentifier)"))
        }
        // So has a run.
        let run = try #require(try results(place).first?["run"] as? String)
        let third = try place.falcon(
            "pretrain --recipe out/recipes/\(run).yaml --run out/runs/\(run) --resume")
        #expect(third.status == 73 && third.errors.contains("is in use by process"))
        try place.success("report out")
        first.send(SIGTERM)
        let outcome = try first.outcome()
        #expect(outcome.status == 75 && outcome.errors.contains("stopping: 2 runs save"))
    }

    /// The second Ctrl-C ends the sweep; its runs save all the same, and the next sweep waits for them.
    @Test func interruptingTwiceLosesNoStep() throws {
        let place = try place("{seeds: [0, 1], jobs: 2}", steps: 300)
        let sweep = try Program.start(
            ["sweep", "--recipe", "sweep.yaml", "--run", "out", "--resume"], in: place.folder)
        let runs = begun(2, place, sweep)
        for pid in [-sweep.process.processIdentifier, sweep.process.processIdentifier] {
            kill(pid, SIGINT)
            usleep(1000)
        }
        let before = try runs.map { try lines(place, $0) }
        let outcome = try sweep.outcome()
        #expect([75, 130].contains(outcome.status), "\(outcome.status): \(outcome.errors)")
        try place.success("sweep --run out --resume")
        #expect(runs.count == 2)
        for (run, old) in zip(runs, before) {
            let new = try lines(place, run)
            #expect(new.count == 300 && new.starts(with: old.dropLast()), "\(run)")
        }
        let results = try results(place)
        #expect(results.count == 2)
        for result in results {
            #expect(result["status"] as? String == "finished" && result["starts"] as? Int == 2)
            #expect(result["validation_loss"] is Double)
        }
    }

    /// Without its last checkpoint, or without the score that is due, a run is not at its end.
    @Test func whatIsMissingAtTheEndIsMadeUpFor() throws {
        let place = try place("{seeds: [0]}", steps: 8)
        try place.success("sweep --recipe sweep.yaml --run out")
        let first = try #require(try results(place).first)
        let run = try #require(first["run"] as? String)
        let metrics = "out/runs/\(run)/metrics.jsonl"
        let text = String(decoding: try place.read(metrics), as: UTF8.self)
        func isWhole() throws {
            let again = try #require(try results(place).first)
            #expect(again["status"] as? String == "finished")
            #expect(again["validation_loss"] as? Double == first["validation_loss"] as? Double)
            #expect(place.exists("out/runs/\(run)/checkpoints/step-00000008/manifest.json"))
        }
        func forget() throws {
            try FileManager.default.removeItem(atPath: place.path("out/sweep.sqlite"))
        }
        // The runs themselves are what a sweep is made of.
        try forget()
        try place.success("sweep --run out --gather")
        try isWhole()
        try forget()
        try FileManager.default.removeItem(
            atPath: place.path("out/runs/\(run)/checkpoints/step-00000008"))
        let gathered = try place.success("sweep --run out --gather")
        #expect(gathered.errors.contains("1 runs are not at their end"))
        try place.success("sweep --run out --resume")
        try isWhole()
        try forget()
        var steps = text.split(separator: "\n")
        let last = steps.removeLast()
        let place8 = try #require(last.range(of: ",\"validation_bits"))
        try place.write(
            metrics, (steps + [last[..<place8.lowerBound] + "}"]).joined(separator: "\n") + "\n")
        #expect(
            try place.success("sweep --run out --gather").errors.contains("1 runs are not"))
        try place.success("sweep --run out --resume")
        try isWhole()
    }

    @Test func aRunThatSomebodyTrainsIsWaitedFor() throws {
        let place = try place("{seeds: [0, 1], jobs: 2}", steps: 300)
        let emitted = try place.success("sweep --recipe sweep.yaml --run out --emit commands")
        let commands = emitted.output.split(separator: "\n").map {
            $0.split(separator: " ").dropFirst().map(String.init)
        }
        #expect(commands.count == 2 && commands.allSatisfy { $0.last == "--resume" })
        let run = try Program.start(commands[0], in: place.folder)
        let name = try #require(begun(1, place, run).first)
        // Nobody is told to train it a second time.
        let rest = try place.success("sweep --run out --emit commands")
        #expect(rest.output.split(separator: "\n").count == 1)
        #expect(rest.errors.contains("1 runs are being trained now"))
        let swept = try place.success("sweep --run out --resume")
        #expect(try run.outcome().status == 0)
        #expect(swept.errors.contains("waiting for \(name), which process"))
        let starts = try results(place).map { $0["starts"] as? Int }
        #expect(starts == [0, 1])
        #expect(try results(place).allSatisfy { $0["status"] as? String == "finished" })
        // An emitted line does nothing more.
        #expect(try place.falcon(commands[0]).status == 0)
        #expect(try lines(place, name).count == 300)
    }

    @Test func onlyJobsAndThreadsMayChange() throws {
        let place = try place("{seeds: [0], jobs: 2}", steps: 8)
        try place.success("sweep --recipe sweep.yaml --run out --resume")
        try place.success("sweep --run out --resume --set sweep.jobs=1")
        let changed = try place.falcon(
            "sweep --run out --resume --set sweep.seeds=[0,1] --set train.steps=9")
        #expect(changed.status == 78)
        for words in ["train.steps: was 8, now 9", "sweep.seeds: was [0], now [0, 1]"] {
            #expect(changed.errors.contains(words), "\(changed.errors)")
        }
        try place.failure(
            "sweep --recipe sweep.yaml --run shards", status: 73,
            says: "shards exists and holds no sweep")
        try place.write("out/sweep.sqlite", "no database")
        try place.failure(
            "sweep --run out --resume", status: 74, says: "the sweep's database cannot be used",
            "move it away")
    }

    /// A run that leaves the finite numbers is a result, whatever is trained and measured.
    @Test func runsThatDivergeAreResults() throws {
        let place = try place(
            """
            {variants: [
              {name: standard, settings: {parametrization.kind: standard}},
              {name: learnable, settings: {parametrization.kind: learnable}},
              {name: monitored, settings: {parametrization.kind: learnable, monitor.every_steps: 1}},
              {name: muon, settings: {optimizer.kind: muon, monitor.every_steps: 1}}],
             learning_rates: {center: 1.0e+20, steps: 1}, jobs: 2}
            """, steps: 40)
        let outcome = try place.success("sweep --recipe sweep.yaml --run out")
        for result in try results(place) {
            #expect(result["status"] as? String == "diverged", "\(result)")
            #expect((result["message"] as? String)?.hasPrefix("falcon: ") == true)
        }
        #expect(outcome.errors.contains("4/4"))
        let report = try place.success("report out --output report.html --json").json()
        #expect((report["configurations"] as? [[String: Any]])?.count == 4)
    }

    /// Of any seed; a changed digit is named, and the files are made again from the runs.
    @Test func aChangedDigitIsNoticed() throws {
        let place = try place("{seeds: [18446744073709551615]}", steps: 8)
        try place.success("sweep --recipe sweep.yaml --run out")
        try place.success("sweep --run out --resume")
        let first = try #require(try results(place).first)
        #expect(first["seed"] as? UInt64 == .max && first["status"] as? String == "finished")
        let text = String(decoding: try place.read("out/results.jsonl"), as: UTF8.self)
        try place.write("out/results.jsonl", text.replacing("\"steps\":8", with: "\"steps\":9"))
        try place.failure("report out", status: 65, says: "line 1", "--gather")
        try place.success("sweep --run out --gather")
        #expect(try place.read("out/results.jsonl") == Data(text.utf8))
        // In the database, one digit of a text that stands there once.
        let digest = try #require(first["recipe_sha256"] as? String)
        var bytes = try place.read("out/sweep.sqlite")
        let range = try #require(bytes.range(of: Data(digest.utf8)))
        bytes[range.lowerBound] ^= 1
        try bytes.write(to: place.url("out/sweep.sqlite"))
        try place.failure(
            "sweep --run out --resume", status: 74, says: "is not the one that was written",
            "move it away")
        try FileManager.default.removeItem(atPath: place.path("out/sweep.sqlite"))
        try place.success("sweep --run out --resume")
        #expect(
            try results(place).first?["validation_loss"] as? Double
                == first["validation_loss"] as? Double)
    }

    @Test func runsThatDivergedElsewhereAreGathered() throws {
        let place = try place(
            "{learning_rates: {center: 1.0e+20, steps: 1}}", steps: 40)
        let emitted = try place.success("sweep --recipe sweep.yaml --run out --emit commands")
        let words = emitted.output.split(separator: " ").dropFirst().joined(separator: " ")
        #expect(try place.falcon(words.trimmingCharacters(in: .newlines)).status == 1)
        try place.success("sweep --run out --gather")
        #expect(try results(place).first?["status"] as? String == "diverged")
    }

    /// Losses of other tokens are not compared; bits of each byte of one text are.
    @Test func lossesOfDifferentTokenizersAreNotCompared() throws {
        let place = try Workplace()
        try place.success(
            "tokenize --tokenizer other.model --output others --validation-fraction 0.1 corpus.jsonl"
        )
        for (run, data) in [("a", "shards"), ("b", "others")] {
            for (suffix, tokens) in [("", "200"), ("-whole", "null")] {
                try place.success(
                    "pretrain --recipe tiny.yaml --run \(run)\(suffix) --set data.path=\(data) "
                        + "--set evaluation.tokens=\(tokens) --set name=\(run)")
            }
        }
        let part = try place.success("report a b")
        #expect(part.output.isEmpty)
        #expect(part.errors.contains("not compared") && part.errors.contains("different data"))
        let whole = try place.success("report a-whole b-whole --json").json()
        let verdict = try #require((whole["verdicts"] as? [[String: Any]])?.first)
        #expect(verdict["unit"] as? String == "bits a byte")
        let same = try place.success("report a a-whole")
        #expect(same.errors.contains("200 and all validation tokens"))
    }

    @Test func aReportGoesThroughADevice() throws {
        let place = try Workplace()
        let shown = try place.success("report run --output /dev/stdout")
        #expect(shown.output.hasPrefix("<!DOCTYPE html>"))
        try place.success("report run --output /dev/null")
        var status = stat()
        #expect(stat("/dev/null", &status) == 0 && status.st_mode & S_IFMT == S_IFCHR)
    }
}
