#if canImport(Glibc)
    import Glibc
#endif

/// The progress of a job: the amounts done and in total, the rate, and the time left.
///
/// The rate is that of about the last minute: an amount done t seconds ago counts e^(−t / 60 s)
/// times as much. A younger job has the rate since its beginning.
public struct WorkProgress: Equatable, Sendable, CustomStringConvertible {
    /// The unit of the amounts.
    public enum Unit: Equatable, Sendable {
        case bytes
        /// Things, by their name in the plural, such as "tokens".
        case items(String)
    }

    private static let secondsRemembered = 60.0

    /// The unit of the amounts.
    public let unit: Unit
    /// The amount done.
    public private(set) var done: Int
    /// The whole amount; nil if unknown.
    public private(set) var total: Int?
    /// The time of the last report of `done`.
    private var seconds: Double
    // The amount done and the time that it took, as far as they count for the rate.
    private var (recentAmount, recentSeconds) = (0.0, 0.0)

    /// A job that begins or continues now.
    ///
    /// - Parameters:
    ///   - unit: the unit of the amounts.
    ///   - done: the amount done before, which does not count for the rate.
    ///   - total: the whole amount; nil if unknown.
    ///   - seconds: now, on a clock that only goes forward.
    public init(_ unit: Unit, from done: Int = 0, of total: Int? = nil, at seconds: Double) {
        (self.unit, self.done, self.total, self.seconds) = (unit, done, total, seconds)
    }

    /// Takes note of the amount done.
    ///
    /// - Parameters:
    ///   - done: the amount done since the beginning.
    ///   - total: the whole amount, if it has become known.
    ///   - seconds: now, on the clock of the beginning.
    public mutating func advance(to done: Int, of total: Int? = nil, at seconds: Double) {
        let elapsed = max(0, seconds - self.seconds)
        let share = exp(-elapsed / Self.secondsRemembered)
        recentAmount = recentAmount * share + Double(done - self.done)
        recentSeconds = recentSeconds * share + elapsed
        (self.done, self.seconds, self.total) = (done, seconds, total ?? self.total)
    }

    /// The rate; nil while none is known.
    public var perSecond: Double? {
        recentAmount > 0 && recentSeconds > 0 ? recentAmount / recentSeconds : nil
    }

    /// The seconds that the rest takes at this rate; nil while that or the total is not known.
    public var secondsLeft: Double? {
        guard let total, let perSecond else { return nil }
        return Double(max(0, total - done)) / perSecond
    }

    /// The amount done, out of the total if known: "12/200" or "1.2 MB of 3.4 MB".
    public var place: String {
        switch unit {
        case .bytes: megabytes(done) + (total.map { " of " + megabytes($0) } ?? "")
        case .items: total.map { "\(done)/\($0)" } ?? grouped(done)
        }
    }

    /// The rate and the time left: "3.4 MB/s  left 3m20s"; "" while they are not known.
    public var pace: String {
        guard let perSecond else { return "" }
        let rate =
            switch unit {
            case .bytes: megabytes(wholeNumber(perSecond)) + "/s"
            case .items(let name):
                (perSecond < 10 ? decimal(perSecond, places: 1) : grouped(wholeNumber(perSecond)))
                    + " \(name)/s"
            }
        return rate + (secondsLeft.map { "  left " + duration($0.rounded(.up)) } ?? "")
    }

    /// Place and pace.
    public var description: String { pace.isEmpty ? place : place + "  " + pace }
}
