import FalconTestSupport
import Foundation
import Testing

/// Signals stop a run without losing anything.
@Suite struct SignalTests {
    let place: Workplace

    init() throws { place = try Workplace() }

    /// Starts a run, sends it a signal when it has done some steps, and waits for its end.
    ///
    /// On a busy machine a run may end before the signal comes; it then has another try.
    private func outcome(
        ofRun run: String, _ settings: [String], sending signal: Int32,
        blockingSignals: Bool = false
    ) throws -> Outcome {
        for _ in 0..<20 {
            let program = try Program.start(
                arguments(run, settings) + ["--overwrite"], in: place.folder,
                blockingSignals: blockingSignals)
            while program.isRunning && lineCount("\(run)/metrics.jsonl") < 3 { usleep(2000) }
            let wasInTime = lineCount("\(run)/metrics.jsonl") < steps(settings) / 2
            program.send(signal)
            let outcome = try program.outcome()
            if wasInTime { return outcome }
        }
        throw RunsEndTooSoon()
    }

    private struct RunsEndTooSoon: Error {}

    private func steps(_ settings: [String]) -> Int {
        settings.compactMap { Int($0.replacing("train.steps=", with: "")) }[0]
    }

    private func arguments(_ run: String, _ settings: [String]) -> [String] {
        ["pretrain", "--recipe", "tiny.yaml", "--run", run] + settings.flatMap { ["--set", $0] }
    }

    private func lineCount(_ name: String) -> Int {
        ((try? place.read(name)) ?? Data()).count { $0 == 0x0A }
    }

    private func checkpoints(_ run: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: place.path("\(run)/checkpoints"))
            .sorted()
    }

    /// While it trains, while it validates, while it saves.
    @Test(arguments: [
        (SIGTERM, ["train.steps=300", "checkpoint.every_steps=1000"]),
        (SIGINT, ["train.steps=300", "checkpoint.every_steps=1000"]),
        (SIGHUP, ["train.steps=300", "checkpoint.every_steps=1000"]),
        // Within a step of 30 micro-batches.
        (SIGTERM, ["train.steps=60", "train.batch_tokens=1440", "checkpoint.every_steps=1000"]),
        (SIGTERM, ["train.steps=60", "evaluation.every_steps=1", "evaluation.tokens=700"]),
        (SIGTERM, ["train.steps=40", "checkpoint.every_steps=1"]),
    ]) func aStoppedRunIsResumedToTheSameBits(_ signal: Int32, settings: [String]) throws {
        let outcome = try outcome(ofRun: "stopped", settings, sending: signal)
        #expect(outcome.status == 75 && !outcome.endedBySignal, "\(outcome.errors)")
        #expect(outcome.errors.contains("everything is saved: continue with --resume"))
        // What it prints is a checkpoint.
        try place.success("verify checkpoint \(outcome.output.trimmingCharacters(in: .newlines))")
        let resumed = try place.falcon(arguments("stopped", settings) + ["--resume"])
        #expect(resumed.status == 0 && resumed.errors.contains("continuing after step"))
        let whole = try place.falcon(arguments("whole", settings))
        #expect(whole.status == 0, "\(whole.errors)")
        let last = try #require(try checkpoints("whole").last)
        #expect(try checkpoints("stopped").last == last)
        #expect(
            try place.read("stopped/checkpoints/\(last)/manifest.json")
                == place.read("whole/checkpoints/\(last)/manifest.json"))
        #expect(lineCount("stopped/metrics.jsonl") == lineCount("whole/metrics.jsonl"))
    }

    /// A step of 20,000 micro-batches does not keep a run from saving and stopping.
    @Test func aLongStepIsGivenUp() throws {
        let settings = ["train.steps=3", "train.batch_tokens=960000"]
        let program = try Program.start(arguments("long", settings), in: place.folder)
        while program.isRunning && !place.exists("long/metrics.jsonl") { usleep(2000) }
        usleep(300_000)
        program.send(SIGUSR1)
        while program.isRunning && !place.exists("long/checkpoints/step-00000000") { usleep(2000) }
        let start = Date.now
        program.send(SIGTERM)
        let outcome = try program.outcome()
        #expect(outcome.status == 75, "\(outcome.errors)")
        #expect(Date.now.timeIntervalSince(start) < 10)
        #expect(outcome.errors.contains("stopping: saving the last whole step"))
        #expect(outcome.errors.contains("step 1 is discarded after "))
        #expect(outcome.output == "long/checkpoints/step-00000000\n")
        #expect(lineCount("long/metrics.jsonl") == 0)
    }

    @Test func aTerminalShowsMicroBatches() throws {
        let line =
            "'\(Program.path)' "
            + arguments("shown", ["train.steps=2", "train.batch_tokens=48000"])
            .joined(separator: " ")
        let outcome = try Program.start(
            ["script", "-qec", line, "/dev/null"], of: "/usr/bin/env", in: place.folder
        ).outcome()
        #expect(outcome.status == 0, "\(outcome.output)")
        #expect(outcome.output.contains("step 1/2  micro-batch "))
        #expect(outcome.output.contains("/1000  left of it "))
    }

    @Test func signalsThatAParentBlockedArrive() throws {
        let outcome = try outcome(
            ofRun: "blocked", ["train.steps=400"], sending: SIGTERM, blockingSignals: true)
        #expect(outcome.status == 75, "\(outcome.errors)")
    }

    @Test func savingOnRequestGoesOn() throws {
        let settings = ["train.steps=400", "checkpoint.every_steps=1000"]
        let outcome = try outcome(ofRun: "asked", settings, sending: SIGUSR1)
        #expect(outcome.status == 0, "\(outcome.errors)")
        let saved = try checkpoints("asked")
        #expect(saved.count == 2 && saved.last == "step-00000400")
        for name in saved { try place.success("verify checkpoint asked/checkpoints/\(name)") }
    }

    @Test func aKilledTokenizationLeavesNoDataSet() throws {
        // It waits for standard input, which never ends.
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Program.path)
        process.arguments = ["tokenize", "--tokenizer", "tok.model", "--output", "x", "-"]
        process.currentDirectoryURL = URL(fileURLWithPath: place.folder)
        let input = Pipe()
        process.standardInput = input
        process.standardError = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        let ended = DispatchSemaphore(value: 0)
        process.terminationHandler = { _ in ended.signal() }
        try process.runWithSignals()
        let corpus = try place.read("corpus.jsonl")
        for _ in 0..<20 { try input.fileHandleForWriting.write(contentsOf: corpus) }
        process.terminate()
        ended.wait()
        #expect(process.terminationReason == .uncaughtSignal)
        #expect(!place.exists("x/index.json"))
        try place.failure(
            "pretrain --recipe tiny.yaml --set data.path=x", status: 66, says: "x/index.json")
        try place.success("tokenize --tokenizer tok.model --output x corpus.jsonl")
        #expect(try place.files().allSatisfy { !$0.hasSuffix(".partial") })
    }
}
