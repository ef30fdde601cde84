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

    private func gradients(recompute: Bool) -> (input: [Float], weight: [Float]) {
        let device = Device(threadCount: 2)
        let (_, w) = weight([6, 6], device)
        let x = device.tensor((0..<30).map { Float($0 % 7) - 3 }, shape: [5, 6])
        func block(_ x: Tensor, _ tape: inout Tape) -> Tensor {
            let y = linear(x, w, on: &tape)
            return sum(x, swiGLU(gate: y, up: y, on: &tape), on: &tape)
        }
        var tape = Tape(on: device)
        var h = x
        for _ in 0..<2 {
            h = recompute ? tape.checkpoint(h) { block($0, &$1) } : block(h, &tape)
        }
        var gradients = Gradients(on: device)
        gradients.assign(device.tensor((0..<30).map { Float($0 % 5) }, shape: [5, 6]), to: h)
        tape.backward(&gradients)
        return (gradients.take(x)?.toArray() ?? [], w.gradient.toArray())
    }

    @Test func recomputingABlockChangesNoBit() {
        let (kept, again) = (gradients(recompute: false), gradients(recompute: true))
        #expect(kept.input.count == 30 && kept.input == again.input)
        #expect(kept.weight == again.weight)
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
            let target = gradients.targets(of: [whole.columns(columns)])[0]
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
        let targets = gradients.targets(of: [whole.columns(0..<2), whole.columns(1..<3)])
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
