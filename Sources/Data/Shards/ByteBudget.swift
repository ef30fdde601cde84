import FalconConcurrency

/// Bytes that a few threads may hold together.
///
/// A request larger than the limit is admitted alone, so that nothing waits for ever.
final class ByteBudget: @unchecked Sendable {
    // - Invariant: every stored property below is read and written with `monitor` locked.
    private let monitor = Monitor()
    private let limit: Int
    private var held = 0
    private var isCancelled = false

    /// A budget of which nothing is held.
    ///
    /// - Parameter limit: bytes.
    init(limit: Int) { self.limit = limit }

    /// Takes bytes, waiting until enough are free or all were given back.
    ///
    /// - Parameter count: bytes.
    /// - Returns: false after `cancel()`.
    @discardableResult
    func take(_ count: Int) -> Bool {
        monitor.locked {
            while held > 0 && held + count > limit && !isCancelled { monitor.wait() }
            held += count
            return !isCancelled
        }
    }

    /// Gives bytes back.
    ///
    /// - Parameter count: bytes that were taken.
    func give(back count: Int) {
        monitor.locked {
            held -= count
            monitor.wakeAll()
        }
    }

    /// Lets every waiting thread continue.
    func cancel() {
        monitor.locked {
            isCancelled = true
            monitor.wakeAll()
        }
    }
}

/// A flag that is taken down once, seen by all threads.
final class SharedFlag: @unchecked Sendable {
    // - Invariant: the stored property below is read and written with `monitor` locked.
    private let monitor = Monitor()
    private var value: Bool

    /// A flag.
    ///
    /// - Parameter isUp: whether it is up at first.
    init(isUp: Bool) { value = isUp }

    /// Whether it is up.
    var isUp: Bool { monitor.locked { value } }

    /// Takes it down.
    func lower() { monitor.locked { value = false } }
}
