/// The texts of documents, one after the other.
public final class DocumentTexts {
    private let documents: DocumentReader
    private let skipsBadDocuments: Bool
    /// Documents that were left out so far because they are not valid.
    public private(set) var skippedCount = 0

    /// The texts of the documents that a reader has yet to read.
    ///
    /// - Parameters:
    ///   - documents: read to the end, one at a time.
    ///   - skipsBadDocuments: leave out documents that are not valid instead of stopping.
    public init(_ documents: DocumentReader, skipsBadDocuments: Bool = false) {
        self.documents = documents
        self.skipsBadDocuments = skipsBadDocuments
    }

    /// The next text.
    ///
    /// - Returns: nil after the last one.
    /// - Throws: `DataError` or `FileError` from reading.
    public func next() throws -> String? {
        while let raw = try documents.nextRaw() {
            do {
                return try raw.text()
            } catch DataError.invalidDocument(_, _, _) where skipsBadDocuments {
                skippedCount += 1
            }
        }
        return nil
    }
}
