/// Memory of one device, kept for reuse by size.
///
/// The shapes of a training step repeat, so from the second step on every request is served from
/// what the step before gave back and nothing is allocated.
///
/// - Invariant: used from one thread at a time, the one that runs the training loop.
final class Arena {
    private let backend: any Backend
    private var free: [Int: [UnsafeMutableRawPointer]] = [:]
    private var nextIdentity: UInt64 = 0
    /// Bytes handed out now.
    private(set) var liveByteCount = 0
    /// The most bytes ever handed out at one time.
    private(set) var peakByteCount = 0
    /// Bytes obtained from the device, in use or kept.
    private(set) var reservedByteCount = 0

    init(backend: any Backend) { self.backend = backend }

    deinit {
        for (byteCount, blocks) in free {
            for block in blocks { backend.deallocate(block, byteCount: byteCount) }
        }
    }

    /// A block of at least `byteCount` bytes with undefined contents.
    func take(byteCount: Int) -> Storage {
        let size = Arena.roundedSize(byteCount)
        let block: UnsafeMutableRawPointer
        if let kept = free[size]?.popLast() {
            block = kept
        } else {
            block = backend.allocate(byteCount: size)
            reservedByteCount += size
        }
        liveByteCount += size
        peakByteCount = max(peakByteCount, liveByteCount)
        nextIdentity += 1
        return Storage(
            pointer: block, byteCount: size, requestedByteCount: byteCount, identity: nextIdentity,
            arena: self)
    }

    /// Takes a block back when the last tensor on it is gone.
    func recycle(_ pointer: UnsafeMutableRawPointer, byteCount: Int) {
        liveByteCount -= byteCount
        free[byteCount, default: []].append(pointer)
    }

    /// Gives everything that is not in use back to the device.
    func trim() {
        for (byteCount, blocks) in free {
            for block in blocks { backend.deallocate(block, byteCount: byteCount) }
            reservedByteCount -= byteCount * blocks.count
        }
        free = [:]
    }

    /// Sizes are rounded to whole cache lines, large ones to an eighth of their power of two, so that
    /// nearly equal sizes share blocks.
    private static func roundedSize(_ byteCount: Int) -> Int {
        let least = max(byteCount, 64)
        let step = max(64, (1 << (Int.bitWidth - 1 - least.leadingZeroBitCount)) / 64)
        return (least + step - 1) / step * step
    }
}

/// A block of device memory; it returns to its arena when the last owner lets go.
final class Storage {
    let pointer: UnsafeMutableRawPointer
    let byteCount: Int
    /// What was asked for, before rounding.
    let requestedByteCount: Int
    /// Never reused, unlike an address: gradients are filed under it.
    let identity: UInt64
    private let arena: Arena

    init(
        pointer: UnsafeMutableRawPointer, byteCount: Int, requestedByteCount: Int, identity: UInt64,
        arena: Arena
    ) {
        self.pointer = pointer
        self.byteCount = byteCount
        self.requestedByteCount = requestedByteCount
        self.identity = identity
        self.arena = arena
    }

    deinit { arena.recycle(pointer, byteCount: byteCount) }
}
