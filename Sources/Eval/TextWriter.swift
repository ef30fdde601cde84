import FalconModel
import FalconTensor
import FalconTokenizer

/// Writes the most probable continuations of several prompts side by side.
final class TextWriter {
    /// The most prompts continued at a time.
    static let batchCount = 32
    /// The most bytes of their memories, unless one alone has more.
    private static let memoryBytes = 1 << 30

    private let model: any LanguageModel
    private let tokenizer: any Tokenizer
    private let device: Device

    /// A writer.
    ///
    /// - Parameters:
    ///   - model: with weights.
    ///   - tokenizer: its tokenizer.
    ///   - device: the device that holds the model.
    init(_ model: any LanguageModel, _ tokenizer: any Tokenizer, on device: Device) {
        self.model = model
        self.tokenizer = tokenizer
        self.device = device
    }

    /// A prompt, and how its continuation ends.
    struct Prompt {
        /// At least one.
        var tokens: [Int32]
        /// Texts that end the continuation.
        var until: [String]
        /// The most tokens that are written.
        var tokenLimit: Int
    }

    /// One prompt on its way.
    private final class Sequence {
        let prompt: Prompt
        let memory: GenerationState
        var next: Int32 = 0
        var written: [Int32] = []

        init(_ prompt: Prompt, memory: GenerationState) {
            self.prompt = prompt
            self.memory = memory
        }
    }

    /// Continues prompts until one of their ends, the end of the document, or the limit.
    ///
    /// A prompt too long for the model with what is to be written loses its beginning.
    ///
    /// - Parameters:
    ///   - prompts: the prompts.
    ///   - onTexts: takes the continuations of some prompts, in order, up to the first of their ends.
    /// - Throws: `TokenizerError`; errors of `onTexts`.
    func write(
        _ prompts: [Prompt], onTexts: ([String]) throws -> Void
    ) throws {
        var batch: [Sequence] = []
        var bytes = 0
        for (index, prompt) in prompts.enumerated() {
            let sequence = begin(prompt)
            batch.append(sequence)
            // Room for keys is doubled when it is filled.
            bytes += 2 * sequence.memory.byteCount
            let isFull = bytes * (batch.count + 1) / batch.count > Self.memoryBytes
            if isFull || batch.count == Self.batchCount || index == prompts.count - 1 {
                try onTexts(texts(batch))
                (batch, bytes) = ([], 0)
            }
        }
    }

    /// Reads a prompt.
    private func begin(_ prompt: Prompt) -> Sequence {
        let sequence = Sequence(prompt, memory: model.makeState(on: device))
        let room = model.configuration.maxPositionEmbeddings - prompt.tokenLimit
        let tokens = Array(prompt.tokens.suffix(room))
        sequence.next = Self.best(model.prefill(tokens, sequence.memory, on: device))
        return sequence
    }

    private func texts(_ sequences: [Sequence]) throws -> [String] {
        var active = try sequences.filter { try advances($0) }
        // Bits must not depend on the company, so no pass may have few rows.
        let nobody = Prompt(tokens: [], until: [], tokenLimit: 0)
        let company = (0..<Device.steadyRowCount).map { _ in
            Sequence(nobody, memory: model.makeState(on: device))
        }
        while !active.isEmpty {
            var tape = Tape(on: device, isRecording: false)
            let rows = active + company.dropFirst(active.count)
            let tokens = device.indices(rows.map(\.next))
            let hidden = model.hidden(
                tokens, segments: Segments(offsets: Array(0...rows.count)),
                memories: rows.map { SegmentMemory($0.memory) }, on: &tape)
            let scored = model.losses(hidden, targets: tokens, wantsBest: true, on: &tape)
            for (sequence, token) in zip(active, scored.best?.toArray() ?? []) {
                sequence.next = token
            }
            active = try active.filter { try advances($0) }
        }
        return try sequences.map { try ended(tokenizer.decode($0.written), $0.prompt.until).text }
    }

    /// The place of the largest logit, the first of equal ones.
    private static func best(_ logits: [Float]) -> Int32 {
        Int32(logits.indices.reduce(0) { logits[$1] > logits[$0] ? $1 : $0 })
    }

    /// Takes the next token of a text and says whether more is to be written.
    private func advances(_ sequence: Sequence) throws -> Bool {
        if sequence.next == tokenizer.eosID { return false }
        sequence.written.append(sequence.next)
        if sequence.written.count == sequence.prompt.tokenLimit { return false }
        return !(try ended(tokenizer.decode(sequence.written), sequence.prompt.until).isEnded)
    }

    /// A text up to the first of some ends, looked for one after the other.
    private func ended(_ text: String, _ until: [String]) -> (text: String, isEnded: Bool) {
        var (rest, isEnded) = (text, false)
        for end in until where !end.isEmpty {
            let parts = rest.splitAsPython(end)
            if parts.count > 1 { (rest, isEnded) = (parts[0], true) }
        }
        return (rest, isEnded)
    }
}
