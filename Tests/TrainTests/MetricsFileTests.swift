import FalconJSON
import FalconRunRecord
import FalconSystem
import FalconTestSupport
import Foundation
import Testing

@testable import FalconTrain

/// What happened to `metrics.jsonl` between two runs.
@Suite struct MetricsFileTests {
    let runs: TinyRuns
    let whole: [UInt8]

    init() throws {
        runs = try TinyRuns()
        try runs.run("run", settings: ["monitor.every_steps=4"])
        whole = try runs.bytes("run/metrics.jsonl")
    }

    private func open(keepingStepsTo step: Int = 8) throws -> MetricsFile {
        try MetricsFile(
            path: runs.path("run/metrics.jsonl"),
            damagedPath: runs.path("run/metrics.damaged.jsonl"), keepingStepsTo: step)
    }

    private var lines: [ArraySlice<UInt8>] { whole.split(separator: 0x0A) }

    @Test func linesAreKeptByteForByte() throws {
        // Another spelling, keys of a later version, no check.
        let check = ",\"check\":\"01234567\"}".utf8.count
        let line =
            Array("{ \"later\" : [1],".utf8) + lines[2].dropFirst().dropLast(check)
            + Array("}".utf8)
        let changed =
            Array(
                (lines[..<2] + [line[...]] + lines[3...]).joined(separator: [0x0A])) + [0x0A]
        try runs.write("run/metrics.jsonl", changed)
        let file = try open()
        #expect(try file.damage == nil && runs.bytes("run/metrics.jsonl") == changed)
        _ = try open(keepingStepsTo: 5)
        #expect(
            try runs.bytes("run/metrics.jsonl")
                == changed.split(separator: 0x0A)[..<5].flatMap { $0 + [0x0A] })
    }

    /// At most the line that was hit is lost; what cannot be read is kept and told.
    @Test func aFlippedBitLosesAtMostItsLine() throws {
        var random = SystemRandomNumberGenerator()
        let ends = whole.indices.filter { whole[$0] == 0x0A }
        let places = (0..<300).map { _ in Int.random(in: whole.indices, using: &random) } + ends
        for place in places {
            let bit = UInt8(1) << UInt8.random(in: 0..<8, using: &random)
            var bytes = whole
            bytes[place] ^= bit
            try runs.write("run/metrics.jsonl", bytes)
            try? runs.remove("run/metrics.damaged.jsonl")
            let file = try open()
            let kept = try runs.bytes("run/metrics.jsonl").split(separator: 0x0A)
            let hit = whole[..<place].count { $0 == 0x0A }
            let others = lines.enumerated().filter { $0.offset != hit }.map(\.element)
            #expect(others.allSatisfy(kept.contains), "byte \(place), bit \(bit)")
            // A digit that has changed is noticed, too.
            let read = kept.compactMap { try? CheckedLine.decoded(StepMetrics.self, from: $0) }
            let wanted = try lines.map { try CheckedLine.decoded(StepMetrics.self, from: $0) }
            #expect(read == wanted || file.damage?.lines.contains(hit + 1) == true)
            if file.damage != nil {
                #expect(fileKind(of: runs.path("run/metrics.damaged.jsonl")) == .file)
            }
            #expect(kept.allSatisfy { (try? decodedJSON(StepMetrics.self, from: $0)) != nil })
        }
    }

    @Test func theHalfLineOfAKillIsSetAside() throws {
        try runs.write("run/metrics.jsonl", Array(whole.dropLast(40)))
        var file = try open(keepingStepsTo: 7)
        let kept = Array(lines[..<7].joined(separator: [0x0A])) + [0x0A]
        #expect(try runs.bytes("run/metrics.jsonl") == kept)
        #expect(file.damage?.lines == [8] && file.last?.step == 7)
        #expect(
            file.damage?.description.contains("1 line cannot be read (line 8); kept in ") == true)
        // What follows is a line of its own.
        try file.append(try decodedJSON(StepMetrics.self, from: lines[7]))
        #expect(try runs.bytes("run/metrics.jsonl").split(separator: 0x0A).count == 8)
    }

    @Test func aFileThatCannotBeReadIsAnError() throws {
        try runs.remove("run/metrics.jsonl")
        try createFolder(runs.path("run/metrics.jsonl"))
        #expect(throws: FileError.self) { try open() }
    }

    @Test func aFailedAppendLeavesTheFileAsItWas() throws {
        #expect(throws: FileError.self) { try appendToFile(path: "/dev/full", [1, 2, 3]) }
    }
}
