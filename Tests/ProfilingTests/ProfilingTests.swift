import FalconVerification
import Testing

@testable import FalconProfiling
@testable import FalconTensor

@Suite struct ProfilingTests {
    /// Every op, forward and backward, on a device.
    private func results(on device: Device) -> [OpResult] {
        OpCase.all.map { $0.result(on: device) }
    }

    @Test func profilingChangesNoBit() {
        let plain = Device(threadCount: 2)
        let profile = Profile()
        let profiled = Device(profiling: Device(threadCount: 2), in: profile)
        #expect(results(on: plain) == results(on: profiled))
        #expect(profile.rows.allSatisfy { $0.calls > 0 && $0.seconds > 0 && $0.cost.bytes >= 0 })
        profile.reset()
        #expect(profile.rows == [])
    }

    @Test func productsAreFiledByPurpose() throws {
        let profile = Profile()
        let device = Device(profiling: Device(threadCount: 1), in: profile)
        let builder = ParameterBuilder()
        let weight = builder.parameter(
            "w", [5, 7], role: .hiddenMatrix, initialization: .normal(deviation: 1))
        ParameterTable(builder.parameters).allocate(on: device, withGradients: true)
        let x = device.zeros([3, 7])
        profile.reset()
        var tape = Tape(on: device)
        let y = linear(x, weight, on: &tape)
        var gradients = Gradients(on: device)
        gradients.assign(device.zeros([3, 5]), to: y)
        tape.backward(&gradients)
        func row(_ name: String) throws -> ProfileRow {
            try #require(profile.rows.first { $0.name == name })
        }
        let flops = 2.0 * 3 * 5 * 7
        let (x4, y4, w4) = (3 * 7 * 4, 3 * 5 * 4, 5 * 7 * 4)
        #expect(
            try row("product forward NT").cost == KernelCost(flops: flops, bytes: x4 + w4 + y4))
        // Gradients of weights are added into: read and written.
        #expect(
            try row("product gradients NN, TN").cost
                == KernelCost(flops: 2 * flops, bytes: y4 + x4 + w4 + x4 + 2 * w4))
        #expect(try row("product forward NT").precision == device.precision.rawValue)
        #expect(try row("fill").precision == "f32")
    }

    @Test func attentionCountsThePairsThatSeeEachOther() {
        let device = Device(threadCount: 1)
        func flops(queries: Int, keys: Int, offsets: [Int]) -> Double {
            AttentionInputs(
                query: device.zeros([queries, 6]),
                keyValues: [
                    KeyValues(key: device.zeros([keys, 2]), value: device.zeros([keys, 2]))
                ], heads: 3, keyValueHeads: 1,
                segments: Segments(offsets: offsets), scale: 1
            ).forwardFLOPs
        }
        // Two documents of 2 and 3 rows: 3 and 6 pairs; q k and p v, each 2 FLOPs a channel.
        #expect(flops(queries: 5, keys: 5, offsets: [0, 2, 5]) == 9 * 4 * 6)
        // Two queries after three earlier keys see 4 and 5.
        #expect(flops(queries: 2, keys: 5, offsets: [0, 2]) == 9 * 4 * 6)
    }

    @Test func theFloorIsTheLongerOfComputingAndMoving() throws {
        let peak = MachinePeak(threadCount: 2, arrayByteCount: 1 << 16)
        #expect(peak.threads == 2)
        #expect(peak.float32.oneThread > 0 && peak.float32.allThreads >= peak.float32.oneThread)
        #expect(peak.memoryRate == max(peak.copy.allThreads, peak.triad.allThreads))
        let rate = peak.productRate(precision: "f32")
        #expect(rate == peak.float32.allThreads)
        #expect(
            peak.productRate(precision: "bf16")
                == (peak.bfloat16 ?? peak.float32).allThreads)
        let computing = KernelCost(flops: rate, bytes: 1)
        let moving = KernelCost(flops: 1, bytes: Int(peak.memoryRate) * 2)
        #expect(peak.floorSeconds(computing, precision: "f32") == 1)
        #expect(abs(peak.floorSeconds(moving, precision: "f32") - 2) < 1e-6)
        #expect(peak.better(peak) == peak)
    }
}
