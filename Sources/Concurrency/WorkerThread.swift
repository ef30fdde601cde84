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
