import FalconModel
import FalconTensor

/// A model whose weights are read block by block while it runs, for a few prompts.
///
/// Only one block and parts of the embedding and of the head are in memory, so models larger than
/// the memory can run.
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

    /// Runs prompts through the model, each as one document, for the logits after every token.
    ///
    /// - Parameters:
    ///   - prompts: tokens, at most `vocabularyPart` different ones in all.
    ///   - take: takes `[R, count]` logits, for some tokens of the vocabulary at a time.
    /// - Throws: errors of reading the weights or of `take`.
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
    ///   - observe: takes activations on the way.
    /// - Returns: the normed output of the last block, `[R, D]`.
    /// - Throws: errors of reading the weights.
    func hidden(
        of prompts: [[Int32]], observe: Observer? = nil
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
        for parameter in body.table.parameters where parameter.place?.part == .embedding {
            for (place, token) in distinct.enumerated() {
                try read(parameter, rows: place..<place + 1, from: Int(token))
            }
        }
        var tape = Tape(on: device, isRecording: false)
        var current = 0
        let observer: Observer? = observe.map { observe in
            { place, activation in
                observe(
                    ActivationPlace(place.kind, block: place.block.map { _ in current }), activation
                )
            }
        }
        let run = body.makeBlocks(
            for: ForwardPass(segments: Segments(offsets: offsets), observe: observer), on: device)
        var h = body.embed(device.indices(tokens.map { places[$0] ?? 0 }), on: &tape)
        for layer in 0..<source.configuration.numHiddenLayers {
            current = layer
            try read(as: layer) { $0.block != nil }
            h = run(0, h, &tape)
        }
        try read { $0.part == .finalNorm }
        return body.normalize(h, on: &tape)
    }

    /// Reads whole parameters, those of the block in memory from another block.
    private func read(
        as layer: Int = 0, where isWanted: (ParameterPlace) -> Bool
    ) throws {
        for parameter in body.table.parameters {
            guard let place = parameter.place, isWanted(place) else { continue }
            let name = names.name(of: place.inBlock(layer))
            try parameter.value.upload { elements, values in
                try source.weights.readFloats(name, elements: elements, into: &values)
            }
        }
    }

    private var names: ParameterNames { source.configuration.architecture.parameterNames }

    /// Reads rows of embedding or head; a tied model's head is its embedding.
    private func read(_ parameter: Parameter, rows: Range<Int>, from first: Int) throws {
        let width = parameter.shape[1]
        let isTied = source.configuration.sizes.tieWordEmbeddings
        let name =
            isTied ? names.name(of: ParameterPlace(.embedding, .matrix)) : parameter.name
        try parameter.value.rows(rows).upload { elements, values in
            let start = first * width
            try source.weights.readFloats(
                name, elements: start + elements.lowerBound..<start + elements.upperBound,
                into: &values)
        }
    }
}
