import CKernels

/// Where tensors live and kernels run: a backend and its memory.
public final class Device {
    package let backend: any Backend
    let arena: Arena

    /// The CPU.
    ///
    /// - Parameters:
    ///   - threadCount: threads that share the work, at least 1; results are the same bits for any
    ///     number.
    ///   - precision: what products multiply; where `Precision.bf16` is not available, float32.
    public init(threadCount: Int, precision: Precision = .f32) {
        self.precision = precision.isAvailable ? precision : .f32
        backend = CPUBackend(threadCount: threadCount, precision: self.precision)
        arena = Arena(backend: backend)
    }

    /// A device on a given backend.
    init(backend: any Backend, precision: Precision) {
        self.backend = backend
        self.precision = precision
        arena = Arena(backend: backend)
    }

    /// What products multiply.
    public let precision: Precision

    /// Cores that this process may use: the affinity mask and the cgroup limit, not the host's count.
    public static var usableCoreCount: Int { fk_usable_cores() }

    /// The most bytes of tensors ever alive at one time.
    public var peakByteCount: Int { arena.peakByteCount }

    /// Bytes obtained from the system, in use or kept for the next request.
    public var reservedByteCount: Int { arena.reservedByteCount }

    /// Gives memory that no tensor uses back to the system.
    public func trim() { arena.trim() }

    /// A tensor with undefined contents.
    ///
    /// - Parameter shape: positive sizes, outermost first.
    /// - Returns: a contiguous tensor.
    public func empty(_ shape: [Int]) -> Tensor {
        Tensor(
            storage: arena.take(byteCount: shape.reduce(1, *) * MemoryLayout<Float>.stride),
            offset: 0, shape: shape, rowStride: shape.last ?? 1)
    }

    /// A tensor of zeros.
    ///
    /// - Parameter shape: positive sizes, outermost first.
    /// - Returns: a contiguous tensor.
    public func zeros(_ shape: [Int]) -> Tensor {
        let tensor = empty(shape)
        backend.fill(tensor, with: 0)
        return tensor
    }

    /// A tensor with given elements.
    ///
    /// - Parameters:
    ///   - values: row by row.
    ///   - shape: with as many elements as `values`.
    /// - Returns: a contiguous tensor.
    public func tensor(_ values: [Float], shape: [Int]) -> Tensor {
        precondition(
            values.count == shape.reduce(1, *), "tensor: \(values.count) values for \(shape)")
        let tensor = empty(shape)
        values.withUnsafeBufferPointer { source in
            if let base = source.baseAddress {
                tensor.pointer.update(from: base, count: source.count)
            }
        }
        return tensor
    }

    /// Indices on the device.
    ///
    /// - Parameter values: token ids, targets or positions.
    /// - Returns: a copy of the values.
    public func indices(_ values: [Int32]) -> IndexTensor {
        let storage = arena.take(byteCount: values.count * MemoryLayout<Int32>.stride)
        let result = IndexTensor(storage: storage, count: values.count)
        values.withUnsafeBufferPointer { source in
            if let base = source.baseAddress {
                result.pointer.update(from: base, count: source.count)
            }
        }
        return result
    }

    /// A contiguous copy.
    ///
    /// - Parameter tensor: any view.
    /// - Returns: a new tensor of the same shape.
    public func copy(_ tensor: Tensor) -> Tensor {
        let result = empty(tensor.shape)
        backend.copy(from: tensor, to: result, scale: 1)
        return result
    }
}
