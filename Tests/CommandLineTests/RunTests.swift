import FalconTestSupport
import Foundation
import Testing

/// Runs that were stopped, damaged or are there already.
@Suite struct RunTests {
    static let last = "checkpoints/step-00000008"
    let place: Workplace

    init() throws { place = try Workplace() }

    @Test func overwritingStartsAnew() throws {
        let manifest = try place.read("run/\(Self.last)/manifest.json")
        try place.success("pretrain --recipe tiny.yaml --run run --overwrite --set train.steps=4")
        #expect(!place.exists("run/\(Self.last)"))
        try place.success("pretrain --recipe tiny.yaml --run run --overwrite")
        #expect(try place.read("run/\(Self.last)/manifest.json") == manifest)
    }

    @Test func resumingAFinishedRunChangesNothing() throws {
        let before = try place.files()
        let manifest = try place.read("run/\(Self.last)/manifest.json")
        let outcome = try place.success("pretrain --recipe tiny.yaml --run run --resume")
        #expect(outcome.output == "run/\(Self.last)\n")
        #expect(try place.files() == before)
        #expect(try place.read("run/\(Self.last)/manifest.json") == manifest)
    }

    @Test(arguments: [
        "model.safetensors", "optimizer.safetensors", "state.json", "config.json",
        "recipe.resolved.yaml", "tokenizer.model",
    ]) func aFlippedBitOfACheckpointIsFoundAndTheOneBeforeIsUsed(_ file: String) throws {
        let manifest = try place.read("run/\(Self.last)/manifest.json")
        try place.flipBit(in: "run/\(Self.last)/\(file)")
        for command in ["eval", "verify checkpoint"] {
            try place.failure(
                "\(command) run/\(Self.last)", status: 65, says: "run/\(Self.last): \(file)",
                "SHA-256")
        }
        // The run has an older checkpoint; both commands name the damaged one.
        let score = try place.success("eval run --json")
        #expect(try score.json()["model"] as? String == "run/checkpoints/step-00000006")
        #expect(score.errors.contains("\(Self.last): \(file) is damaged"))
        let resumed = try place.success("pretrain --recipe tiny.yaml --run run --resume")
        #expect(resumed.errors.contains("\(Self.last): \(file) is damaged"))
        #expect(resumed.errors.contains("continuing after step 6"))
        #expect(try place.read("run/\(Self.last)/manifest.json") == manifest)
    }

    @Test func aRunWithoutAWholeCheckpointNamesAllDamage() throws {
        for step in [6, 8] {
            try place.truncate("run/checkpoints/step-0000000\(step)/model.safetensors", by: 4)
        }
        try place.failure(
            "eval run", status: 65, says: "run has no whole checkpoint", "step-00000006",
            "step-00000008", "bytes, want")
        let outcome = try place.falcon("pretrain --recipe tiny.yaml --run run --resume")
        #expect(outcome.status == 65 && outcome.errors.contains("step-00000006"))
        #expect(!outcome.errors.contains("--overwrite"))
    }

    @Test func aManifestThatIsNoneIsTold() throws {
        try place.write("run/\(Self.last)/manifest.json", "{\"schema_version\": 99}")
        try place.failure("eval run/\(Self.last)", status: 65, says: "manifest.json")
    }

    @Test func otherDataAreNotResumed() throws {
        try place.success(
            "tokenize --tokenizer tok.model --output shards --overwrite --validation-fraction 0.3 "
                + "corpus.jsonl")
        try place.failure(
            "pretrain --recipe tiny.yaml --run run --resume", status: 65,
            says: "the data at shards is not what this run was trained on", "restore the shards")
    }

    @Test func metricsTellEveryStepOnceAfterResuming() throws {
        // As kill -9 leaves it: steps 7 and 8 are in the metrics, the checkpoint of 8 is not whole.
        try FileManager.default.moveItem(
            atPath: place.path("run/\(Self.last)"), toPath: place.path("run/\(Self.last).partial"))
        try place.success("pretrain --recipe tiny.yaml --run run --resume --quiet")
        let steps = try place.read("run/metrics.jsonl").split(separator: 0x0A).map { line in
            (try JSONSerialization.jsonObject(with: line) as? [String: Any])?["step"] as? Int
        }
        #expect(steps == Array(1...8))
        #expect(!place.exists("run/\(Self.last).partial"))
    }

    @Test func aDivergedRunFailsItsCheck() throws {
        let outcome = try place.falcon(
            "pretrain --recipe tiny.yaml --run hot --set optimizer.learning_rate=1e30 "
                + "--set train.max_skipped_steps=2 --set train.steps=30")
        #expect(outcome.status == 1 && outcome.output == "")
        #expect(outcome.errors.contains("was not finite 2 times in a row"))
        #expect(outcome.errors.contains("lower optimizer.learning_rate"))
    }
}
