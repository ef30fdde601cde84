#if canImport(Glibc)
    import Glibc
#endif

/// How far a job is: what is done of how much, how fast it goes, and how long the rest takes.
///
/// The rate is that of about the last minute: what was done t seconds ago counts e^(−t / 60 s) times as
/// much. A job that is younger has the rate since its beginning.
public struct WorkProgress: Equatable, Sendable, CustomStringConvertible {
    /// What is counted.
    public enum Unit: Equatable, Sendable {
        case bytes
        /// Things, by their name in the plural, such as "tokens".
        case items(String)
    }

    private static let secondsRemembered = 60.0

    /// What is counted.
    public let unit: Unit
    /// How much is done.
    public private(set) var done: Int
    /// How much there is; nil where nobody knows.
    public private(set) var total: Int?
    /// When `done` was told.
    private var seconds: Double
    // What counts of the amount that was done, and of the time that it took.
    private var (recentAmount, recentSeconds) = (0.0, 0.0)

    /// A job that begins or goes on now.
    ///
    /// - Parameters:
    ///   - unit: what is counted.
    ///   - done: what was done before, and does not count for the rate.
    ///   - total: how much there is; nil where nobody knows.
    ///   - seconds: now, on a clock that only goes forward.
    public init(_ unit: Unit, from done: Int = 0, of total: Int? = nil, at seconds: Double) {
        (self.unit, self.done, self.total, self.seconds) = (unit, done, total, seconds)
    }

    /// Takes note of what has been done.
    ///
    /// - Parameters:
    ///   - done: how much, from the beginning.
    ///   - total: how much there is, if that has become known.
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

    /// How long the rest takes at this rate; nil while that or the total is not known.
    public var secondsLeft: Double? {
        guard let total, let perSecond else { return nil }
        return Double(max(0, total - done)) / perSecond
    }

    /// What is done of how much: "12/200" or "1.2 MB of 3.4 MB".
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
