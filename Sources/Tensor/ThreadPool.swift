import CKernels

/// The division of work over threads.
public struct ParallelWork: Sendable, Hashable {
    /// Jobs of more than one piece: each wakes the threads and waits for the last one.
    public package(set) var forks = 0
    /// Pieces of those jobs.
    public package(set) var pieces = 0

    /// No work.
    public init() {}

    /// The work since a moment.
    ///
    /// - Parameters:
    ///   - total: the work until now.
    ///   - before: the work until that moment.
    /// - Returns: the work in between.
    package static func - (total: Self, before: Self) -> Self {
        var work = total
        work.forks -= before.forks
        work.pieces -= before.pieces
        return work
    }
}

/// Threads that share pieces of work; the caller is one of them.
///
/// - Invariant: `run` is called from one thread at a time and never from inside a piece.
package final class ThreadPool {
    /// nil for a pool that runs nothing.
    private let handle: OpaquePointer?
    /// Threads that take pieces, the caller included: the number asked for, or fewer if the system
    /// gave fewer.
    package let threadCount: Int
    /// The jobs so far, including those of a pool of one thread.
    package private(set) var work = ParallelWork()
    /// Opened for the length of a run; nil where memory is not guarded.
    private let memoryGuard: MemoryGuard?

    /// Threads that wait for work.
    ///
    /// - Parameter threadCount: at least 1.
    package convenience init(threadCount: Int) {
        self.init(threadCount: threadCount, memoryGuard: nil)
    }

    init(threadCount: Int, memoryGuard: MemoryGuard?) {
        precondition(threadCount >= 1, "ThreadPool: \(threadCount) threads, want at least 1")
        guard let handle = fk_pool_create(threadCount) else {
            preconditionFailure("ThreadPool: no memory for \(threadCount) threads")
        }
        self.handle = handle
        self.memoryGuard = memoryGuard
        self.threadCount = Int(fk_pool_threads(handle))
    }

    /// A pool without threads that runs no piece, for planning.
    package init(dryThreadCount: Int) {
        handle = nil
        memoryGuard = nil
        threadCount = dryThreadCount
    }

    deinit { fk_pool_destroy(handle) }

    /// Runs `body` for every piece and returns when all are done.
    ///
    /// The result of a piece must depend only on its number: any worker may take it.
    ///
    /// - Parameters:
    ///   - pieceCount: at least 0, independent of the number of threads.
    ///   - body: takes the piece and the worker (below `threadCount`, to pick its scratch).
    package func run(_ pieceCount: Int, _ body: (_ piece: Int, _ worker: Int) -> Void) {
        if pieceCount > 1 {
            work.forks += 1
            work.pieces += pieceCount
        }
        guard let handle else { return }
        if let memoryGuard {
            memoryGuard.opened { Self.run(pieceCount, body, on: handle) }
        } else {
            Self.run(pieceCount, body, on: handle)
        }
    }

    private static func run(
        _ pieceCount: Int, _ body: (_ piece: Int, _ worker: Int) -> Void, on handle: OpaquePointer
    ) {
        withoutActuallyEscaping(body) { body in
            withUnsafePointer(to: body) { context in
                fk_pool_run(
                    handle, pieceCount,
                    { context, piece, worker in
                        guard let context else { return }
                        let body = context.assumingMemoryBound(to: ((Int, Int) -> Void).self)
                        body.pointee(piece, worker)
                    }, UnsafeMutableRawPointer(mutating: context))
            }
        }
    }

    /// Runs `body` for consecutive ranges of at most `grain` items.
    ///
    /// - Parameters:
    ///   - count: items in all.
    ///   - grain: items per piece, fixed by the kind of work, never by the number of threads.
    ///   - body: takes the piece's number and its range of items.
    package func ranges(
        _ count: Int, grain: Int, _ body: (_ piece: Int, _ range: Range<Int>) -> Void
    ) {
        run((count + grain - 1) / grain) { piece, _ in
            body(piece, piece * grain..<min(count, (piece + 1) * grain))
        }
    }
}
