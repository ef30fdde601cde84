import FalconSystem

#if canImport(Glibc)
    import Glibc
#endif

/// A place where tensors live and kernels run: a backend and its memory.
public final class Device {
    package let backend: any Backend
    /// The memory of its tensors.
    package let arena: Arena

    /// The CPU.
    ///
    /// With `FALCON_GUARD_MEMORY` in the environment its memory is out of the host's reach between kernels,
    /// as another device's would be: a way to test that all code above asks the backend.
    ///
    /// - Parameters:
    ///   - threadCount: threads that share the work, at least 1; results are the same bits for any
    ///     number, so fewer serve if the system gives no more.
    ///   - precision: the precision of the factors in products; float32 if `Precision.bf16` is not
    ///     available.
    public convenience init(threadCount: Int, precision: Precision = .f32) {
        self.init(
            threadCount: threadCount, precision: precision,
            isGuarded: getenv("FALCON_GUARD_MEMORY") != nil)
    }

    /// The CPU, its memory guarded or not.
    package convenience init(threadCount: Int, precision: Precision, isGuarded: Bool) {
        let precision = precision.isAvailable ? precision : .f32
        let backend =
            isGuarded
            ? GuardedBackend(threadCount: threadCount, precision: precision)
            : CPUBackend(pool: ThreadPool(threadCount: threadCount), precision: precision)
        self.init(backend, precision: precision, threadCount: backend.pool.threadCount)
    }

    /// A device that computes nothing and takes no memory, but counts what the CPU would take.
    ///
    /// Tensors on it can be made, given to ops and dropped; their elements read as zeros.
    ///
    /// - Parameters:
    ///   - threadCount: the number of threads of the planned run.
    ///   - precision: the precision of the planned run.
    /// - Returns: a device for planning.
    public static func rehearsal(threadCount: Int, precision: Precision) -> Device {
        let precision = precision.isAvailable ? precision : .f32
        return Device(
            RehearsalBackend(threadCount: threadCount, precision: precision), precision: precision,
            threadCount: threadCount)
    }

    /// A device of a backend, with memory of its own.
    ///
    /// - Parameters:
    ///   - backend: does the work.
    ///   - precision: the precision of the factors in its products.
    ///   - threadCount: threads that share its work.
    package init(_ backend: any Backend, precision: Precision, threadCount: Int) {
        self.backend = backend
        self.threadCount = threadCount
        self.precision = precision
        arena = Arena(backend: backend)
    }

    /// The precision of the factors in products.
    public let precision: Precision

    /// Threads that share the work: the number asked for, or fewer if the system gave fewer.
    public let threadCount: Int

    /// Cores that this process may use: the affinity mask and the cgroup limit, not the host's count.
    public static var usableCoreCount: Int { usableProcessorCount() }

    /// Restarts `peakByteCount` at the bytes alive now.
    public func resetPeak() { arena.resetPeak() }

    /// The most bytes of tensors ever alive at one time, since the last `resetPeak`.
    public var peakByteCount: Int { arena.peakByteCount }

    /// The part of `peakByteCount` that kernels used for the length of a call.
    public var peakScratchByteCount: Int { arena.peakScratchByteCount }

    /// Bytes obtained from the system, in use or kept for the next request: `peakByteCount` and gaps.
    public var reservedByteCount: Int { arena.reservedByteCount }

    /// Returns memory that no tensor uses to the system.
    public func trim() { arena.trim() }

    /// A tensor with undefined contents.
    ///
    /// - Parameters:
    ///   - shape: positive sizes, outermost first.
    ///   - elements: the kind of the elements.
    /// - Returns: a contiguous tensor.
    public func empty(_ shape: [Int], of elements: ElementKind = .float32) -> Tensor {
        Tensor(
            storage: arena.take(byteCount: shape.reduce(1, *) * elements.byteCount),
            elements: elements, offset: 0, shape: shape, rowStride: shape.last ?? 1)
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
    ///   - shape: a shape with the number of elements of `values`.
    /// - Returns: a contiguous tensor.
    public func tensor(_ values: [Float], shape: [Int]) -> Tensor {
        precondition(
            values.count == shape.reduce(1, *), "tensor: \(values.count) values for \(shape)")
        let tensor = empty(shape)
        values.withUnsafeBytes { tensor.storage.write($0, at: 0) }
        return tensor
    }

    /// Indices on the device.
    ///
    /// - Parameter values: token ids, targets or positions.
    /// - Returns: a copy of the values.
    public func indices(_ values: [Int32]) -> IndexTensor {
        let storage = arena.take(byteCount: values.count * MemoryLayout<Int32>.stride)
        values.withUnsafeBytes { storage.write($0, at: 0) }
        return IndexTensor(storage: storage, count: values.count)
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
