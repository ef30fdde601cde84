#if canImport(Glibc)
    import Glibc
#endif

/// Memory of the CPU: address space first, pages when they are touched.
extension CPUBackend {
    /// Huge pages of x86-64 and of 64-bit ARM with 4 KiB pages.
    private static let hugePage = 2 << 20

    /// Address space for all there can be; it costs nothing until it is written to.
    package var slabByteCount: Int {
        if isDry { return 1 << 60 }
        let physical = sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))
        return max(1, physical / Self.hugePage) * Self.hugePage
    }

    package func allocate(byteCount: Int) -> UnsafeMutableRawPointer? {
        if isDry { return UnsafeMutableRawPointer(bitPattern: 1 << 20) }
        let address = mmap(
            nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
            0)
        guard let address, address != MAP_FAILED else { return nil }
        // One fault for 2 MiB instead of 512; where the system has no huge pages nothing changes.
        madvise(address, byteCount, MADV_HUGEPAGE)
        return address
    }

    package func deallocate(_ pointer: UnsafeMutableRawPointer, byteCount: Int) {
        if !isDry { munmap(pointer, byteCount) }
    }

    package func discard(_ pointer: UnsafeMutableRawPointer, byteCount: Int) {
        if isDry { return }
        let page = sysconf(Int32(_SC_PAGESIZE))
        let start = (Int(bitPattern: pointer) + page - 1) / page * page
        let end = (Int(bitPattern: pointer) + byteCount) / page * page
        guard start < end else { return }
        madvise(UnsafeMutableRawPointer(bitPattern: start), end - start, MADV_DONTNEED)
    }

    package func write(
        _ source: UnsafeRawBufferPointer, to destination: UnsafeMutableRawPointer
    ) {
        guard !isDry, let base = source.baseAddress else { return }
        destination.copyMemory(from: base, byteCount: source.count)
    }

    package func read(
        _ source: UnsafeRawPointer, into destination: UnsafeMutableRawBufferPointer
    ) {
        guard !isDry, let base = destination.baseAddress else { return }
        base.copyMemory(from: source, byteCount: destination.count)
    }
}
