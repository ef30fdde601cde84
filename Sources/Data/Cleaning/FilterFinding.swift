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

/// Documents that rules leave out, and lines that were taken out of others.
public struct FilteredDocuments: Sendable, Equatable, Codable {
    /// Documents.
    public private(set) var documents = 0
    /// Their UTF-8 bytes, as they were read.
    public private(set) var bytes = 0
    /// Documents by the first rule that they break.
    public private(set) var byRule: [String: Int] = [:]
    /// Documents that were used without some of their lines.
    public private(set) var changedDocuments = 0
    /// UTF-8 bytes that were taken out of those.
    public private(set) var removedBytes = 0

    enum CodingKeys: String, CodingKey {
        case documents, bytes
        case byRule = "by_rule"
        case changedDocuments = "changed_documents"
        case removedBytes = "removed_bytes"
    }

    /// Nothing yet.
    public init() {}

    mutating func add(_ finding: FilterFinding, textBytes: Int) {
        documents += 1
        bytes += textBytes
        byRule[finding.rule, default: 0] += 1
    }

    mutating func addChange(removing bytes: Int) {
        changedDocuments += 1
        removedBytes += bytes
    }

    mutating func add(_ more: FilteredDocuments) {
        documents += more.documents
        bytes += more.bytes
        byRule.merge(more.byRule, uniquingKeysWith: +)
        changedDocuments += more.changedDocuments
        removedBytes += more.removedBytes
    }
}
