import FalconTestSupport
import Foundation
import Testing

/// A disk of a few kilobytes, mounted at `disk` in a workplace.
enum SmallDisk {
    /// Mounting needs root and a system that allows it.
    static let canBeMounted: Bool = {
        guard let place = try? Workplace(), (try? mount(in: place, kilobytes: 64)) == true else {
            return false
        }
        return (try? unmount(in: place)) == true
    }()

    static func mount(in place: Workplace, kilobytes: Int) throws -> Bool {
        try FileManager.default.createDirectory(
            atPath: place.path("disk"), withIntermediateDirectories: true)
        return try isDone(
            ["mount", "-t", "tmpfs", "-o", "size=\(kilobytes)k", "tmpfs", "disk"], in: place)
    }

    static func unmount(in place: Workplace) throws -> Bool {
        try isDone(["umount", "disk"], in: place)
    }

    private static func isDone(_ command: [String], in place: Workplace) throws -> Bool {
        try Program.start(command, of: "/usr/bin/env", in: place.folder).outcome().status == 0
    }
}

/// A disk that fills up: exit status 74, nothing half-written, and what was saved before is good.
@Suite(.enabled(if: SmallDisk.canBeMounted, "a small tmpfs cannot be mounted here"))
final class FullDiskTests {
    private let place: Workplace

    init() throws { place = try Workplace() }

    deinit { _ = try? SmallDisk.unmount(in: place) }

    @Test func theLastGoodCheckpointSurvives() throws {
        // Room for a checkpoint or two of about 150 KB and a part of the next.
        try #require(try SmallDisk.mount(in: place, kilobytes: 400))
        let outcome = try place.falcon(
            "pretrain --recipe tiny.yaml --run disk/run --set train.steps=40 "
                + "--set checkpoint.keep_last=9")
        #expect(outcome.status == 74 && outcome.output == "")
        #expect(outcome.errors.contains("cannot write disk/run/checkpoints/step-000000"))
        #expect(outcome.errors.contains("free some space"))
        #expect(try place.files().allSatisfy { !$0.contains(".partial") })
        let saved = try FileManager.default.contentsOfDirectory(
            atPath: place.path("disk/run/checkpoints")
        ).sorted()
        let newest = try #require(saved.last)
        for name in saved { try place.success("verify checkpoint disk/run/checkpoints/\(name)") }
        let score = try place.success("eval disk/run --json")
        #expect(try score.json()["model"] as? String == "disk/run/checkpoints/\(newest)")
    }

    @Test(arguments: [
        "tokenizer train --input corpus.jsonl --vocab-size 300 --output disk/x",
        "tokenize --tokenizer tok.model --output disk/x corpus.jsonl",
        "export run --format hf --output disk/x",
        "pretrain --recipe tiny.yaml --run disk/x",
    ]) func nothingHalfWrittenStays(_ command: String) throws {
        try #require(try SmallDisk.mount(in: place, kilobytes: 4))
        try place.failure(
            command, status: 74, says: "cannot write disk/x", "No space left on device")
    }
}
