import FalconTestSupport
import Foundation
import Testing

/// Several workers tokenize one corpus, and their parts are merged.
@Suite struct WorkersTests {
    static let tokenize = "tokenize --tokenizer tok.model --validation-fraction 0.1"
    let place: Workplace

    init() throws {
        place = try Workplace()
        let lines = String(decoding: try place.read("corpus.jsonl"), as: UTF8.self)
            .split(separator: "\n", omittingEmptySubsequences: true)
        try FileManager.default.createDirectory(
            atPath: place.path("texts"), withIntermediateDirectories: true)
        for (number, start) in stride(from: 0, to: lines.count, by: 9).enumerated() {
            try place.write(
                "texts/\(number).jsonl",
                (lines[start..<min(start + 9, lines.count)] + ["{\"n\":\(number)}", ""])
                    .joined(separator: "\n"))
        }
        try place.success("\(Self.tokenize) --output one --skip-bad-documents texts")
    }

    private func work(_ share: String, _ flags: String = "") throws -> Outcome {
        try place.success(
            "\(Self.tokenize) --output out --skip-bad-documents texts --shard \(share) \(flags)")
    }

    private func contents(_ folder: String) throws -> [String: Data] {
        let names = try FileManager.default.contentsOfDirectory(atPath: place.path(folder))
        return try Dictionary(
            uniqueKeysWithValues: names.map { ($0, try place.read("\(folder)/\($0)")) })
    }

    private func leftOvers() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: place.folder)
            .filter { $0.hasPrefix("out.") }
    }

    @Test func partsBecomeWhatOneProcessWrites() throws {
        for number in 1...3 {
            let part = try work("\(number)/3", "--threads \(number) --json").json()
            #expect(part["path"] as? String == "out.parts/\(number)-of-3")
            #expect(part["part"] as? String == "\(number)/3" && part["unchanged"] as? Bool == false)
            try place.success("verify data out.parts/\(number)-of-3")
        }
        let again = try work("2/3", "--json")
        #expect(try again.json()["unchanged"] as? Bool == true)
        #expect(again.errors.contains("out.parts/2-of-3 is there and was made of the same files"))
        // Parts are no data set.
        try place.failure(
            "pretrain --recipe tiny.yaml --set data.path=out", status: 66, says: "out/index.json")
        let merged = try place.success("data merge out")
        #expect(try contents("out") == contents("one"))
        #expect(try leftOvers() == [])
        #expect(merged.errors.contains("listed in out/rejected.jsonl"))
        try place.success("verify data out")
        try place.failure("data merge out", status: 73, says: "out holds a data set already")
        try place.failure("data merge nothing", status: 66, says: "nothing.parts holds no part")
    }

    @Test func launchersTellTheShare() throws {
        let words = (Self.tokenize + " --output out --skip-bad-documents texts --shard auto")
            .split(separator: " ").map(String.init)
        func launch(_ variables: String) throws -> Outcome {
            try Program.start(
                ["-i"] + variables.split(separator: " ").map(String.init) + [Program.path] + words,
                of: "/usr/bin/env", in: place.folder
            ).outcome()
        }
        for rank in 0..<2 {
            let outcome = try launch("SLURM_STEP_ID=0 SLURM_PROCID=\(rank) SLURM_NTASKS=2")
            #expect(outcome.status == 0, "\(outcome.errors)")
        }
        try place.success("data merge out")
        #expect(try contents("out") == contents("one"))
        for (variables, words) in [
            ("A=1", "--shard auto: no launcher says which process this is"),
            ("PMI_RANK=2 PMI_SIZE=2", "contradict each other"),
            (
                "SLURM_STEP_ID=0 SLURM_PROCID=0 SLURM_NTASKS=1 SLURM_ARRAY_TASK_ID=7",
                "task 7 of a job array"
            ),
        ] {
            let outcome = try launch(variables)
            #expect(outcome.status == 64 && outcome.errors.contains(words), "\(outcome.errors)")
            #expect(try leftOvers() == [])
        }
    }

    @Test func whatCannotBeIsRefused() throws {
        for (flags, status, words) in [
            ("texts --shard 0/3", Int32(64), "--shard is 0/3, want 1/3 to 3/3: workers are"),
            ("texts --shard 3", 64, "want a worker and the number of workers, such as 2/3, or"),
            ("- --shard 1/2", 64, "--shard 1/2: standard input has no size"),
            ("texts --shard 1/2 --deduplicate exact", 64, "a worker sees only its share"),
        ] {
            try place.failure("\(Self.tokenize) --output out \(flags)", status: status, says: words)
        }
        try place.failure(
            "\(Self.tokenize) --output texts/out texts --shard 1/2", status: 64,
            says: "--output texts/out lies in texts")
        _ = try work("1/2")
        try place.failure("data merge out", status: 66, says: "out.parts lacks part 2 of 2")
        try place.failure(
            "tokenize --tokenizer other.model --output out --skip-bad-documents texts --shard 1/2",
            status: 73, says: "out.parts/1-of-2 was made with other settings: the tokenizer is",
            "--validation-fraction is 0.1, want 0.01", "--overwrite")
        _ = try work("2/2", "--field n")
        try place.failure(
            "data merge out", status: 65, says: "2-of-2 was not made as out.parts/1-of-2 was: ",
            "--field is \"n\", want \"text\"", "--shard 2/2 --overwrite")
        _ = try work("2/2", "--overwrite")
        try place.flipBit(in: "out.parts/2-of-2/train-00000.tok.zst")
        try place.failure(
            "data merge out", status: 65, says: "out.parts/2-of-2 is damaged: ",
            "train-00000.tok.zst", "--shard 2/2 --overwrite")
    }

    /// Killed again and again, wherever they are, the same command lines bring the data set.
    @Test func killedWorkersAndMergesAreNoTrouble() throws {
        let wanted = try contents("one")
        var lines = [1, 2].map {
            "\(Self.tokenize) --output out --skip-bad-documents texts --quiet --shard \($0)/2"
        }
        lines.append("data merge out --quiet")
        var (kills, delay) = (0, UInt32(1))
        for _ in 0..<4 {
            for line in lines {
                let program = try Program.start(
                    line.split(separator: " ").map(String.init), in: place.folder)
                usleep(delay * 7_000)
                delay = delay % 40 + 1
                program.send(SIGKILL)
                let outcome = try program.outcome()
                // A kill after the last step: the data set is there, and there is nothing left to merge.
                let isDone = outcome.status == 0 || place.exists("out/index.json")
                #expect(outcome.endedBySignal || isDone, "\(line): \(outcome.errors)")
                kills += outcome.endedBySignal ? 1 : 0
                if place.exists("out/index.json") { #expect(try contents("out") == wanted) }
                if line != lines.last { try place.success(line) }
            }
            let last = try place.falcon(lines[2])
            #expect(last.status == 0 || last.status == 73, "\(last.errors)")
            #expect(try contents("out") == wanted)
            #expect(try leftOvers() == [])
            try FileManager.default.removeItem(atPath: place.path("out"))
        }
        #expect(kills > 0)
    }
}
