import FalconSystem

/// Published rules that leave out documents by their text alone.
public enum TextFilter: String, CaseIterable, Sendable {
    /// Shares of characters in lines, paragraphs and runs of words that are repeated: `GopherRepetition`.
    case gopherRepetition = "gopher-repetition"
    /// Counts and shares of words, symbols and lines: `GopherQuality`.
    case gopherQuality = "gopher-quality"
    /// Rules about lines, which change the text: `C4Filter`.
    case c4
}

/// What is done to every document by itself before it is used: none of it, unless it is asked for.
///
/// Lengths are looked at first, then filters in the order of their cases, which is FineWeb's, then the length of what
/// C4's rules have left; last, texts of evaluation sets in what is left.
///
/// - SeeAlso: Penedo et al., "The FineWeb datasets", arXiv 2406.17557, section 3.
public struct DocumentCleaning: Sendable {
    /// What decides the outcome, in short: the same settings make the same of a document.
    struct Settings: Codable, Equatable, Sendable {
        /// The digest of the evaluation sets whose texts are left out; nil for none.
        let contamination: String?
        let filters: [String]
        let leastLength: Int?
        let mostLength: Int?

        enum CodingKeys: String, CodingKey {
            case filters
            case contamination = "decontamination_sha256"
            case leastLength = "min_length"
            case mostLength = "max_length"
        }

        /// The differences from other settings, one text each.
        func differences(from wanted: Settings) -> [String] {
            var found: [String] = []
            func compare(_ name: String, _ got: String?, _ wanted: String?) {
                if got != wanted {
                    found.append("\(name) is \(got ?? "not given"), want \(wanted ?? "none")")
                }
            }
            func joined(_ names: [String]) -> String? {
                names.isEmpty ? nil : names.joined(separator: ",")
            }
            compare("--filter", joined(filters), joined(wanted.filters))
            compare(
                "--min-length", leastLength.map(String.init), wanted.leastLength.map(String.init))
            compare("--max-length", mostLength.map(String.init), wanted.mostLength.map(String.init))
            if contamination != wanted.contamination {
                found.append("the evaluation sets of --decontaminate are others")
            }
            return found
        }
    }

    /// What becomes of a document.
    enum Outcome {
        /// It is used with this text.
        case kept(String)
        /// It breaks a rule.
        case filtered(FilterFinding)
        /// It holds a text of an evaluation set.
        case contaminated(Contamination.Finding)
    }

    /// The rules that documents must keep.
    public var filters: Set<TextFilter> = []
    /// The least length in characters (Unicode scalars); nil for none.
    public var leastLength: Int?
    /// The greatest length in characters (Unicode scalars); nil for none.
    public var mostLength: Int?
    /// The evaluation sets whose texts no document may hold; nil for none.
    public var contamination: Contamination?

    /// Nothing is done.
    public init() {}

    /// The settings in short.
    var settings: Settings {
        Settings(
            contamination: contamination?.digest,
            filters: TextFilter.allCases.filter(filters.contains).map(\.rawValue),
            leastLength: leastLength, mostLength: mostLength)
    }

    /// Decides about a document.
    ///
    /// - Parameter text: not empty.
    /// - Returns: the text to use, or the first reason to leave it out.
    func outcome(for text: String) -> Outcome {
        if let finding = lengthFinding(in: text) { return .filtered(finding) }
        var text = text
        if !filters.isEmpty {
            let parts = TextParts(text)
            if filters.contains(.gopherRepetition),
                let finding = GopherRepetition.finding(in: parts)
            {
                return .filtered(finding)
            }
            if filters.contains(.gopherQuality), let finding = GopherQuality.finding(in: parts) {
                return .filtered(finding)
            }
            if filters.contains(.c4) {
                switch C4Filter.outcome(for: parts) {
                case .leftOut(let finding): return .filtered(finding)
                case .kept(let kept): text = kept
                }
                if let finding = lengthFinding(in: text) { return .filtered(finding) }
            }
        }
        if let finding = contamination?.finding(in: text) { return .contaminated(finding) }
        return .kept(text)
    }

    private func lengthFinding(in text: String) -> FilterFinding? {
        if leastLength == nil && mostLength == nil { return nil }
        return .outside(
            Double(leastLength ?? 0), mostLength.map(Double.init) ?? .infinity,
            Double(text.unicodeScalars.count), low: "min_length", high: "max_length", "characters")
    }
}
