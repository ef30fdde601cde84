/// The windows in which a long text is scored, as in lm-evaluation-harness: every token once, with one
/// token of context at least.
struct RollingWindows {
    /// Cuts a text.
    ///
    /// The first window sees the prefix alone before its first token. Each later one begins with one token that
    /// is scored already; the last is as long as the others, and so sees more of them.
    ///
    /// - Parameters:
    ///   - tokens: of the text.
    ///   - prefix: stands before the first one.
    ///   - length: tokens that the model reads at a time.
    /// - Returns: the requests of the windows.
    static func requests(
        _ tokens: [Int32], prefix: Int32, length: Int
    ) -> [ScoringRequest] {
        guard !tokens.isEmpty else { return [] }
        let first = min(length, tokens.count)
        var requests = [
            ScoringRequest(before: [prefix], scored: Array(tokens[..<first]), limit: length)
        ]
        var scored = first
        while scored < tokens.count {
            let count = min(tokens.count - scored, length)
            let end = scored + count
            requests.append(
                ScoringRequest(
                    before: Array(tokens[(end - length - 1)..<scored]),
                    scored: Array(tokens[scored..<end]), limit: length))
            scored = end
        }
        return requests
    }
}
