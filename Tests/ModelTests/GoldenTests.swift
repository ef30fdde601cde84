import FalconCheckpoint
import FalconInterchange
import FalconModel
import FalconTensor
import FalconTestSupport
import Testing

/// Against logits, loss and every gradient that transformers 5.23.0 computes (Fixtures/README.md).
@Suite struct GoldenTests {
    @Test func everyFixtureIsTested() { #expect(goldenModelNames.count >= 6) }

    @Test(arguments: goldenModelNames) func logitsMatchTransformers(_ name: String) throws {
        let golden = try Golden(name)
        var tape = Tape(on: golden.device, isRecording: false)
        let hidden = golden.model.hidden(golden.tokens, segments: golden.segments, on: &tape)
        let logits = golden.model.logits(hidden, on: &tape).toArray()
        let error = largestDifference(logits, try golden.reference.floats("logits"))
        print("\(name): largest logit error \(error)")
        #expect(error <= 1e-5)
    }

    @Test(arguments: goldenModelNames, Recompute.allCases)
    func lossAndEveryGradientMatchTransformers(_ name: String, recompute: Recompute) throws {
        let golden = try Golden(name)
        let loss = golden.backward(recompute: recompute)
        let lossError = abs(loss - Double(try golden.reference.floats("loss")[0]))
        var worst = (error: 0.0, name: "")
        for parameter in golden.model.table.parameters {
            let wanted = try golden.gradient(of: parameter)
            let error = relativeNorm(parameter.gradient.toArray(), wanted)
            if error > worst.error { worst = (error, parameter.name) }
            #expect(error <= 1e-5, "\(parameter.name)")
        }
        print("\(name): loss error \(lossError), worst gradient \(worst.error) in \(worst.name)")
        #expect(lossError <= 1e-6)
    }

    /// One token at a time, in pieces, and all at once give the same logits.
    @Test(arguments: goldenModelNames, [[1, 1, 1], [5, 1, 7], [8, 11], [2, 3, 14]])
    func generationStateContinuesWhereItStopped(_ name: String, pieces: [Int]) throws {
        let golden = try Golden(name)
        let ids = try golden.reference.integers("input_ids").prefix(19).map(Int32.init)
        let wanted = try golden.reference.floats("logits")
        let width = golden.model.configuration.vocabSize
        let state = golden.model.makeState(on: golden.device)
        var start = 0
        for piece in pieces {
            let end = min(start + piece, ids.count)
            let logits = golden.model.prefill(Array(ids[start..<end]), state, on: golden.device)
            let row = Array(wanted[(end - 1) * width..<end * width])
            #expect(largestDifference(logits, row) <= 1e-5)
            start = end
        }
        #expect(state.position == start)
    }

    /// A prompt longer than the pieces it is read in: the same logits as in one pass, and of a model
    /// without attention the same memory as after a short one.
    @Test(arguments: goldenModelNames) func longPromptsAreReadInPieces(_ name: String) throws {
        let golden = try Golden(name)
        let (model, device) = (golden.model, golden.device)
        let prompt = (0..<1301).map { Int32(1 + $0 * $0 % 59) }
        var tape = Tape(on: device, isRecording: false)
        let hidden = model.hidden(
            device.indices(prompt), segments: Segments(rowCount: prompt.count), on: &tape)
        let wanted = model.logits(hidden.rows(1300..<1301), on: &tape).toArray()
        let state = model.makeState(on: device)
        let got = model.prefill(prompt, state, on: device)
        let error = largestDifference(got, wanted)
        print("\(name): logits after 1301 tokens in pieces within \(error) of those in one pass")
        #expect(error <= 1e-5)
        let short = model.makeState(on: device)
        _ = model.prefill([5], short, on: device)
        #expect((state.byteCount == short.byteCount) == (model.configuration.falconH1 == nil))
    }
}

/// A fixture folder, loaded.
struct Golden {
    let device: Device
    let model: any LanguageModel
    let reference: SafetensorsReader
    private let isLlama: Bool
    let segments = Segments(offsets: [0, 19, 38])

    init(_ name: String, threadCount: Int = 2) throws {
        let folder = goldenModels + "/" + name
        device = Device(threadCount: threadCount)
        model = try HuggingFaceConfiguration(folder: folder).model.makeModel()
        model.allocate(on: device, withGradients: true)
        let weights = try ModelFiles.open(folder).weights
        for parameter in model.table.parameters {
            try parameter.value.upload { elements, values in
                try weights.readFloats(parameter.name, elements: elements, into: &values)
            }
        }
        isLlama = name.hasPrefix("llama")
        reference = try SafetensorsReader(path: folder + "/reference.safetensors")
    }

    var ids: [Int32] {
        ((try? reference.integers("input_ids")) ?? []).map(Int32.init)
    }

    var tokens: IndexTensor { device.indices(ids) }

    /// What transformers computed.
    func gradient(of parameter: Parameter) throws -> [Float] {
        var name = parameter.name
        if isLlama {
            for (own, foreign) in [
                ("feed_forward.", "mlp."), ("pre_ff_layernorm", "post_attention_layernorm"),
                ("final_layernorm", "norm"),
            ] { name = name.replacing(own, with: foreign) }
        }
        return try reference.floats("grad." + name)
    }

    /// The mean loss of the 36 predicted tokens; gradients are left in the parameters.
    func backward(recompute: Recompute = .none) -> Double {
        var targets = Array(ids.dropFirst()) + [-1]
        targets[18] = -1
        var tape = Tape(on: device)
        let hidden = model.hidden(
            tokens, segments: segments, recompute: recompute, on: &tape)
        let losses = model.losses(
            hidden, targets: device.indices(targets), gradientScale: 1 / 36, on: &tape)
        var gradients = Gradients(on: device)
        tape.backward(&gradients)
        return losses.total() / 36
    }
}
