/// The CPU on memory that the host cannot read or write between its kernels, as if it were another
/// device's.
///
/// Arithmetic is the CPU's, bit for bit; host code that reads or writes through a tensor's address, which
/// works on the CPU and nowhere else, ends the process at once (SIGSEGV).
final class GuardedBackend: CPUBackend {
    private let memoryGuard: MemoryGuard

    init(threadCount: Int, precision: Precision) {
        memoryGuard = MemoryGuard()
        super.init(
            pool: ThreadPool(threadCount: threadCount, memoryGuard: memoryGuard),
            precision: precision)
    }

    override func allocate(byteCount: Int) -> UnsafeMutableRawPointer? {
        let pointer = super.allocate(byteCount: byteCount)
        if let pointer { memoryGuard.add(pointer, byteCount: byteCount) }
        return pointer
    }

    override func deallocate(_ pointer: UnsafeMutableRawPointer, byteCount: Int) {
        memoryGuard.remove(pointer)
        super.deallocate(pointer, byteCount: byteCount)
    }

    override func write(
        _ source: UnsafeRawBufferPointer, to destination: UnsafeMutableRawPointer
    ) {
        memoryGuard.opened { super.write(source, to: destination) }
    }

    override func read(
        _ source: UnsafeRawPointer, into destination: UnsafeMutableRawBufferPointer
    ) {
        memoryGuard.opened { super.read(source, into: destination) }
    }

    override func compute(
        _ scratch: [UnsafeMutableRawPointer], _ body: ([UnsafeMutablePointer<Float>]) -> Void
    ) {
        memoryGuard.opened { super.compute(scratch, body) }
    }
}
