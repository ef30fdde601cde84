import FalconConcurrency

/// The memory of dropped messages, kept for new ones: fresh memory costs more than to fill it.
final class RankMessageStore: @unchecked Sendable {
    // - Invariant: `free` is read and written with `monitor` locked.
    private let monitor = Monitor()
    private var free: [UnsafeMutableRawBufferPointer] = []
    private let freeLimit: Int

    /// The most bytes of a message.
    let room: Int

    /// An empty store.
    ///
    /// - Parameters:
    ///   - room: the most bytes of a message, at least 1.
    ///   - keptByteCount: the most bytes kept of messages that were dropped.
    init(room: Int, keptByteCount: Int) {
        precondition(room >= 1, "RankMessageStore: messages of \(room) bytes, want at least 1")
        self.room = room
        freeLimit = keptByteCount / room
    }

    deinit {
        for memory in unsafe free { unsafe memory.deallocate() }
    }

    /// Memory of `room` bytes, aligned to 64.
    func take() -> UnsafeMutableRawBufferPointer {
        unsafe monitor.locked { unsafe free.popLast() }
            ?? .allocate(byteCount: room, alignment: 64)
    }

    /// Keeps memory, or gives it back to the system.
    func giveBack(_ memory: UnsafeMutableRawBufferPointer) {
        let isKept = monitor.locked {
            if free.count >= freeLimit { return false }
            unsafe free.append(memory)
            return true
        }
        if !isKept { unsafe memory.deallocate() }
    }
}
