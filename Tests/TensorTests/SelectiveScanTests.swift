import FalconTensor
import FalconTestSupport
import FalconVerification
import Foundation
import Testing

/// The Mamba-1 scan against PyTorch (`scripts/fixtures/selective_scan.py`, torch 2.13.0), and what it
/// promises beyond its gradients: continuation, independence of documents, extreme values.
@Suite struct SelectiveScanTests {
    private let device = Device(threadCount: 2)

    /// The inputs of a scan, by name.
    private struct Inputs {
        let tensors: [String: Tensor]
        let parameters: [String: Parameter]

        func scan(
            _ segments: Segments, rows: Range<Int>? = nil, from initial: Tensor? = nil,
            to final: Tensor? = nil, on tape: inout Tape
        ) throws -> Tensor {
            func tensor(_ name: String) throws -> Tensor {
                let tensor = try #require(tensors[name])
                return rows.map { tensor.rows($0) } ?? tensor
            }
            return selectiveScan(
                x: try tensor("x"), delta: try tensor("delta"), b: try tensor("b"),
                c: try tensor("c"), deltaBias: try #require(parameters["deltaBias"]),
                aLog: try #require(parameters["aLog"]), d: try #require(parameters["d"]),
                segments: segments,
                states: initial == nil && final == nil
                    ? [] : [SegmentState(before: initial, after: final)], on: &tape)
        }
    }

    private func parameter(_ shape: [Int], _ values: [Float]) -> Parameter {
        let builder = ParameterBuilder()
        let parameter = builder.parameter("weight", shape, role: .vector, initialization: .zeros)
        ParameterTable(builder.parameters).allocate(on: device, withGradients: true)
        parameter.value.upload(values)
        return parameter
    }

    private func inputs(
        channels: Int, states: Int, rows: Int, _ values: (_ name: String, _ count: Int) -> [Float]
    ) -> Inputs {
        let widths = ["x": channels, "delta": channels, "b": states, "c": states]
        let shapes = ["deltaBias": [channels], "aLog": [channels, states], "d": [channels]]
        let tensors = widths.map { name, width in
            (name, device.tensor(values(name, rows * width), shape: [rows, width]))
        }
        let parameters = shapes.map { name, shape in
            (name, parameter(shape, values(name, shape.reduce(1, *))))
        }
        return Inputs(
            tensors: Dictionary(uniqueKeysWithValues: tensors),
            parameters: Dictionary(uniqueKeysWithValues: parameters))
    }

    /// All gradients, given that of the output.
    private func gradients(
        of inputs: Inputs, _ y: Tensor, weights: Tensor, _ tape: inout Tape
    ) -> [String: [Float]] {
        var gradients = Gradients(on: device)
        gradients.assign(weights, to: y)
        tape.backward(&gradients)
        var result = inputs.parameters.mapValues { $0.gradient.toArray() }
        for (name, tensor) in inputs.tensors {
            result[name] = gradients.take(tensor)?.toArray() ?? [.nan]
        }
        return result
    }

    private func doubles(_ tensor: Tensor?) -> [Double] {
        tensor?.toArray().map(Double.init) ?? []
    }

    private func reference(
        _ inputs: Inputs, _ segments: [Range<Int>]
    ) -> (y: [Double], state: [Double]) {
        Reference.selectiveScan(
            x: doubles(inputs.tensors["x"]), delta: doubles(inputs.tensors["delta"]),
            b: doubles(inputs.tensors["b"]), c: doubles(inputs.tensors["c"]),
            deltaBias: doubles(inputs.parameters["deltaBias"]?.value),
            aLog: doubles(inputs.parameters["aLog"]?.value),
            d: doubles(inputs.parameters["d"]?.value), segments: segments)
    }

    private func expectClose(
        _ computed: [Float], _ expected: [Double], within tolerance: Double = 2e-6, _ what: Comment
    ) {
        let largest = expected.reduce(0) { max($0, abs($1)) }
        #expect(largestDifference(computed, expected) <= tolerance * largest, what)
    }

    // MARK: PyTorch

    private struct Fixture: Decodable {
        struct Case: Decodable {
            let channels: Int
            let states: Int
            let lengths: [Int]
            let inputs: [String: [Double]]
            let weights: [Double]
            let output: [Double]
            let gradients: [String: [Double]]
        }
        let cases: [Case]
    }

    @Test func matchesPyTorch() throws {
        let fixture = try JSONDecoder().decode(
            Fixture.self,
            from: Data(load(testsFolder + "/TensorTests/Fixtures/selective_scan.json")))
        #expect(fixture.cases.count == 2)
        for sample in fixture.cases {
            let rows = sample.lengths.reduce(0, +)
            let inputs = inputs(channels: sample.channels, states: sample.states, rows: rows) {
                name, _ in (sample.inputs[name] ?? []).map { Float($0) }
            }
            var tape = Tape(on: device)
            let y = try inputs.scan(
                Segments(
                    offsets: sample.lengths.reduce(into: [0]) { $0.append(($0.last ?? 0) + $1) }),
                on: &tape)
            expectClose(y.toArray(), sample.output, within: 1e-6, "\(sample.lengths): y")
            let weights = device.tensor(sample.weights.map { Float($0) }, shape: y.shape)
            let gradients = gradients(of: inputs, y, weights: weights, &tape)
            #expect(sample.gradients.count == 7)
            for (name, expected) in sample.gradients {
                expectClose(
                    gradients[name] ?? [], expected, within: 2e-6, "\(sample.lengths): \(name)")
            }
        }
    }

