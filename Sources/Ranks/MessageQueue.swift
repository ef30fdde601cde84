/// Messages in the order in which they came.
struct MessageQueue {
    private var messages: [RankMessage?] = []
    private var head = 0

    var count: Int { messages.count - head }
    var isEmpty: Bool { count == 0 }

    mutating func append(_ message: RankMessage) { messages.append(message) }

    /// Takes the oldest message; nil if there is none.
    mutating func popFirst() -> RankMessage? {
        if isEmpty { return nil }
        let message = messages[head]
        messages[head] = nil
        head += 1
        // What was taken stays in front until it is half of all.
        if 2 * head >= messages.count {
            messages.removeFirst(head)
            head = 0
        }
        return message
    }

    mutating func removeAll() { self = MessageQueue() }
}
