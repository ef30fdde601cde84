/// The streams of one rank among the threads of a process.
final class ThreadLink: RankLink {
    let rank: Int
    private let ranks: ThreadRanks
    private var hasEnded = false

    init(rank: Int, of ranks: ThreadRanks) {
        self.rank = rank
        self.ranks = ranks
    }

    deinit {
        if !hasEnded { ranks.fail("its thread has ended before its work", by: rank) }
    }

    var count: Int { ranks.count }
    var hosts: [String] { ranks.hosts }
    var messageByteLimit: Int { ranks.messageByteLimit }
    var unsentByteCount: Int { ranks.unsentByteCount(of: rank) }
    var changeCount: Int { ranks.changeCount(of: rank) }

    func makeMessage() -> RankMessage { ranks.makeMessage() }

    func send(_ message: RankMessage, to rank: Int) throws(RankFailure) {
        checkSend(message, to: rank)
        try ranks.send(message, from: self.rank, to: rank)
    }

    func receive(from rank: Int) throws(RankFailure) -> RankMessage? {
        checkOther(rank)
        return try ranks.receive(from: rank, by: self.rank)
    }

    func wait(beyond changeCount: Int) throws(RankFailure) {
        try ranks.wait(beyond: changeCount, by: rank)
    }

    func note(_ phase: String) { ranks.note(phase, by: rank) }

    func fail(_ reason: String) {
        hasEnded = true
        ranks.fail(reason, by: rank)
    }

    func close() throws(RankFailure) {
        if hasEnded { return }
        hasEnded = true
        try ranks.close(by: rank)
    }
}
