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
    package mutating func accumulator(of tensor: TensorPlace) -> Tensor {
        let identity = tensor.identity
        var storage = byIdentity.removeValue(forKey: identity)
        if storage == nil {
            let fresh = device.arena.take(byteCount: tensor.storageByteCount)
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
    package mutating func accumulators(of tensors: [TensorPlace]) -> [Tensor] {
        // A gradient shared with another tensor is replaced by a copy here, and only here: once a
        // view is out, asking for another one of the same storage would leave the first behind.
        for tensor in tensors { _ = accumulator(of: tensor) }
        return tensors.map { tensor in
            guard let storage = byIdentity[tensor.identity] else {
                preconditionFailure("accumulators: no storage")
            }
            return view(of: tensor, on: storage)
        }
    }

    /// The gradient to write when it is the first contribution, or else to add to.
    ///
    /// - Parameter tensor: a whole tensor, every element of whose gradient the op contributes to.
    /// - Returns: a tensor of the same shape with undefined contents if `isFresh`.
    package mutating func contribution(to tensor: TensorPlace) -> (gradient: Tensor, isFresh: Bool)
    {
        if byIdentity[tensor.identity] == nil, tensor.coversStorage {
            let fresh = device.arena.take(byteCount: tensor.storageByteCount)
            byIdentity[tensor.identity] = fresh
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
        assign(gradient, to: tensor.place)
    }

    mutating func assign(_ gradient: Tensor, to tensor: TensorPlace) {
        let identity = tensor.identity
        if byIdentity[identity] == nil, tensor.coversStorage, gradient.place.coversStorage,
            gradient.storage.requestedByteCount == tensor.storageByteCount
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
    public mutating func take(_ output: Tensor) -> Tensor? { take(output.place) }

    mutating func take(_ output: TensorPlace) -> Tensor? {
        guard let storage = byIdentity.removeValue(forKey: output.identity) else { return nil }
        return view(of: output, on: storage)
    }

    private func view(of tensor: TensorPlace, on storage: Storage) -> Tensor {
        Tensor(
            storage: storage, offset: tensor.offset, shape: tensor.shape,
            rowStride: tensor.rowStride)
    }

    private func wholeOf(_ storage: Storage) -> Tensor {
        let count = storage.byteCount / MemoryLayout<Float>.stride
        return Tensor(storage: storage, offset: 0, shape: [count], rowStride: count)
    }
}

/// Where the gradient of a tensor is filed: its storage's identity and its view, but no memory.
package struct TensorPlace {
    /// Of the storage.
    let identity: UInt64
    /// Bytes that were asked for.
    let storageByteCount: Int
    let offset: Int
    let shape: [Int]
    let rowStride: Int

    /// Whether the tensor is all there is on its storage.
    var coversStorage: Bool {
        let count = shape.reduce(1, *)
        return offset == 0 && (rowStride == shape.last ?? 1 || count == shape.last ?? 1)
            && count * MemoryLayout<Float>.stride == storageByteCount
    }
}

extension Tensor {
    /// Where the gradient is filed, for closures that do not read the tensor itself.
    package var place: TensorPlace {
        TensorPlace(
            identity: storage.identity, storageByteCount: storage.requestedByteCount,
            offset: offset, shape: shape, rowStride: rowStride)
    }
}