    // MARK: Continuation

    private func random(
        channels: Int = 37, states: Int = 5, rows: Int, means: [String: Float] = [:]
    ) -> Inputs {
        inputs(channels: channels, states: states, rows: rows) { name, count in
            OpCase.normal(count, name, mean: means[name] ?? (name == "deltaBias" ? -1 : 0))
        }
    }

    @Test(arguments: [1, 2, 63, 64, 65, 150])
    func continuesFromItsState(pieceLength: Int) throws {
        let (channels, states, rows) = (37, 5, 150)
        let inputs = random(channels: channels, states: states, rows: rows)
        var tape = Tape(on: device, isRecording: false)
        let expected = device.empty([states, channels])
        let whole = try inputs.scan(Segments(rowCount: rows), to: expected, on: &tape)
        let state = device.zeros([states, channels])
        var pieces: [Float] = []
        for start in stride(from: 0, to: rows, by: pieceLength) {
            let range = start..<min(rows, start + pieceLength)
            let part = try inputs.scan(
                Segments(rowCount: range.count), rows: range, from: state, to: state, on: &tape)
            pieces += part.toArray()
        }
        #expect(pieces == whole.toArray())
        #expect(state.toArray() == expected.toArray())
        let reference = reference(inputs, [0..<rows])
        expectClose(pieces, reference.y, "y")
        expectClose(state.toArray(), reference.state, "the final state")
    }

    // MARK: Documents

    /// A document's output and gradients of its rows when others are packed around it.
    private func packed(before: [Int], length: Int, after: [Int]) throws -> [Float] {
        let first = before.reduce(0, +)
        let lengths = before + [length] + after
        let rows = lengths.reduce(0, +)
        let (channels, states) = (35, 3)
        func placed(_ width: Int, _ name: String) -> [Float] {
            var all = OpCase.normal(rows * width, "other " + name)
            all.replaceSubrange(
                first * width..<(first + length) * width, with: OpCase.normal(length * width, name))
            return all
        }
        let inputs = inputs(channels: channels, states: states, rows: rows) { name, count in
            switch name {
            case "x", "delta": placed(channels, name)
            case "b", "c": placed(states, name)
            default: OpCase.normal(count, name)
            }
        }
        var tape = Tape(on: device)
        let y = try inputs.scan(
            Segments(offsets: lengths.reduce(into: [0]) { $0.append(($0.last ?? 0) + $1) }),
            on: &tape)
        let output = y.rows(first..<first + length).toArray()
        let weights = device.tensor(placed(channels, "weights"), shape: [rows, channels])
        let gradients = gradients(of: inputs, y, weights: weights, &tape)
        return output
            + ["x", "delta", "b", "c"].flatMap { name in
                let width = (gradients[name]?.count ?? 0) / rows
                return (gradients[name] ?? [.nan])[first * width..<(first + length) * width]
            }
    }

    @Test(arguments: [[1], [1, 1, 2], [63], [64], [65], [300, 3]])
    func documentIsTheSameWhateverIsPackedAroundIt(before: [Int]) throws {
        for length in [1, 2, 77] {
            let alone = try packed(before: [], length: length, after: [])
            for after in [[], [1, 70]] {
                let among = try packed(before: before, length: length, after: after)
                #expect(among == alone, "\(length) rows before \(after)")
            }
        }
    }

    // MARK: Extreme values

    @Test(arguments: [
        ["deltaBias": Float(-60)], ["deltaBias": 60], ["deltaBias": 60, "aLog": 5],
        ["deltaBias": -100, "aLog": 30], ["aLog": -40], ["deltaBias": 1000, "aLog": 60],
    ])
    func extremeInputsStayFinite(means: [String: Float]) throws {
        let inputs = random(rows: 70, means: means)
        var tape = Tape(on: device)
        let y = try inputs.scan(Segments(rowCount: 70), on: &tape)
        expectClose(y.toArray(), reference(inputs, [0..<70]).y, "\(means)")
        let weights = device.tensor(OpCase.normal(y.count, "dy"), shape: y.shape)
        for (name, values) in gradients(of: inputs, y, weights: weights, &tape) {
            #expect(values.allSatisfy { $0.isFinite }, "\(means): \(name)")
        }
    }

    @Test func notANumberSurvivesFromItsRowOn() throws {
        for name in ["x", "delta", "b", "c"] {
            let inputs = random(rows: 100)
            let tensor = try #require(inputs.tensors[name])
            tensor.set(66 * tensor.columnCount + 2, to: .nan)
            var tape = Tape(on: device, isRecording: false)
            let y = try inputs.scan(Segments(offsets: [0, 80, 100]), on: &tape).toArray()
            let isNaN = (0..<100).map { y[$0 * 37 + 2].isNaN }
            let rows = name == "c" ? 66..<67 : 66..<80
            #expect(isNaN == (0..<100).map { rows.contains($0) }, "\(name)")
        }
    }
}
