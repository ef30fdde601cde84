import FalconSystem

/// The rule that a document breaks.
struct FilterFinding: Equatable, Sendable {
    /// The name: of the filter, then of what is measured; small letters and underscores.
    let rule: String
    /// What was measured.
    let value: Double
    /// For a person: what was found and wanted.
    let text: String

    /// A rule with a text of its own.
    init(_ rule: String, _ value: Double, _ text: String) {
        (self.rule, self.value, self.text) = (rule, value, text)
    }

    /// A count or mean out of its range; nil if it is in it.
    static func outside(
        _ least: Double, _ most: Double, _ value: Double, low: String, high: String, _ what: String
    ) -> FilterFinding? {
        if value >= least && value <= most { return nil }
        let isLow = value < least
        let bound = isLow ? "\(number(least)) or more" : "\(number(most)) or fewer"
        return FilterFinding(isLow ? low : high, value, "\(number(value)) \(what), want \(bound)")
    }

    /// A share above its limit; nil if it is not.
    static func above(_ limit: Double, _ share: Double, _ rule: String, _ what: String)
        -> FilterFinding?
    {
        if share <= limit { return nil }
        return FilterFinding(
            rule, share,
            "\(what): \(decimal(share, places: 3)), want \(decimal(limit, places: 2)) or less")
    }

    private static func number(_ value: Double) -> String {
        value == value.rounded() ? grouped(Int(value)) : decimal(value, places: 2)
    }
}
