import FalconSystem

#if canImport(Glibc)
    import Glibc
#endif

/// A thread of plain code that is joined before its owner continues.
public final class WorkerThread: @unchecked Sendable {
    /// The most threads that a person may ask for: more than a machine has processors.
    public static let countLimit = 1024

    // - Invariant: `handle` is written by init only; `isJoined` only by the one owner that joins.
    private let handle: pthread_t
    private var isJoined = false

    private final class Body {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    /// Starts a thread.
    ///
    /// - Parameter body: the work of the thread.
    /// - Throws: `FileError` if the system gives no thread.
    public init(_ body: @escaping @Sendable () -> Void) throws(FileError) {
        var started = pthread_t()
        let box = unsafe Unmanaged.passRetained(Body(body))
        let code = unsafe pthread_create(
            &started, nil,
            { argument in
                if let argument = unsafe argument {
                    unsafe Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run()
                }
                return nil
            }, box.toOpaque())
        guard code == 0 else {
            unsafe box.release()
            throw FileError.failed(action: "start", path: "a thread", code: code)
        }
        handle = started
    }

    deinit {
        if !isJoined { pthread_detach(handle) }
    }

    /// Starts the threads wanted, or fewer if the system gives fewer, but at least one.
    ///
    /// - Parameters:
    ///   - count: the number wanted, at least 1.
    ///   - body: the work of each: it takes pieces of work until none is left.
    /// - Returns: the threads.
    /// - Throws: `FileError` if the system gives none.
    public static func some(
        _ count: Int, _ body: @escaping @Sendable () -> Void
    ) throws(FileError) -> [WorkerThread] {
        var threads = [try WorkerThread(body)]
        while threads.count < count, let thread = try? WorkerThread(body) { threads.append(thread) }
        return threads
    }

    /// Waits until the thread has ended; a second call does nothing.
    public func join() {
        if isJoined { return }
        isJoined = true
        pthread_join(handle, nil)
    }
}

/// A lock with a condition to wait for.
public final class Monitor: @unchecked Sendable {
    // - Invariant: both objects live at a fixed address until deinit and are used by libpthread only.
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    /// An open lock.
    public init() {
        unsafe pthread_mutex_init(mutex, nil)
        unsafe pthread_cond_init(condition, nil)
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

    /// Wakes every thread that waits; only inside `locked`.
    public func wakeAll() { unsafe pthread_cond_broadcast(condition) }
}
