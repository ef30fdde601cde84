import FalconSystem

/// What a rank has heard of the others, to tell when one can no longer be waited for.
struct RankWatch {
    /// What was heard of a rank.
    struct Heard {
        var phase = ""
        var isWaiting = false
        var callCount: UInt32 = 0
        /// When anything came last, in seconds.
        var lastSign: Double
        /// When its program last did something, in seconds.
        var lastCall: Double
    }

    /// A rank that has failed, as seen from outside.
    struct Problem: Equatable {
        let rank: Int
        let reason: String
    }

    /// By rank; of this one too, whose signs are its own.
    private(set) var heard: [Heard]
    private let rank: Int
    private let silenceLimit: Double
    private let hangLimit: Double
    private var lastLook: Double

    /// The beginning: all are well.
    ///
    /// - Parameters:
    ///   - rank: this rank.
    ///   - count: the number of ranks.
    ///   - silenceLimit: seconds without a sign after which a rank has failed; also seconds that all may wait for
    ///     each other.
    ///   - hangLimit: seconds after which a rank has failed whose program does nothing.
    ///   - now: the time, in seconds.
    init(rank: Int, count: Int, silenceLimit: Double, hangLimit: Double, now: Double) {
        heard = Array(repeating: Heard(lastSign: now, lastCall: now), count: count)
        (self.rank, self.silenceLimit, self.hangLimit) = (rank, silenceLimit, hangLimit)
        lastLook = now
    }

    /// A message has come.
    mutating func hear(from rank: Int, now: Double) { heard[rank].lastSign = now }

    /// A rank says what it does.
    mutating func hear(_ signal: RankSignal, from rank: Int, now: Double) {
        heard[rank].lastSign = now
        if signal.callCount != heard[rank].callCount || signal.isWaiting != heard[rank].isWaiting {
            heard[rank].lastCall = now
        }
        heard[rank].phase = signal.phase
        heard[rank].isWaiting = signal.isWaiting
        heard[rank].callCount = signal.callCount
    }

    /// Looks for a rank that has failed.
    ///
    /// - Parameter now: the time, in seconds; this is called more often than `silenceLimit`.
    /// - Returns: the first problem.
    mutating func problem(now: Double) -> Problem? {
        // While this process was stopped it could hear nobody.
        let pause = now - lastLook
        if pause > silenceLimit / 4 {
            for index in heard.indices {
                heard[index].lastSign += pause
                heard[index].lastCall += pause
            }
        }
        lastLook = now
        for (other, heard) in heard.enumerated() where other != rank {
            if now - heard.lastSign > silenceLimit {
                return Problem(
                    rank: other,
                    reason:
                        "it has been silent for \(Self.text(silenceLimit)) (killed, stopped, or its host "
                        + "or network is gone)")
            }
        }
        for (other, heard) in heard.enumerated()
        where !heard.isWaiting && now - heard.lastCall > hangLimit {
            return Problem(
                rank: other,
                reason: "it hangs: its process lives, and its work has not moved for "
                    + Self.text(hangLimit))
        }
        if heard.count > 1
            && heard.allSatisfy({ $0.isWaiting && now - $0.lastCall > silenceLimit })
        {
            return Problem(
                rank: rank,
                reason:
                    "all ranks have waited for each other for \(Self.text(silenceLimit)); they do not "
                    + "agree on what is sent")
        }
        return nil
    }

    /// Seconds as text.
    static func text(_ seconds: Double) -> String {
        decimal(seconds, places: seconds < 10 ? 1 : 0) + " s"
    }
}
