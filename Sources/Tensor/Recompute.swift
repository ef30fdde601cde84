/// The activations of a block that are kept for backward; the others are computed again.
public enum Recompute: String, Codable, CaseIterable, Sendable {
    /// Everything is kept.
    case none
    /// All but the activations that are cheap to compute: norms, gates, convolution and scan run a
    /// second time, products and attention do not.
    case cheap
    /// Its input only; the block runs a second time.
    case block
}

/// Outputs that backward makes again because their memory was discarded.
struct Remakes {
    /// One call of a kernel that can be repeated.
    private struct Remake {
        let outputs: [Tensor]
        let inputs: [Tensor]
        let run: () -> Void
    }

    private var byIdentity: [UInt64: Remake] = [:]

    /// Remembers the call that made some tensors.
    mutating func append(
        writing outputs: [Tensor], reading inputs: [Tensor], _ run: @escaping () -> Void
    ) {
        let remake = Remake(outputs: outputs, inputs: inputs, run: run)
        for output in outputs { byIdentity[output.storage.identity] = remake }
    }

    /// Discards the memory of all remembered tensors but one.
    func discard(except kept: Tensor) {
        for remake in byIdentity.values {
            for output in remake.outputs where output.storage !== kept.storage {
                output.storage.discard()
            }
        }
    }

    /// Makes a tensor again if its memory was discarded, after the tensors that it is made from.
    func restore(_ tensor: Tensor) {
        guard tensor.storage.isDiscarded, let remake = byIdentity[tensor.storage.identity] else {
            return
        }
        for input in remake.inputs { restore(input) }
        for output in remake.outputs { output.storage.reclaim() }
        remake.run()
    }

    /// Forgets the call that made a tensor: nothing will read it any more.
    mutating func remove(_ identity: UInt64) {
        guard let remake = byIdentity[identity] else { return }
        for output in remake.outputs { byIdentity[output.storage.identity] = nil }
    }
}
