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
    /// - Parameter element: what to add.
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

/// Results of numbered jobs, done in any order and taken in order of their numbers.
///
/// A job may be handed in only while its number is less than `capacity` ahead of the one taken
/// next, so memory is bounded; the job taken next never waits, so nothing can lock up.
public final class OrderedResults<Element: Sendable>: @unchecked Sendable {
    // - Invariant: every stored property below is read and written with `monitor` locked.
    private let monitor = Monitor()
    private let capacity: Int
    private var waiting: [Int: Element] = [:]
    private var nextNumber = 0
    private var total: Int?
    private var isCancelled = false

    /// No results yet.
    ///
    /// - Parameter capacity: the most results held, at least 1.
    public init(capacity: Int) {
        precondition(capacity >= 1, "OrderedResults: capacity is \(capacity), want at least 1")
        self.capacity = capacity
    }

    /// Hands in a result, waiting for room.
    ///
    /// - Parameters:
    ///   - element: the result.
    ///   - number: the number of its job, from 0; each number once.
    /// - Returns: false if the results were cancelled; the element is then dropped.
    @discardableResult
    public func put(_ element: Element, number: Int) -> Bool {
        monitor.locked {
            while number >= nextNumber + capacity && !isCancelled { monitor.wait() }
            if isCancelled { return false }
            waiting[number] = element
            monitor.wakeAll()
            return true
        }
    }

    /// Takes the result of the next job, waiting for it.
    ///
    /// - Returns: nil after the last one, or after `cancel()`.
    public func take() -> Element? {
        monitor.locked {
            while true {
                if isCancelled || total == nextNumber { return nil }
                if let element = waiting.removeValue(forKey: nextNumber) {
                    nextNumber += 1
                    monitor.wakeAll()
                    return element
                }
                monitor.wait()
            }
        }
    }

    /// Says how many jobs there are in all.
    ///
    /// - Parameter total: the number of jobs.
    public func finish(total: Int) {
        monitor.locked {
            self.total = total
            monitor.wakeAll()
        }
    }

    /// Drops everything: waiting and later `put` and `take` return at once.
    public func cancel() {
        monitor.locked {
            isCancelled = true
            waiting.removeAll()
            monitor.wakeAll()
        }
    }
}
