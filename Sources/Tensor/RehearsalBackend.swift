/// A backend for planning: it follows the CPU's kernels without running any, and counts the memory
/// and scratch that they ask for without taking it.
///
/// Addresses are made up and never read; elements read as zeros.
final class RehearsalBackend: CPUBackend {
    init(threadCount: Int, precision: Precision) {
        super.init(pool: ThreadPool(dryThreadCount: threadCount), precision: precision)
    }

    override var slabByteCount: Int { 1 << 60 }

    override func allocate(byteCount: Int) -> UnsafeMutableRawPointer? {
        UnsafeMutableRawPointer(bitPattern: 1 << 20)
    }

    override func deallocate(_ pointer: UnsafeMutableRawPointer, byteCount: Int) {}

    override func discard(_ pointer: UnsafeMutableRawPointer, byteCount: Int) {}

    override func write(
        _ source: UnsafeRawBufferPointer, to destination: UnsafeMutableRawPointer
    ) {}

    override func read(
        _ source: UnsafeRawPointer, into destination: UnsafeMutableRawBufferPointer
    ) {}

    override func compute(
        _ scratch: [UnsafeMutableRawPointer], _ body: ([UnsafeMutablePointer<Float>]) -> Void
    ) {}
}
