/// The record of a forward pass, from which the backward pass runs.
///
/// An op appends one closure that adds to the gradients of its inputs, given the gradient of its
/// output. What the closure captures is what is saved for backward; it is released as soon as the
/// closure has run.
public struct Tape: ~Copyable {
    /// Where the ops run.
    public let device: Device
    /// Whether ops save what backward needs.
    public let isRecording: Bool
    private var steps: [(inout Gradients) -> Void] = []

    /// An empty tape.
    ///
    /// - Parameters:
    ///   - device: where the ops run.
    ///   - isRecording: false for evaluation: nothing is saved and `backward` is not possible.
    public init(on device: Device, isRecording: Bool = true) {
        self.device = device
        self.isRecording = isRecording
    }

    package var backend: any Backend { device.backend }

    /// Appends the backward step of an op; without recording the step is dropped.
    ///
    /// - Parameter step: takes the gradient of the op's output from the gradients and adds to those
    ///   of its inputs.
    public mutating func record(_ step: @escaping (inout Gradients) -> Void) {
        if isRecording { steps.append(step) }
    }

    /// Runs the recorded steps from last to first.
    ///
    /// - Parameter gradients: holds the gradient of the last op's output, unless that op is a loss
    ///   that needs none.
    public mutating func backward(_ gradients: inout Gradients) {
        precondition(isRecording, "backward: this tape did not record")
        while let step = steps.popLast() { step(&gradients) }
    }

    /// Runs `block` and saves only its input: backward runs it a second time.
    ///
    /// - Parameters:
    ///   - input: the tensor whose gradient leaves the block.
    ///   - block: a function of `input` alone (and of parameters), the same on both runs.
    /// - Returns: what `block` returns. **Saved**: `input`.
    public mutating func checkpoint(
        _ input: Tensor, _ block: @escaping (Tensor, inout Tape) -> Tensor
    ) -> Tensor {
        let device = device
        var silent = Tape(on: device, isRecording: false)
        let output = block(input, &silent)
        record { gradients in
            guard let gradient = gradients.take(output) else { return }
            var inner = Tape(on: device)
            let again = block(input, &inner)
            gradients.assign(gradient, to: again)
            inner.backward(&gradients)
        }
        return output
    }
}

/// Gradients of tensors during a backward pass, filed by storage: the gradient of a view is the same
/// view of the gradient.
public struct Gradients {
    private let device: Device
    private var byIdentity: [UInt64: Storage] = [:]

    /// No gradients yet.
    ///
    /// - Parameter device: where the tensors live.
    public init(on device: Device) { self.device = device }

    /// The gradient to add to, zeroed when this is the first contribution.
    ///
    /// - Parameter tensor: an input of the op whose backward runs.
    /// - Returns: a tensor of the same shape and layout.
    public mutating func accumulator(of tensor: Tensor) -> Tensor {
        let identity = tensor.storage.identity
        var storage = byIdentity.removeValue(forKey: identity)
        if storage == nil {
            let fresh = device.arena.take(byteCount: tensor.storage.requestedByteCount)
            device.backend.fill(wholeOf(fresh), with: 0)
            storage = fresh
        } else if !isKnownUniquelyReferenced(&storage), let shared = storage {
            let copy = device.arena.take(byteCount: shared.requestedByteCount)
            device.backend.copy(from: wholeOf(shared), to: wholeOf(copy), scale: 1)
            storage = copy
        }
        guard let storage else { preconditionFailure("accumulator: no storage") }
        byIdentity[identity] = storage
        return view(of: tensor, on: storage)
    }

    /// The gradients to add to of several inputs, which may be views of the same storage.
    ///
    /// - Parameter tensors: inputs of the op whose backward runs.
    /// - Returns: for each a tensor of the same shape and layout.
    public mutating func accumulators(of tensors: [Tensor]) -> [Tensor] {
        // A gradient shared with another tensor is replaced by a copy here, and only here: once a
        // view is out, asking for another one of the same storage would leave the first behind.
        for tensor in tensors { _ = accumulator(of: tensor) }
        return tensors.map { tensor in
            guard let storage = byIdentity[tensor.storage.identity] else {
                preconditionFailure("accumulators: no storage")
            }
            return view(of: tensor, on: storage)
        }
    }

    /// The gradient to write when it is the first contribution, or else to add to.
    ///
    /// - Parameter tensor: a whole tensor, every element of whose gradient the op contributes to.
    /// - Returns: a tensor of the same shape with undefined contents if `isFresh`.
    public mutating func contribution(to tensor: Tensor) -> (gradient: Tensor, isFresh: Bool) {
        if byIdentity[tensor.storage.identity] == nil, tensor.coversStorage {
            let fresh = device.arena.take(byteCount: tensor.storage.requestedByteCount)
            byIdentity[tensor.storage.identity] = fresh
            return (view(of: tensor, on: fresh), true)
        }
        return (accumulator(of: tensor), false)
    }

    /// Adds a whole gradient; a first contribution is shared, not copied.
    ///
    /// - Parameters:
    ///   - gradient: contiguous, of the shape of `tensor`.
    ///   - tensor: an input of the op whose backward runs.
    public mutating func assign(_ gradient: Tensor, to tensor: Tensor) {
        let identity = tensor.storage.identity
        if byIdentity[identity] == nil, tensor.coversStorage, gradient.coversStorage,
            gradient.storage.byteCount == tensor.storage.byteCount
        {
            byIdentity[identity] = gradient.storage
        } else {
            device.backend.add(gradient, to: accumulator(of: tensor), scale: 1)
        }
    }

    /// Takes the gradient of an op's output.
    ///
    /// - Parameter output: a whole tensor.
    /// - Returns: its gradient, or nil when nothing depends on it.
    public mutating func take(_ output: Tensor) -> Tensor? {
        guard let storage = byIdentity.removeValue(forKey: output.storage.identity) else {
            return nil
        }
        return view(of: output, on: storage)
    }

    private func view(of tensor: Tensor, on storage: Storage) -> Tensor {
        Tensor(
            storage: storage, offset: tensor.offset, shape: tensor.shape,
            rowStride: tensor.rowStride)
    }

    private func wholeOf(_ storage: Storage) -> Tensor {
        let count = storage.byteCount / MemoryLayout<Float>.stride
        return Tensor(storage: storage, offset: 0, shape: [count], rowStride: count)
    }
}

extension Tensor {
    /// Whether the tensor is all there is on its storage.
    var coversStorage: Bool {
        offset == 0 && isContiguous
            && count * MemoryLayout<Float>.stride == storage.requestedByteCount
    }
}
