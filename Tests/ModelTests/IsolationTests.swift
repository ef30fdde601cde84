import FalconModel
import FalconTensor
import FalconTestSupport
import Testing

/// A document does not see what is packed before or after it.
@Suite struct IsolationTests {
    /// Losses of the last document and all gradients, with only that document scored.
    private func lastDocument(
        _ golden: Golden, documents: [[Int32]], at place: Int
    ) -> (losses: [Float], gradients: [[Float]]) {
        let (model, device) = (golden.model, golden.device)
        device.backend.fill(model.table.gradients, with: 0)
        var targets: [Int32] = []
        var offsets = [0]
        for (index, document) in documents.enumerated() {
            targets +=
                index == place
                ? document.dropFirst() + [-1] : Array(repeating: -1, count: document.count)
            offsets.append(targets.count)
        }
        var tape = Tape(on: device)
        let hidden = model.hidden(
            device.indices(documents.flatMap { $0 }), segments: Segments(offsets: offsets),
            on: &tape)
        let losses = model.losses(
            hidden, targets: device.indices(targets), gradientScale: 0.25, on: &tape)
        var gradients = Gradients(on: device)
        tape.backward(&gradients)
        let rows = offsets[place]..<offsets[place + 1]
        return (
            Array(losses.losses.toArray()[rows]),
            model.table.parameters.map { $0.gradient.toArray() }
        )
    }

    private func tokens(_ count: Int, _ seed: Int32) -> [Int32] {
        (0..<Int32(count)).map { 1 + ($0 * 7 + seed * 13 + $0 * $0 * seed) % 60 }
    }

    /// Bit for bit: what stands in the neighbours changes nothing.
    @Test(arguments: goldenModelNames, [1, 2, 3, 7, 8, 9, 17])
    func neighboursChangeNoBit(_ name: String, length: Int) throws {
        let golden = try Golden(name)
        let document = tokens(13, 3)
        let one = lastDocument(
            golden, documents: [tokens(length, 1), document, tokens(5, 2)], at: 1)
        let other = lastDocument(
            golden, documents: [tokens(length, 4), document, tokens(5, 9)], at: 1)
        #expect(one.losses == other.losses)
        #expect(one.gradients == other.gradients)
    }

    /// The same losses and gradients as the document has alone; products may round differently.
    @Test(arguments: goldenModelNames, [1, 2, 3, 7, 8, 9, 16, 17])
    func packedDocumentsEqualThoseAlone(_ name: String, length: Int) throws {
        let golden = try Golden(name)
        let document = tokens(13, 3)
        let alone = lastDocument(golden, documents: [document], at: 0)
        let packed = lastDocument(golden, documents: [tokens(length, 1), document], at: 1)
        #expect(largestDifference(alone.losses, packed.losses) <= 1e-6)
        for (index, parameter) in golden.model.table.parameters.enumerated() {
            let error = relativeNorm(packed.gradients[index], alone.gradients[index])
            #expect(error <= 2e-6, "\(parameter.name)")
        }
    }

    @Test(arguments: goldenModelNames) func threadsChangeNoBit(_ name: String) throws {
        let results = try [1, 2, 3].map { threads in
            let golden = try Golden(name, threadCount: threads)
            let loss = golden.backward()
            return [Float(loss)] + golden.model.table.parameters.flatMap { $0.gradient.toArray() }
        }
        #expect(results[0] == results[1])
        #expect(results[0] == results[2])
    }
}
