#if canImport(Glibc)
    import Glibc
#endif

/// A lock with a condition to wait for.
public final class Monitor: @unchecked Sendable {
    // - Invariant: both objects live at a fixed address until deinit and are used by libpthread only.
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    /// An open lock.
    public init() {
        unsafe pthread_mutex_init(mutex, nil)
        // The clock of times of day may be set while a thread waits.
        var attributes = pthread_condattr_t()
        unsafe pthread_condattr_init(&attributes)
        unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        unsafe pthread_cond_init(condition, &attributes)
        unsafe pthread_condattr_destroy(&attributes)
    }

    deinit {
        unsafe pthread_cond_destroy(condition)
        unsafe pthread_mutex_destroy(mutex)
        unsafe condition.deallocate()
        unsafe mutex.deallocate()
    }

    /// Runs `body` with the lock held.
    ///
    /// - Parameter body: reads and writes what the lock guards; may call `wait` and `wakeAll`.
    /// - Returns: what `body` returns.
    /// - Throws: what `body` throws.
    public func locked<Result, Failure: Error>(
        _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return try body()
    }

    /// Releases the lock until another thread calls `wakeAll`; only inside `locked`.
    public func wait() { unsafe pthread_cond_wait(condition, mutex) }

    /// Releases the lock until another thread calls `wakeAll`, or a time has passed; only inside `locked`.
    ///
    /// - Parameter seconds: the longest wait, from 0 to 10^6.
    public func wait(atMostSeconds seconds: Double) {
        precondition(
            (0...1e6).contains(seconds), "Monitor: wait of \(seconds) s, want 0 to 10^6")
        var end = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &end)
        let nanoseconds = end.tv_nsec + Int(seconds * 1e9)
        end.tv_sec += nanoseconds / 1_000_000_000
        end.tv_nsec = nanoseconds % 1_000_000_000
        unsafe pthread_cond_timedwait(condition, mutex, &end)
    }

    /// Wakes every thread that waits; only inside `locked`.
    public func wakeAll() { unsafe pthread_cond_broadcast(condition) }
}
