import FalconTensor

#if canImport(Glibc)
    import Glibc
#endif

/// Chooses the next token from logits.
public struct TokenSampler: Sendable {
    /// The divisor of the logits; 0 takes the most probable token.
    public let temperature: Double
    /// Only the most probable tokens whose probabilities reach this sum are considered; 1 for all.
    public let topP: Double
    /// Whether each token may be chosen; nil for all.
    public let allowed: [Bool]?
    private let stream: RandomStream
    private var drawn: UInt64 = 0

    /// A sampler.
    ///
    /// - Parameters:
    ///   - temperature: 0 or more; 0 is greedy.
    ///   - topP: in (0, 1].
    ///   - seed: the same seed draws the same numbers.
    ///   - allowed: whether each token may be chosen; nil for all.
    public init(temperature: Double, topP: Double, seed: UInt64, allowed: [Bool]? = nil) {
        precondition(temperature >= 0 && topP > 0 && topP <= 1, "TokenSampler: out of range")
        self.temperature = temperature
        self.topP = topP
        self.allowed = allowed
        stream = RandomStream(seed: seed, name: "generate")
    }

    /// Chooses a token.
    ///
    /// - Parameter logits: one per token of the vocabulary; minus infinity for an impossible token.
    /// - Returns: the token; the first of equal ones.
    /// - Throws: `GenerationError` if the logits give no probabilities.
    public mutating func next(_ logits: [Float]) throws(GenerationError) -> Int32 {
        precondition(
            allowed?.count ?? logits.count == logits.count,
            "TokenSampler: \(logits.count) logits, want \(allowed?.count ?? 0)")
        if let token = logits.firstIndex(where: { !($0 < .infinity) }) {
            throw .notFinite(token: token, logit: logits[token])
        }
        var best = -1
        for token in logits.indices where allowed?[token] ?? true {
            if best < 0 || logits[token] > logits[best] { best = token }
        }
        guard best >= 0 else { throw .nothingAllowed }
        guard logits[best] > -.infinity else {
            throw .notFinite(token: best, logit: logits[best])
        }
        guard temperature > 0 else { return Int32(best) }
        let peak = Double(logits[best])
        var candidates: [(token: Int, weight: Double)] = []
        candidates.reserveCapacity(logits.count)
        for token in logits.indices where allowed?[token] ?? true {
            candidates.append((token, exp((Double(logits[token]) - peak) / temperature)))
        }
        var total = candidates.reduce(0) { $0 + $1.weight }
        if topP < 1 {
            candidates.sort {
                $0.weight > $1.weight || ($0.weight == $1.weight && $0.token < $1.token)
            }
            var (kept, reached) = (0, 0.0)
            while kept < candidates.count && reached < topP * total {
                reached += candidates[kept].weight
                kept += 1
            }
            candidates.removeSubrange(kept...)
            total = reached
        }
        var rest = Double(stream.uniform(at: drawn)) * total
        drawn += 1
        for candidate in candidates {
            rest -= candidate.weight
            if rest < 0 { return Int32(candidate.token) }
        }
        return Int32(candidates[candidates.count - 1].token)
    }
}

extension LanguageModel {
    /// Continues a prompt, one token at a time, with the memory of keys, values and states.
    ///
    /// - Parameters:
    ///   - prompt: at least one token.
    ///   - maxTokens: the most tokens to write.
    ///   - sampler: chooses them.
    ///   - end: a token that ends the text, not handed out; nil for none.
    ///   - device: the device that holds the model.
    ///   - onToken: takes each token; returns whether to continue.
    /// - Throws: `GenerationError` if the logits give no probabilities; errors of `onToken`.
    public func generate(
        from prompt: [Int32], maxTokens: Int, sampler: TokenSampler, end: Int32?, on device: Device,
        onToken: (Int32) throws -> Bool
    ) throws {
        precondition(!prompt.isEmpty, "generate: the prompt has no tokens")
        let state = makeState(on: device)
        var sampler = sampler
        var logits = prefill(prompt, state, on: device)
        for count in 1...max(1, maxTokens) where maxTokens > 0 {
            let token = try sampler.next(logits)
            if token == end { return }
            guard try onToken(token), count < maxTokens else { return }
            logits = prefill([token], state, on: device)
        }
    }

    /// Runs tokens through the model in pieces of at most 512, so that memory for activations does
    /// not grow with the prompt.
    ///
    /// - Parameters:
    ///   - tokens: at least one.
    ///   - state: the memory before them; moved past them.
    ///   - device: the device that holds the model.
    /// - Returns: the logits after the last token.
    public func prefill(
        _ tokens: [Int32], _ state: GenerationState, on device: Device
    ) -> [Float] {
        var last: Tensor?
        for start in stride(from: 0, to: tokens.count, by: 512) {
            let piece = Array(tokens[start..<min(tokens.count, start + 512)])
            var tape = Tape(on: device, isRecording: false)
            let hidden = hidden(
                device.indices(piece), segments: Segments(rowCount: piece.count),
                memories: [SegmentMemory(state)], on: &tape)
            guard start + 512 >= tokens.count else { continue }
            last = logits(hidden.rows(piece.count - 1..<piece.count), on: &tape)
        }
        guard let last else { preconditionFailure("prefill: no tokens") }
        return last.toArray()
    }
}
