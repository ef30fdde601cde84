#if canImport(Glibc)
    import Glibc
#endif

/// Denies access to blocks of memory except for the length of a call.
final class MemoryGuard {
    /// Addresses and sizes of the guarded blocks.
    private var blocks: [UnsafeMutableRawPointer: Int] = [:]
    /// Calls under way: kernels ask for scratch memory in the middle of a call.
    private var depth = 0

    /// Lets a call read and write.
    func opened(_ body: () -> Void) {
        if depth == 0 { protect(PROT_READ | PROT_WRITE) }
        depth += 1
        body()
        depth -= 1
        if depth == 0 { protect(PROT_NONE) }
    }

    /// Guards a block that was just taken.
    func add(_ pointer: UnsafeMutableRawPointer, byteCount: Int) {
        blocks[pointer] = byteCount
        if depth == 0 { protect(PROT_NONE) }
    }

    /// Lets a block go that is about to be given back.
    func remove(_ pointer: UnsafeMutableRawPointer) { blocks[pointer] = nil }

    private func protect(_ access: Int32) {
        for (pointer, byteCount) in blocks {
            precondition(
                mprotect(pointer, byteCount, access) == 0, "MemoryGuard: mprotect failed")
        }
    }
}
