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
