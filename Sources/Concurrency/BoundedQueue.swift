/// A queue between threads that holds a bounded number of elements.
public final class BoundedQueue<Element: Sendable>: @unchecked Sendable {
    // - Invariant: every stored property below is read and written with `monitor` locked.
    private let monitor = Monitor()
    private let capacity: Int
    private var elements: [Element] = []
    private var isFinished = false
    private var isCancelled = false

    /// An empty queue.
    ///
    /// - Parameter capacity: the most elements held, at least 1.
    public init(capacity: Int) {
        precondition(capacity >= 1, "BoundedQueue: capacity is \(capacity), want at least 1")
        self.capacity = capacity
    }

    /// Adds an element, waiting for room.
    ///
    /// - Parameter element: the element to add.
    /// - Returns: false if the queue was cancelled; the element is then dropped.
    @discardableResult
    public func push(_ element: Element) -> Bool {
        monitor.locked {
            while elements.count >= capacity && !isCancelled { monitor.wait() }
            if isCancelled { return false }
            elements.append(element)
            monitor.wakeAll()
            return true
        }
    }

    /// Takes the oldest element, waiting for one.
    ///
    /// - Returns: nil after `finish()` once the queue is empty, or after `cancel()`.
    public func pop() -> Element? {
        monitor.locked {
            while elements.isEmpty && !isFinished && !isCancelled { monitor.wait() }
            if isCancelled || elements.isEmpty { return nil }
            let element = elements.removeFirst()
            monitor.wakeAll()
            return element
        }
    }

    /// Says that nothing more is pushed: `pop` returns nil once the queue is empty.
    public func finish() {
        monitor.locked {
            isFinished = true
            monitor.wakeAll()
        }
    }

    /// Drops everything: waiting and later `push` and `pop` return at once.
    public func cancel() {
        monitor.locked {
            isCancelled = true
            elements.removeAll()
            monitor.wakeAll()
        }
    }
}
