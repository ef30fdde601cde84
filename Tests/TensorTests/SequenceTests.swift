import FalconTensor
import FalconTestSupport
import FalconVerification
import Testing

/// What the sequence ops promise beyond their gradients: continuation, independence of documents,
/// NaN that survives.
@Suite struct SequenceTests {
    private let device = Device(threadCount: 2)

    private func numbers(_ shape: [Int], _ name: String, mean: Float = 0) -> Tensor {
        device.tensor(OpCase.normal(shape.reduce(1, *), name, mean: mean), shape: shape)
    }

    private func parameter(_ shape: [Int], _ name: String, mean: Float = 0) -> Parameter {
        let builder = ParameterBuilder()
        let parameter = builder.parameter(name, shape, role: .vector, initialization: .zeros)
        ParameterTable(builder.parameters).allocate(on: device, withGradients: true)
        parameter.value.upload(OpCase.normal(parameter.count, name, mean: mean))
        return parameter
    }

    private func expectClose(_ computed: Tensor, _ expected: [Float], _ what: Comment) {
        let largest = expected.reduce(Float(0)) { max($0, abs($1)) }
        #expect(largestDifference(computed.toArray(), expected) <= 2e-6 * Double(largest), what)
    }

    // MARK: Continuation

    @Test(arguments: [1, 2, 3, 5, 16])
    func convolutionContinuesFromItsHistory(pieceLength: Int) {
        let (rows, channels, taps) = (16, 5, 4)
        let x = numbers([rows, channels], "x")
        let (weight, bias) = (parameter([channels, 1, taps], "w"), parameter([channels], "b"))
        let scale = numbers([channels], "scale")
        var tape = Tape(on: device, isRecording: false)
        let whole = causalConv1d(
            x, weight: weight, bias: bias, scale: scale, segments: Segments(rowCount: rows),
            on: &tape)
        let padded = device.zeros([taps - 1 + rows, channels])
        device.backend.copy(from: x, to: padded.rows(taps - 1..<taps - 1 + rows), scale: 1)
        for start in stride(from: 0, to: rows, by: pieceLength) {
            let range = start..<min(rows, start + pieceLength)
            let part = causalConv1d(
                x.rows(range), weight: weight, bias: bias, scale: scale,
                segments: Segments(rowCount: range.count),
                histories: [padded.rows(start..<start + taps - 1)], on: &tape)
            expectClose(part, whole.rows(range).toArray(), "rows \(range)")
        }
    }

    @Test(arguments: [1, 2, 7, 8, 9, 30])
    func scanContinuesFromItsState(pieceLength: Int) {
        let shape = SSDShape(heads: 6, headDimension: 5, groups: 2, stateSize: 9, chunkLength: 8)
        let rows = 30
        let (x, b) = (numbers([rows, 30], "x"), numbers([rows, 18], "b"))
        let (c, dt) = (numbers([rows, 18], "c"), numbers([rows, 6], "dt"))
        let (dtBias, aLog) = (parameter([6], "dtBias", mean: -1), parameter([6], "aLog"))
        let d = parameter([6], "d")
        func doubles(_ tensor: Tensor) -> [Double] { tensor.toArray().map(Double.init) }
        let expected = Reference.ssd(
            x: doubles(x), b: doubles(b), c: doubles(c), dt: doubles(dt),
            dtBias: doubles(dtBias.value), aLog: doubles(aLog.value), d: doubles(d.value),
            stepScale: 1, shape: shape, segments: [0..<rows])
        let y = expected.y.map(Float.init)
        var tape = Tape(on: device, isRecording: false)
        let state = device.zeros([shape.heads, shape.headDimension, shape.stateSize])
        for start in stride(from: 0, to: rows, by: pieceLength) {
            let range = start..<min(rows, start + pieceLength)
            let part = ssdScan(
                x: x.rows(range), b: b.rows(range), c: c.rows(range), dt: dt.rows(range),
                dtBias: dtBias, aLog: aLog, d: d, stepScale: 1, shape: shape,
                segments: Segments(rowCount: range.count),
                states: [SegmentState(before: state, after: state)], on: &tape)
            expectClose(part, Array(y[start * 30..<range.upperBound * 30]), "rows \(range)")
        }
        expectClose(state, expected.state.map(Float.init), "the final state")
    }

