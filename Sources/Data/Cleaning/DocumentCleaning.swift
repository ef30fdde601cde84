/// What is done to every document by itself before it is used: none of it, unless it is asked for.
public struct DocumentCleaning: Sendable {
    /// What decides the outcome, in short: the same settings make the same of a document.
    struct Settings: Codable, Equatable, Sendable {
        /// The digest of the evaluation sets whose texts are left out; nil for none.
        let contamination: String?

        enum CodingKeys: String, CodingKey {
            case contamination = "decontamination_sha256"
        }

        /// The differences from other settings, one text each.
        func differences(from wanted: Settings) -> [String] {
            var found: [String] = []
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
        /// It holds a text of an evaluation set.
        case contaminated(Contamination.Finding)
    }

    /// The evaluation sets whose texts no document may hold; nil for none.
    public var contamination: Contamination?

    /// Nothing is done.
    public init() {}

    /// The settings in short.
    var settings: Settings { Settings(contamination: contamination?.digest) }

    /// Decides about a document.
    ///
    /// - Parameter text: not empty.
    func outcome(for text: String) -> Outcome {
        if let finding = contamination?.finding(in: text) { return .contaminated(finding) }
        return .kept(text)
    }
}
