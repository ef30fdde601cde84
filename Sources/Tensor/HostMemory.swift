#if canImport(Glibc)
    import Glibc
#endif

/// Memory of the computer, straight from the system.
package enum HostMemory {
    /// Huge pages of x86-64 and of 64-bit ARM with 4 KiB pages.
    private static let hugePage = 2 << 20

    /// The physical memory of the computer in bytes, in whole huge pages.
    static var physicalByteCount: Int {
        let physical = sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))
        return max(1, physical / hugePage) * hugePage
    }

    /// Zeroed memory that takes room when it is touched; nil if the system has no such addresses left.
    package static func allocate(_ byteCount: Int) -> UnsafeMutableRawPointer? {
        let address = mmap(
            nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
            0)
        guard let address, address != MAP_FAILED else { return nil }
        // One fault for 2 MiB instead of 512; where the system has no huge pages nothing changes.
        madvise(address, byteCount, MADV_HUGEPAGE)
        return address
    }

    /// Returns memory from `allocate` to the system.
    package static func deallocate(_ pointer: UnsafeMutableRawPointer, _ byteCount: Int) {
        munmap(pointer, byteCount)
    }

    /// Gives the whole pages of a range back, but keeps its addresses.
    static func discard(_ pointer: UnsafeMutableRawPointer, _ byteCount: Int) {
        let page = sysconf(Int32(_SC_PAGESIZE))
        let start = (Int(bitPattern: pointer) + page - 1) / page * page
        let end = (Int(bitPattern: pointer) + byteCount) / page * page
        guard start < end else { return }
        madvise(UnsafeMutableRawPointer(bitPattern: start), end - start, MADV_DONTNEED)
    }
}