    @Test(arguments: [1, 3, 40])
    func attentionContinuesFromItsKeys(pieceLength: Int) {
        let rows = 120
        let (q, k) = (numbers([rows, 24], "q"), numbers([rows, 8], "k"))
        let v = numbers([rows, 8], "v")
        var tape = Tape(on: device, isRecording: false)
        func attend(_ range: Range<Int>) -> Tensor {
            causalAttention(
                query: q.rows(range), key: k.rows(0..<range.upperBound),
                value: v.rows(0..<range.upperBound), heads: 3, keyValueHeads: 1,
                segments: Segments(rowCount: range.count), scale: 0.35, on: &tape)
        }
        let whole = attend(0..<rows)
        for start in stride(from: 0, to: rows, by: pieceLength) {
            let range = start..<min(rows, start + pieceLength)
            expectClose(attend(range), whole.rows(range).toArray(), "rows \(range)")
        }
    }

    // MARK: Documents

    /// A document's outputs and gradients, as bits, when other documents are packed before it.
    private func packed(before: [Int], length: Int) -> [Float] {
        let first = before.reduce(0, +)
        let rows = first + length
        var offsets = [0]
        for count in before + [length] { offsets.append(offsets[offsets.count - 1] + count) }
        let segments = Segments(offsets: offsets)
        let shape = SSDShape(heads: 4, headDimension: 3, groups: 2, stateSize: 5, chunkLength: 8)
        // x 12 | b 10 | c 10, and q 16 | k 8 | v 8 as columns of the same rows.
        func placed(_ width: Int, _ name: String) -> Tensor {
            let all = numbers([rows, width], "other " + name)
            device.backend.copy(
                from: numbers([length, width], name), to: all.rows(first..<rows), scale: 1)
            return all
        }
        let (input, dt, weights) = (placed(32, "input"), placed(4, "dt"), placed(28, "dy"))
        var tape = Tape(on: device)
        let mixed = causalConv1d(
            input, weight: parameter([32, 1, 4], "w"), bias: parameter([32], "b"),
            scale: numbers([32], "scale"), segments: segments, on: &tape)
        let scanned = ssdScan(
            x: mixed.columns(0..<12), b: mixed.columns(12..<22), c: mixed.columns(22..<32), dt: dt,
            dtBias: parameter([4], "dtBias", mean: -1), aLog: parameter([4], "aLog"),
            d: parameter([4], "d"), stepScale: 1, shape: shape, segments: segments, on: &tape)
        let attended = causalAttention(
            query: mixed.columns(0..<16), key: mixed.columns(16..<24),
            value: mixed.columns(24..<32),
            heads: 4, keyValueHeads: 2, segments: segments, scale: 0.5, on: &tape)
        var gradients = Gradients(on: device)
        gradients.assign(device.copy(weights.columns(0..<12)), to: scanned)
        gradients.assign(device.copy(weights.columns(12..<28)), to: attended)
        tape.backward(&gradients)
        let results = [scanned, attended, gradients.take(input), gradients.take(dt)]
        return results.flatMap { $0?.rows(first..<rows).toArray() ?? [.nan] }
    }

    @Test(arguments: [[1], [1, 1, 2], [7], [8], [9], [131, 3]])
    func documentIsTheSameWhateverIsPackedBeforeIt(before: [Int]) {
        #expect(packed(before: before, length: 21) == packed(before: [], length: 21))
    }

    // MARK: Extreme values

