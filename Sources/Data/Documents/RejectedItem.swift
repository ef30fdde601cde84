import FalconJSON
import FalconSystem

/// A document, file or folder that was left out, as a line of `rejected.jsonl`.
public struct RejectedItem: Codable, Equatable, Sendable {
    /// The name of the list in the folder of a data set.
    public static let fileName = "rejected.jsonl"

    /// The file or folder.
    public let path: String
    /// The line in the decompressed file, from 1; nil for a row, and for a whole file or folder.
    public let line: Int?
    /// The row of a Parquet file, from 1.
    public let row: Int?
    /// The reason, with the place.
    public let reason: String
    /// The rule that the document breaks; nil for another reason.
    public var rule: String?
    /// What the rule measured.
    public var value: Double?

    /// An item that a reader met.
    init(_ error: DataError) {
        let place: DocumentPlace?
        (path, place) = error.item
        (line, row) = Self.numbers(place)
        reason = error.finding
    }

    /// A document that holds a text of an evaluation set.
    init(_ document: RawDocument, _ finding: Contamination.Finding) {
        path = document.path
        (line, row) = Self.numbers(document.place)
        reason =
            "holds words of \(finding.tasks.joined(separator: ", ")): \(finding.excerpt)"
    }

    /// A document that breaks a rule.
    init(_ document: RawDocument, _ finding: FilterFinding) {
        path = document.path
        (line, row) = Self.numbers(document.place)
        reason = finding.text
        (rule, value) = (finding.rule, finding.value)
    }

    private static func numbers(_ place: DocumentPlace?) -> (line: Int?, row: Int?) {
        switch place {
        case .line(let number): (number, nil)
        case .row(let number): (nil, number)
        case nil: (nil, nil)
        }
    }

    /// A file or folder that the system does not give.
    init(_ error: FileError) {
        path = error.path
        (line, row) = (nil, nil)
        reason = error.description
    }

    /// Appends items to the list.
    ///
    /// - Parameters:
    ///   - items: in the order in which they were met; nothing is written if there are none.
    ///   - folder: of the data set.
    /// - Throws: `FileError`.
    static func append(_ items: [RejectedItem], in folder: String) throws {
        guard !items.isEmpty else { return }
        let lines = try items.map { try jsonText($0) + "\n" }.joined()
        try appendToFile(path: folder + "/" + fileName, Array(lines.utf8))
    }
}
