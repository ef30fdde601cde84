/// The ordered streams of messages between one rank of a run and all others.
///
/// There is one stream from each rank to each other. Messages arrive whole and in the order in which they were
/// sent on a stream; nothing is said about the order of different streams. All a run moves goes this way, so
/// whoever reads a stream must know what was sent on it: all ranks run the same program.
///
/// A link belongs to one thread. It moves bytes, on a thread of its own if it must; it adds nothing up.
public protocol RankLink: AnyObject {
    /// This rank, from 0 to `count` - 1.
    var rank: Int { get }
    /// The number of ranks, at least 1.
    var count: Int { get }
    /// The names of the ranks' hosts, by rank.
    var hosts: [String] { get }
    /// The most bytes of a message, a multiple of 64 and the same on every rank.
    var messageByteLimit: Int { get }

    /// An empty message with room for `messageByteLimit` bytes, to be filled and sent.
    ///
    /// - Returns: a message that nobody else uses; its memory may have served before.
    func makeMessage() -> RankMessage

    /// Puts a message behind those that were sent to a rank before. Never waits.
    ///
    /// - Parameters:
    ///   - message: with 1 byte or more; it belongs to the link from now on.
    ///   - rank: another rank.
    /// - Throws: `RankFailure` if a rank has failed.
    func send(_ message: RankMessage, to rank: Int) throws(RankFailure)

    /// Bytes of messages that were sent and are still in memory here.
    var unsentByteCount: Int { get }

    /// The next message of a stream, if it has come.
    ///
    /// Only a few messages of a stream are taken in ahead of this call; others wait where they were sent.
    ///
    /// - Parameter rank: another rank.
    /// - Returns: the message, which may be sent on, or dropped; nil if there is none yet.
    /// - Throws: `RankFailure` if a rank has failed.
    func receive(from rank: Int) throws(RankFailure) -> RankMessage?

    /// Grows whenever a message has come or has left, and when a rank has failed.
    var changeCount: Int { get }

    /// Waits until `changeCount` is greater than it was.
    ///
    /// - Parameter changeCount: as it was before the caller looked at what it waits for.
    /// - Throws: `RankFailure` if a rank has failed, or has been silent for too long.
    func wait(beyond changeCount: Int) throws(RankFailure)

    /// Says what this rank is doing, for the messages of others if it fails.
    ///
    /// - Parameter phase: such as "step 12, micro-batch 3 of 8". A call is also a sign of life: a rank that
    ///   neither waits nor calls for too long is taken to hang.
    func note(_ phase: String)

    /// Tells all others, as well as that is still possible, that this rank ends with an error.
    ///
    /// - Parameter reason: the error's message.
    func fail(_ reason: String)

    /// Ends the streams when all ranks call it, after which no rank takes the end of another for a failure.
    ///
    /// - Throws: `RankFailure` if a rank has failed.
    func close() throws(RankFailure)
}
