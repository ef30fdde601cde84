import FalconTestSupport
import Foundation
import Testing

/// The benchmarks run, print one object, and refuse what they cannot measure.
@Suite(.serialized) struct BenchTests {
    let place: Workplace

    init() throws { place = try Workplace() }

    @Test func aTrainingBenchmarkPrintsOneObject() throws {
        let json = try place.success(
            "bench train --recipe tiny.yaml --lengths 12,24 --steps 2 --warmup 0 --threads 2 "
                + "--profile --json"
        ).json()
        #expect(json["version"] as? Int == 1)
        let machine = try #require(json["machine"] as? [String: Any])
        #expect(machine["processor"] is String)
        let peak = try #require(machine["peak"] as? [String: Any])
        #expect(peak["threads"] as? Int == 2)
        for name in [
            "float32_flops_per_second", "copy_bytes_per_second", "triad_bytes_per_second",
        ] {
            let rate = try #require(peak[name] as? [String: Double])
            #expect(rate["one_thread"] ?? 0 > 1e6 && rate["all_threads"] ?? 0 > 1e6)
        }
        let points = try #require(json["points"] as? [[String: Any]])
        #expect(points.map { $0["sequence_length"] as? Int } == [12, 24])
        for point in points {
            #expect(point["step_tokens"] as? Int == 2 * (point["sequence_length"] as? Int ?? 0))
            #expect(point["steps"] as? Int == 2 && point["precision"] as? String == "f32")
            for name in [
                "median_step_seconds", "best_step_seconds", "tokens_per_second", "flops_per_step",
                "flops_per_second", "share_of_peak", "peak_tensor_bytes", "loss",
            ] {
                #expect(point[name] as? Double ?? 0 > 0, "\(name)")
            }
            let profile = try #require(point["profile"] as? [[String: Any]])
            let forward = try #require(
                profile.first { $0["op"] as? String == "product forward NT" })
            #expect(forward["calls"] as? Double ?? 0 >= 5)
            for name in [
                "seconds", "share_of_step", "flops", "bytes", "floor_seconds", "share_of_floor",
            ] {
                #expect(forward[name] as? Double ?? 0 > 0, "\(name)")
            }
        }
    }

    @Test func readingShardsPrintsOneObject() throws {
        let json = try place.success("bench data shards --batch 2 --length 24 --json").json()
        #expect(json["version"] as? Int == 1 && json["sequence_length"] as? Int == 24)
        #expect(json["tokens"] as? Int ?? 0 > 48)
        for name in [
            "cold_tokens_per_second", "warm_tokens_per_second", "decoded_bytes_per_second",
        ] {
            #expect(json[name] as? Double ?? 0 > 0, "\(name)")
        }
        let table = try place.success("bench data shards --batch 2 --length 24").output
        #expect(table.contains("loader, cold files") && table.contains("tokens/s"))
    }

    @Test func kernelsAreListed() throws {
        let outcome = try place.success("bench kernels --filter AdamW --repeats 1 --json")
        let json = try outcome.json()
        let kernels = try #require(json["kernels"] as? [[String: Any]])
        #expect(kernels.map { $0["size"] as? String } == ["tiny", "small", "0.5b"])
        #expect(kernels.allSatisfy { $0["kernel"] as? String == "update: AdamW" })
    }

    @Test(arguments: [
        BadCommand("bench train --size tiny --recipe tiny.yaml", "exclude each other"),
        BadCommand("bench train --size huge", "huge", "tiny"),
        BadCommand("bench train --size tiny --length 8 --lengths 8", "exclude each other"),
        BadCommand("bench train --size tiny --lengths 8,,16", "--lengths"),
        BadCommand("bench train --size tiny --layers 0", "--layers"),
        BadCommand("bench train --size tiny --batch 0", "--batch is 0"),
        BadCommand("bench train --size tiny --steps 0", "--steps is 0"),
        BadCommand("bench train --size tiny --widths 100", "a width of 100", "try 128 or 512"),
        BadCommand("bench train --size tiny --arch mamba", "mamba"),
        BadCommand("bench kernels --filter nonsense", "nonsense", "attention"),
        BadCommand("bench kernels --repeats 0", "--repeats is 0"),
        BadCommand("bench data shards --batch 0", "--batch is 0"),
        BadCommand("bench data", "Missing expected argument"),
        BadCommand("bench network --megabytes 0", "--megabytes is 0"),
        BadCommand("bench network", "no launcher", "mpirun -n 2 falcon bench network"),
    ]) func whatCannotBeMeasuredIsAUsageError(_ command: BadCommand) throws {
        try place.failure(command.arguments, status: 64, says: command.words)
    }

    @Test func wrongInputHasTheStatusOfOtherCommands() throws {
        try place.failure("bench train --recipe gone", status: 78, says: "gone", "shipped recipes")
        try place.failure(
            "bench train --size tiny --set train.nope=1", status: 78, says: "no such key")
        try place.failure("bench data gone", status: 66, says: "gone/index.json: no such")
        try place.failure(
            "bench data shards --length 1000000", status: 65, says: "the train split has")
    }
}