    /// e^(s_i - s_j) overflows above the diagonal: it must be masked before it is computed.
    @Test func strongDecayStaysFinite() {
        let shape = SSDShape(heads: 2, headDimension: 4, groups: 1, stateSize: 6, chunkLength: 16)
        let (x, b) = (numbers([40, 8], "x"), numbers([40, 6], "b"))
        let (c, dt) = (numbers([40, 6], "c"), numbers([40, 2], "dt"))
        let (dtBias, aLog) = (
            parameter([2], "dtBias", mean: 30), parameter([2], "aLog", mean: 4)
        )
        let d = parameter([2], "d")
        func doubles(_ tensor: Tensor) -> [Double] { tensor.toArray().map(Double.init) }
        var tape = Tape(on: device)
        let y = ssdScan(
            x: x, b: b, c: c, dt: dt, dtBias: dtBias, aLog: aLog, d: d, stepScale: 1, shape: shape,
            segments: Segments(rowCount: 40), on: &tape)
        let expected = Reference.ssd(
            x: doubles(x), b: doubles(b), c: doubles(c), dt: doubles(dt),
            dtBias: doubles(dtBias.value), aLog: doubles(aLog.value), d: doubles(d.value),
            stepScale: 1, shape: shape, segments: [0..<40]
        ).y
        expectClose(y, expected.map(Float.init), "strong decay")
        var gradients = Gradients(on: device)
        gradients.assign(numbers([40, 8], "dy"), to: y)
        tape.backward(&gradients)
        for tensor in [x, b, c, dt] {
            let values = gradients.take(tensor)?.toArray() ?? [.nan]
            #expect(values.allSatisfy { $0.isFinite })
        }
        for parameter in [dtBias, aLog, d] {
            let values = parameter.gradient.toArray()
            #expect(values.allSatisfy { $0.isFinite })
        }
    }

    @Test func largeScoresStayFinite() {
        let (q, k, v) = (numbers([30, 8], "q"), numbers([30, 8], "k"), numbers([30, 8], "v"))
        var tape = Tape(on: device)
        let y = causalAttention(
            query: q, key: k, value: v, heads: 1, keyValueHeads: 1,
            segments: Segments(rowCount: 30),
            scale: 1e4, on: &tape)
        var gradients = Gradients(on: device)
        gradients.assign(numbers([30, 8], "dy"), to: y)
        tape.backward(&gradients)
        for tensor in [q, k, v] {
            let values = gradients.take(tensor)?.toArray() ?? [.nan]
            #expect(values.allSatisfy { $0.isFinite })
        }
    }

    // MARK: Values that are not finite

    @Test func notANumberSurvives() {
        var tape = Tape(on: device, isRecording: false)
        let x = numbers([20, 16], "x")
        x.set(3 * 16 + 2, to: .nan)
        let segments = Segments(rowCount: 20)
        let convolution = causalConv1d(
            x, weight: parameter([16, 1, 4], "w"), bias: parameter([16], "b"),
            scale: numbers([16], "scale"), segments: segments, on: &tape)
        let convolved = convolution.toArray()
        #expect((3...6).allSatisfy { convolved[$0 * 16 + 2].isNaN })
        #expect(!convolved[7 * 16 + 2].isNaN)
        let attention = causalAttention(
            query: numbers([20, 16], "q"), key: x, value: numbers([20, 16], "v"), heads: 1,
            keyValueHeads: 1, segments: segments, scale: 0.25, on: &tape)
        let attended = attention.toArray()
        #expect((3..<20).allSatisfy { attended[$0 * 16].isNaN })
        #expect(!attended[2 * 16].isNaN)
        let later = numbers([20, 16], "x")
        later.set(8 * 16 + 2, to: .nan)
        let shape = SSDShape(heads: 2, headDimension: 8, groups: 1, stateSize: 16, chunkLength: 8)
        let scan = ssdScan(
            x: later, b: numbers([20, 16], "sb"), c: numbers([20, 16], "sc"),
            dt: numbers([20, 2], "dt"),
            dtBias: parameter([2], "dtBias"), aLog: parameter([2], "aLog"), d: parameter([2], "d"),
            stepScale: 1, shape: shape, segments: segments, on: &tape)
        // Rows of the same tile may meet it as 0 · NaN; an earlier chunk never does.
        let scanned = scan.toArray()
        #expect((8..<20).allSatisfy { scanned[$0 * 16 + 2].isNaN })
        #expect((0..<8).allSatisfy { !scanned[$0 * 16 + 2].isNaN })
    }
}
