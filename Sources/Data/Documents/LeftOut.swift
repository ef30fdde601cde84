/// Items that were left out, and the reasons.
public struct LeftOut: Sendable, Equatable, Codable {
    /// Reasons that are kept.
    public static let reasonLimit = 5

    /// The number of items.
    public private(set) var count = 0
    /// The problems of the first few, each with its name.
    public private(set) var reasons: [String] = []

    /// Nothing yet.
    public init() {}

    /// Counts one more.
    ///
    /// - Parameter reason: its name and what is wrong with it.
    public mutating func add(_ reason: String) {
        count += 1
        if reasons.count < Self.reasonLimit { reasons.append(reason) }
    }
    /// Counts those of another list, which come behind these.
    mutating func add(_ later: LeftOut) {
        count += later.count
        reasons += later.reasons.prefix(max(0, Self.reasonLimit - reasons.count))
    }
}
