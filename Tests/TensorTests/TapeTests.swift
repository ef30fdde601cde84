import FalconTensor
import Testing

@Suite struct TapeTests {
    /// y = x Wᵀ for a fixed W, on a device.
    private func weight(_ shape: [Int], _ device: Device) -> (ParameterTable, Parameter) {
        let builder = ParameterBuilder()
        let parameter = builder.parameter(
            "w", shape, role: .hiddenMatrix, initialization: .normal(deviation: 1))
        let table = ParameterTable(builder.parameters)
        table.allocate(on: device, withGradients: true)
        table.initialize(seed: 1)
        return (table, parameter)
    }

    /// Two blocks with everything that can be recomputed, and the most memory they took.
    private func gradients(_ recompute: Recompute) -> (values: [[Float]], peak: Int) {
        let device = Device(threadCount: 2)
        let builder = ParameterBuilder()
        func parameter(_ name: String, _ shape: [Int]) -> Parameter {
            builder.parameter(
                name, shape, role: .vector, initialization: .normal(deviation: 0.5))
        }
        let (gain, input, output) = (
            parameter("gain", [6]), parameter("in", [18, 6]), parameter("out", [6, 6])
        )
        let (taps, bias) = (parameter("taps", [10, 1, 3]), parameter("bias", [10]))
        let (dtBias, aLog, d) = (
            parameter("dt", [2]), parameter("a", [2]), parameter("d", [2])
        )
        let table = ParameterTable(builder.parameters)
        table.allocate(on: device, withGradients: true)
        table.initialize(seed: 1)
        let rowCount = 40
        let (scale, segments) = (
            device.tensor(Array(repeating: 1, count: 10), shape: [10]),
            Segments(offsets: [0, 23, rowCount])
        )
        func block(_ x: Tensor, _ tape: inout Tape) -> Tensor {
            let u = rmsNorm(x, gain: gain, epsilon: 1e-5, on: &tape)
            let p = linear(u, input, on: &tape)
            let mixed = causalConv1d(
                p.columns(6..<16), weight: taps, bias: bias, scale: scale, segments: segments,
                on: &tape)
            let y = ssdScan(
                x: mixed.columns(0..<6), b: mixed.columns(6..<8), c: mixed.columns(8..<10),
                dt: p.columns(16..<18), dtBias: dtBias, aLog: aLog, d: d, stepScale: 1,
                shape: SSDShape(
                    heads: 2, headDimension: 3, groups: 1, stateSize: 2, chunkLength: 8),
                segments: segments, on: &tape)
            let gated = gatedRMSNorm(
                y, gate: p.columns(0..<6), gain: gain, groups: 2, gateScale: 0.5, epsilon: 1e-5,
                on: &tape)
            let v = linear(gated, output, on: &tape)
            return sum(x, swiGLU(gate: v, up: v, on: &tape), on: &tape)
        }
        let count = rowCount * 6
        let x = device.tensor((0..<count).map { Float($0 % 7) - 3 }, shape: [rowCount, 6])
        var tape = Tape(on: device)
        var h = x
        for _ in 0..<3 { h = tape.block(h, recompute: recompute) { block($0, &$1) } }
        var gradients = Gradients(on: device)
        gradients.assign(
            device.tensor((0..<count).map { Float($0 % 5) - 2 }, shape: [rowCount, 6]), to: h)
        tape.backward(&gradients)
        return (
            [gradients.take(x)?.toArray() ?? []] + table.parameters.map { $0.gradient.toArray() },
            device.peakByteCount
        )
    }

    @Test func recomputingChangesNoBitAndSavesMemory() {
        let kept = gradients(.none)
        #expect(kept.values.allSatisfy { !$0.isEmpty && $0.contains { $0 != 0 } })
        var peak = kept.peak
        for recompute in [Recompute.cheap, .block] {
            let again = gradients(recompute)
            #expect(again.values == kept.values)
            #expect(again.peak < peak)
            peak = again.peak
        }
    }

