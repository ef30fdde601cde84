/// The reason why some bytes of a file cannot be read; the reader adds file and place.
struct ParquetFault: Error {
    /// What was found, and what was wanted.
    let reason: String
    /// What to do about a file that is whole, but of a kind that is not read; nil for damage.
    var remedy: String?
    /// Whether the bytes end too early, so that more of them could help.
    var isCutShort = false

    /// - Parameters:
    ///   - reason: what was found, and what was wanted.
    ///   - remedy: nil for damage.
    init(_ reason: String, remedy: String? = nil) {
        self.reason = reason
        self.remedy = remedy
    }

    /// Bytes that end too early.
    ///
    /// - Parameter what: what is not there as a whole.
    /// - Returns: damage to which more bytes could make a difference.
    static func cutShort(_ what: String) -> ParquetFault {
        var fault = ParquetFault("\(what) is cut short")
        fault.isCutShort = true
        return fault
    }

    /// What to do about a file with something that this reader does not know.
    static let writeOtherwise = "write it again with zstd compression and common encodings"
}
