import CKernels

/// How work was split over threads.
public struct ParallelWork: Sendable, Hashable {
    /// Jobs of more than one piece: each wakes the threads and waits for the last one.
    public internal(set) var forks = 0
    /// Pieces of those jobs.
    public internal(set) var pieces = 0

    /// No work.
    public init() {}

    static func - (total: Self, before: Self) -> Self {
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
    /// Threads that take pieces, the caller included: as many as were asked for, or as the system gave.
    package let threadCount: Int
    /// The jobs so far, those of a pool of one thread too.
    package private(set) var work = ParallelWork()

    package init(threadCount: Int) {
        precondition(threadCount >= 1, "ThreadPool: \(threadCount) threads, want at least 1")
        guard let handle = fk_pool_create(threadCount) else {
            preconditionFailure("ThreadPool: no memory for \(threadCount) threads")
        }
        self.handle = handle
        self.threadCount = Int(fk_pool_threads(handle))
    }

    /// A pool without threads that runs no piece, for planning.
    package init(dryThreadCount: Int) {
        handle = nil
        threadCount = dryThreadCount
    }

    deinit { fk_pool_destroy(handle) }

    /// Runs `body` for every piece and returns when all are done.
    ///
    /// What a piece computes must depend on its number only: which worker takes it is left to chance.
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
    ///   - grain: items a piece, fixed by the kind of work, never by the number of threads.
    ///   - body: takes the piece's number and its range of items.
    package func ranges(
        _ count: Int, grain: Int, _ body: (_ piece: Int, _ range: Range<Int>) -> Void
    ) {
        run((count + grain - 1) / grain) { piece, _ in
            body(piece, piece * grain..<min(count, (piece + 1) * grain))
        }
    }
}
