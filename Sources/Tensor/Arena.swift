/// Memory of one device: every tensor and all scratch of the kernels.
///
/// Memory comes from the device in slabs, usually a single one, and is handed out best fit. What a
/// training step takes and gives back is the same at every step, so from the second step on nothing
/// new is touched, and what is reserved stays close to the most that is alive at one time.
///
/// - Invariant: used from one thread at a time, the one that runs the training loop.
package final class Arena {
    private struct Slab {
        let pointer: UnsafeMutableRawPointer
        let byteCount: Int
        var free: FreeBlocks
    }

    /// Blocks start on cache lines.
    private static let alignment = 64

    fileprivate let backend: any Backend
    private var slabs: [Slab] = []
    private var nextIdentity: UInt64 = 0
    /// Bytes handed out now.
    private(set) var liveByteCount = 0
    /// The most bytes ever handed out at one time.
    private(set) var peakByteCount = 0
    /// The part of the peak that kernels used for the length of a call.
    private(set) var peakScratchByteCount = 0
    private var scratchByteCount = 0
    /// Watches all blocks that are handed out from now on; nil outside of tests of the kernels.
    package var watch: (any BlockWatch)?

    init(backend: any Backend) {
        self.backend = backend
        backend.useScratch(of: self)
    }

    deinit {
        for slab in slabs { backend.deallocate(slab.pointer, byteCount: slab.byteCount) }
    }

    /// Restarts the peaks at the bytes handed out now.
    func resetPeak() { (peakByteCount, peakScratchByteCount) = (liveByteCount, scratchByteCount) }

    /// Bytes of the device that were ever in use.
    var reservedByteCount: Int { slabs.reduce(0) { $0 + $1.free.extent } }

    /// A block of at least `byteCount` bytes with undefined contents.
    func take(byteCount: Int) -> Storage {
        let size = rounded(byteCount)
        nextIdentity += 1
        return Storage(
            block: block(size, used: byteCount), byteCount: size, requestedByteCount: byteCount,
            identity: nextIdentity, arena: self)
    }

    /// Memory for the length of a call, one block for each size: several small blocks find room
    /// where one large block would not.
    func withScratch(byteCounts: [Int], _ body: ([UnsafeMutableRawPointer]) -> Void) {
        let sizes = byteCounts.map(rounded)
        scratchByteCount += sizes.reduce(0, +)
        // The largest first: they have the fewest places.
        var blocks = sizes.map { _ in UnsafeMutableRawPointer?.none }
        for place in sizes.indices.sorted(by: { (-sizes[$0], $0) < (-sizes[$1], $1) }) {
            blocks[place] = block(sizes[place], used: byteCounts[place])
        }
        let scratch = blocks.compactMap { $0 }
        body(scratch)
        for (block, size) in zip(scratch, sizes) { recycle(block, byteCount: size) }
        scratchByteCount -= sizes.reduce(0, +)
    }

    private func rounded(_ byteCount: Int) -> Int {
        let wanted = byteCount + (watch?.marginByteCount ?? 0)
        return max(1, (wanted + Self.alignment - 1) / Self.alignment) * Self.alignment
    }

    /// Memory of a size that `take` has rounded, for a storage that is new or comes back.
    fileprivate func block(_ size: Int, used: Int) -> UnsafeMutableRawPointer {
        let (slab, offset) = place(size)
        liveByteCount += size
        if liveByteCount > peakByteCount {
            (peakByteCount, peakScratchByteCount) = (liveByteCount, scratchByteCount)
        }
        let block = slabs[slab].pointer + offset
        watch?.didTake(block, used: used, size: size, of: backend)
        return block
    }

    private func place(_ size: Int) -> (slab: Int, offset: Int) {
        for slab in slabs.indices {
            if let offset = slabs[slab].free.take(size) { return (slab, offset) }
        }
        let slab = newSlab(atLeast: size)
        slabs.append(slab)
        guard let offset = slabs[slabs.count - 1].free.take(size) else {
            preconditionFailure("Arena: a new slab has no room")
        }
        return (slabs.count - 1, offset)
    }

    private func newSlab(atLeast size: Int) -> Slab {
        var byteCount = max(size, backend.slabByteCount)
        while true {
            if let pointer = backend.allocate(byteCount: byteCount) {
                return Slab(
                    pointer: pointer, byteCount: byteCount, free: FreeBlocks(byteCount: byteCount))
            }
            guard byteCount > size else {
                preconditionFailure(
                    "out of memory: \(size) bytes asked for, \(liveByteCount) in use")
            }
            byteCount = max(size, byteCount / 2)
        }
    }

    /// Takes a block back when the last tensor on it is gone.
    fileprivate func recycle(_ pointer: UnsafeMutableRawPointer, byteCount: Int) {
        watch?.willRecycle(pointer, of: backend)
        liveByteCount -= byteCount
        for slab in slabs.indices {
            let offset = pointer - slabs[slab].pointer
            if offset >= 0 && offset < slabs[slab].byteCount {
                return slabs[slab].free.give(offset..<offset + byteCount)
            }
        }
        preconditionFailure("Arena: a block of another arena")
    }

    /// Returns all memory that is not in use to the device.
    func trim() {
        for slab in slabs.indices {
            for range in slabs[slab].free.trim() {
                backend.discard(slabs[slab].pointer + range.lowerBound, byteCount: range.count)
            }
        }
    }
}

/// A block of device memory; it returns to its arena when the last owner lets go.
///
/// Contents that can be computed again may be discarded before that: the storage then has an
/// identity and a size, but no memory until it is reclaimed.
final class Storage {
    private var block: UnsafeMutableRawPointer?
    let byteCount: Int
    /// The size that was asked for, before rounding.
    let requestedByteCount: Int
    /// Never reused, unlike an address: gradients are filed under it.
    let identity: UInt64
    /// Counts writes by the host and by `ParameterTable`; kernels do not count theirs.
    private(set) var version: UInt64 = 0
    private let arena: Arena

    fileprivate init(
        block: UnsafeMutableRawPointer, byteCount: Int, requestedByteCount: Int, identity: UInt64,
        arena: Arena
    ) {
        self.block = block
        self.byteCount = byteCount
        self.requestedByteCount = requestedByteCount
        self.identity = identity
        self.arena = arena
    }

    deinit { discard() }

    /// The first byte.
    var pointer: UnsafeMutableRawPointer {
        guard let block else {
            preconditionFailure("a tensor was read whose contents were discarded and not remade")
        }
        return block
    }

    /// Copies bytes to the host.
    func read(from offset: Int, into destination: UnsafeMutableRawBufferPointer) {
        arena.backend.read(pointer + offset, into: destination)
    }

    /// Copies bytes from the host.
    func write(_ source: UnsafeRawBufferPointer, at offset: Int) {
        arena.backend.write(source, to: pointer + offset)
    }

    /// Records that the contents were changed.
    func noteChange() { version += 1 }

    /// Whether the memory was discarded.
    var isDiscarded: Bool { block == nil }

    /// Releases the memory; contents are lost.
    func discard() {
        guard let block else { return }
        arena.recycle(block, byteCount: byteCount)
        self.block = nil
    }

    /// Takes memory again, with undefined contents.
    func reclaim() {
        if block == nil {
            block = arena.block(byteCount, used: requestedByteCount)
        }
    }
}
