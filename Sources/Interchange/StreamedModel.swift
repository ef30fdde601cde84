import FalconModel
import FalconSystem
import FalconTensor

/// A model whose weights are read block by block while it runs, for a few prompts.
///
/// In memory are one block, and a part of the embedding and of the head: models larger than the memory
/// can be run.
struct StreamedModel {
    /// Rows of embedding and head in memory.
    private static let vocabularyPart = 4096

    private let source: ModelFiles
    private let device: Device
    private let body: any LanguageModel

    init(_ source: ModelFiles, on device: Device) {
        self.source = source
        self.device = device
        let part = min(source.configuration.vocabSize, Self.vocabularyPart)
        body = source.configuration.withOneBlock(vocabSize: part).makeModel()
        body.allocate(on: device, withGradients: false)
    }

    /// Runs prompts through the model, each as one document, and shows the logits after every token.
    ///
    /// - Parameters:
    ///   - prompts: tokens, at most `vocabularyPart` different ones in all.
    ///   - take: gets, for some tokens of the vocabulary at a time, `[R, count]` logits.
    /// - Throws: what reading the weights or `take` throws.
    func logits(
        of prompts: [[Int32]], _ take: (_ tokens: Range<Int>, _ logits: Tensor) throws -> Void
    ) throws {
        let hidden = try hidden(of: prompts)
        var tape = Tape(on: device, isRecording: false)
        let head = body.outputHead.weight
        let count = source.configuration.vocabSize
        for start in stride(from: 0, to: count, by: head.shape[0]) {
            let end = min(count, start + head.shape[0])
            try read(head, rows: 0..<end - start, from: start)
            let logits = body.logits(hidden, on: &tape)
            try take(start..<end, logits.columns(0..<end - start))
        }
    }

    /// Runs prompts through the blocks, each as one document.
    ///
    /// - Parameters:
    ///   - prompts: tokens, at most `vocabularyPart` different ones in all.
    ///   - observe: shown activations on the way, with the number of the block.
    /// - Returns: the normed output of the last block, `[R, D]`.
    /// - Throws: what reading the weights throws.
    func hidden(
        of prompts: [[Int32]],
        observe: ((_ layer: Int, _ place: String, _ activation: Tensor) -> Void)? = nil
    ) throws -> Tensor {
        let tokens = prompts.flatMap { $0 }
        let distinct = Set(tokens).sorted()
        precondition(
            distinct.count <= Self.vocabularyPart,
            "StreamedModel: \(distinct.count) different tokens, want at most \(Self.vocabularyPart)"
        )
        var offsets = [0]
        for prompt in prompts { offsets.append(offsets[offsets.count - 1] + prompt.count) }
        let places = Dictionary(
            uniqueKeysWithValues: distinct.enumerated().map { ($1, Int32($0)) })
        for parameter in body.table.parameters where parameter.role == .embedding {
            for (place, token) in distinct.enumerated() {
                try read(parameter, rows: place..<place + 1, from: Int(token))
            }
        }
        var tape = Tape(on: device, isRecording: false)
        var current = 0
        let observer: Observer? = observe.map { observe in
            { place, activation in observe(current, place, activation) }
        }
        let run = body.makeBlocks(
            for: ForwardPass(segments: Segments(offsets: offsets), observe: observer), on: device)
        var h = body.embed(device.indices(tokens.map { places[$0] ?? 0 }), on: &tape)
        for layer in 0..<source.configuration.numHiddenLayers {
            current = layer
            try readBlock(layer)
            h = run(0, h, &tape)
        }
        try readFinalNorm()
        return body.normalize(h, on: &tape)
    }

    private func readBlock(_ layer: Int) throws {
        let own = ".layers.0."
        for parameter in body.table.parameters where parameter.name.contains(own) {
            try read(
                parameter,
                named: parameter.name.replacing(own, with: ".layers.\(layer).", maxReplacements: 1))
        }
    }

    private func readFinalNorm() throws {
        for parameter in body.table.parameters
        where parameter.role == .vector && !parameter.name.contains(".layers.") {
            try read(parameter, named: parameter.name)
        }
    }

    private func read(_ parameter: Parameter, named name: String) throws {
        try parameter.value.upload { elements, values in
            try source.weights.readFloats(name, elements: elements, into: &values)
        }
    }

    /// Reads rows of embedding or head; a tied model's head is its embedding.
    private func read(_ parameter: Parameter, rows: Range<Int>, from first: Int) throws {
        let width = parameter.shape[1]
        let isTiedHead =
            parameter.role == .outputMatrix && source.configuration.sizes.tieWordEmbeddings
        let name =
            isTiedHead
            ? body.table.parameters.first { $0.role == .embedding }?.name ?? parameter.name
            : parameter.name
        try parameter.value.rows(rows).upload { elements, values in
            let start = first * width
            try source.weights.readFloats(
                name, elements: start + elements.lowerBound..<start + elements.upperBound,
                into: &values)
        }
    }
}
