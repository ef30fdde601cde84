/// Gradients of tensors during a backward pass, filed by storage: the gradient of a view is the same
/// view of the gradient.
public struct Gradients {
    /// A gradient in the making.
    private struct Entry {
        var storage: Storage
        /// The columns that are defined, if not all; then the storage is not shared.
        var written: WrittenColumns?
    }

    private let device: Device
    private var entries: [UInt64: Entry] = [:]

    /// No gradients yet.
    ///
    /// - Parameter device: where the tensors live.
    public init(on device: Device) { self.device = device }

    /// The places for the gradients of several inputs, which may be views of the same storage.
    ///
    /// First contributions are written, so nothing is zeroed before, unless the inputs overlap.
    ///
    /// - Parameter tensors: inputs of the op whose backward runs and contributes to every element.
    /// - Returns: for each a target of the same shape and layout.
    package mutating func targets(of tensors: [TensorPlace]) -> [GradientTarget] {
        // A gradient shared with another tensor is replaced by a copy here, and only here: once a
        // view is out, asking for another one of the same storage would leave the first behind.
        for (place, tensor) in tensors.enumerated() {
            if !prepareColumns(of: tensor) || tensors[..<place].contains(where: tensor.overlaps) {
                _ = accumulator(of: tensor)
            }
        }
        return tensors.map { tensor in
            let isFresh = claimColumns(of: tensor)
            guard let entry = entries[tensor.identity] else {
                preconditionFailure("targets: no storage")
            }
            return GradientTarget(
                tensor: view(of: tensor, on: entry.storage), accumulates: !isFresh)
        }
    }

    /// Makes room for a gradient that is written in parts; false if that is not possible or too late.
    private mutating func prepareColumns(of tensor: TensorPlace) -> Bool {
        guard tensor.columnsOfStorage != nil else { return false }
        guard let entry = entries[tensor.identity] else {
            entries[tensor.identity] = Entry(
                storage: device.arena.take(byteCount: tensor.gradientByteCount),
                written: WrittenColumns(rowStride: tensor.rowStride))
            return true
        }
        return entry.written?.rowStride == tensor.rowStride
    }

    /// Whether a tensor's columns are undefined and now the caller's to write; otherwise they are defined.
    private mutating func claimColumns(of tensor: TensorPlace) -> Bool {
        let identity = tensor.identity
        guard var written = entries[identity]?.written, let columns = tensor.columnsOfStorage else {
            return false
        }
        if written.overlaps(columns) {
            complete(identity)
            return false
        }
        written.insert(columns)
        entries[identity]?.written = written.isComplete ? nil : written
        return true
    }

    /// Zeroes the undefined part of a gradient.
    private mutating func complete(_ identity: UInt64) {
        guard let entry = entries[identity], let written = entry.written else { return }
        let whole = wholeOf(entry.storage, rowStride: written.rowStride)
        for columns in written.missing { device.backend.fill(whole.columns(columns), with: 0) }
        entries[identity]?.written = nil
    }

    /// The gradient to add to, zeroed when this is the first contribution.
    ///
    /// - Parameter tensor: an input of the op whose backward runs.
    /// - Returns: a tensor of the same shape and layout.
    private mutating func accumulator(of tensor: TensorPlace) -> Tensor {
        let identity = tensor.identity
        complete(identity)
        guard var entry = entries.removeValue(forKey: identity) else {
            let fresh = device.arena.take(byteCount: tensor.gradientByteCount)
            device.backend.fill(wholeOf(fresh), with: 0)
            entries[identity] = Entry(storage: fresh)
            return view(of: tensor, on: fresh)
        }
        if !isKnownUniquelyReferenced(&entry.storage) {
            let copy = device.arena.take(byteCount: entry.storage.requestedByteCount)
            device.backend.copy(from: wholeOf(entry.storage), to: wholeOf(copy), scale: 1)
            entry.storage = copy
        }
        entries[identity] = entry
        return view(of: tensor, on: entry.storage)
    }

    /// The place for the gradient of one input; as `targets(of:)`.
    package mutating func target(of tensor: TensorPlace) -> GradientTarget {
        targets(of: [tensor])[0]
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
        if entries[identity] == nil, tensor.coversStorage, gradient.place.coversStorage,
            gradient.storage.requestedByteCount == tensor.gradientByteCount
        {
            entries[identity] = Entry(storage: gradient.storage)
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
        complete(output.identity)
        return entries.removeValue(forKey: output.identity).map {
            view(of: output, on: $0.storage)
        }
    }

    private func view(of tensor: TensorPlace, on storage: Storage) -> Tensor {
        Tensor(
            storage: storage, offset: tensor.offset, shape: tensor.shape,
            rowStride: tensor.rowStride)
    }

    /// All of a storage, in one row or in rows of some length.
    private func wholeOf(_ storage: Storage, rowStride: Int? = nil) -> Tensor {
        let count = storage.requestedByteCount / ElementKind.float32.byteCount
        let stride = rowStride ?? count
        return Tensor(
            storage: storage, offset: 0, shape: [count / stride, stride], rowStride: stride)
    }
}
