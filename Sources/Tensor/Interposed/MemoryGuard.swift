#if canImport(Glibc)
    import Glibc
#endif

/// Takes the host's access to a backend's memory away between calls, as if it were another device's.
///
/// Arithmetic stays that of the backend, bit for bit; host code that reads or writes through a tensor's
/// address, which works on the CPU and nowhere else, ends the process at once (SIGSEGV).
final class MemoryGuard: Interposer {
    /// Address and size of what is guarded.
    private var blocks: [UnsafeMutableRawPointer: Int] = [:]
    /// Calls under way: kernels ask for scratch memory in the middle of a call.
    private var depth = 0

    func around<Result>(_ body: () -> Result) -> Result {
        if depth == 0 { protect(PROT_READ | PROT_WRITE) }
        depth += 1
        defer {
            depth -= 1
            if depth == 0 { protect(PROT_NONE) }
        }
        return body()
    }

    func didAllocate(_ pointer: UnsafeMutableRawPointer, byteCount: Int) {
        blocks[pointer] = byteCount
        if depth == 0 { protect(PROT_NONE) }
    }

    func willDeallocate(_ pointer: UnsafeMutableRawPointer, byteCount: Int) {
        blocks[pointer] = nil
    }

    private func protect(_ access: Int32) {
        for (pointer, byteCount) in blocks {
            precondition(
                mprotect(pointer, byteCount, access) == 0, "MemoryGuard: mprotect failed")
        }
    }
}