    /// Memory of what only the next op needs is free again before backward.
    @Test func outputsThatBackwardDoesNotReadAreNotKept() {
        let device = Device(threadCount: 1)
        let (_, w) = weight([64, 64], device)
        let x = device.zeros([100, 64])
        let before = device.peakByteCount
        var tape = Tape(on: device)
        for _ in 0..<8 { _ = sum(x, linear(x, w, on: &tape), on: &tape) }
        // Two sums and one product are alive at a time, not eight of each; and packed factors.
        #expect(device.peakByteCount - before < 6 * 100 * 64 * 4)
    }

    @Test func sharedGradientsAreCopiedBeforeTheyAreAddedTo() {
        let device = Device(threadCount: 1)
        let (a, b) = (device.zeros([4]), device.zeros([4]))
        var gradients = Gradients(on: device)
        let shared = device.tensor([1, 2, 3, 4], shape: [4])
        gradients.assign(shared, to: a)
        gradients.assign(shared, to: b)
        gradients.assign(device.tensor([1, 1, 1, 1], shape: [4]), to: b)
        #expect(gradients.take(a)?.toArray() == [1, 2, 3, 4])
        #expect(gradients.take(b)?.toArray() == [2, 3, 4, 5])
        #expect(gradients.take(a) == nil)
    }

    @Test func columnsOfOneTensorShareItsGradient() {
        let device = Device(threadCount: 1)
        let whole = device.zeros([3, 5])
        var gradients = Gradients(on: device)
        gradients.assign(
            device.tensor([1, 2, 3, 4, 5, 6], shape: [3, 2]), to: whole.columns(0..<2))
        gradients.assign(
            device.tensor([7, 8, 9], shape: [3, 1]), to: whole.columns(4..<5))
        #expect(
            gradients.take(whole)?.toArray() == [1, 2, 0, 0, 7, 3, 4, 0, 0, 8, 5, 6, 0, 0, 9])
    }

    @Test func firstContributionsAreWrittenAndOnlyTheRestIsZeroed() {
        let device = Device(threadCount: 1)
        let whole = device.zeros([2, 5])
        var gradients = Gradients(on: device)
        func contribute(_ columns: Range<Int>, _ value: Float) -> Bool {
            let target = gradients.targets(of: [whole.columns(columns).place])[0]
            if !target.accumulates { device.backend.fill(target.tensor, with: 0) }
            let ones = device.tensor(
                [Float](repeating: value, count: 2 * columns.count), shape: [2, columns.count])
            device.backend.add(ones, to: target.tensor, scale: 1)
            return target.accumulates
        }
        #expect(!contribute(3..<4, 1))
        #expect(!contribute(0..<2, 2))
        #expect(contribute(0..<1, 4))
        #expect(contribute(1..<3, 8))
        #expect(gradients.take(whole)?.toArray() == [6, 10, 8, 1, 0, 6, 10, 8, 1, 0])
    }

    @Test func targetsThatOverlapAreAddedTo() {
        let device = Device(threadCount: 1)
        let whole = device.zeros([2, 3])
        var gradients = Gradients(on: device)
        let targets = gradients.targets(of: [
            whole.columns(0..<2).place, whole.columns(1..<3).place,
        ])
        #expect(targets.map(\.accumulates) == [true, true])
        #expect(gradients.take(whole)?.toArray() == [0, 0, 0, 0, 0, 0])
    }

    /// From the second pass on, all memory comes from what the pass before gave back.
    @Test func aRepeatedPassTakesNoNewMemory() {
        let device = Device(threadCount: 2)
        let (_, w) = weight([64, 64], device)
        var peaks: [Int] = []
        for _ in 0..<4 {
            let x = device.zeros([100, 64])
            var tape = Tape(on: device)
            let y = sum(x, linear(x, w, on: &tape), on: &tape)
            var gradients = Gradients(on: device)
            gradients.assign(device.zeros([100, 64]), to: y)
            tape.backward(&gradients)
            peaks.append(device.reservedByteCount)
        }
        #expect(Set(peaks.dropFirst()).count == 1)
    }
}
