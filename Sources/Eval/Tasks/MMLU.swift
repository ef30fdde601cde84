/// A subject of MMLU: four answers with letters, of which the letter is scored; or, as a continuation, the
/// answer itself.
///
/// Records: `question`, `choices` (four), `answer` (0 to 3).
///
/// - SeeAlso: Hendrycks et al., arXiv 2009.03300.
public struct MMLU: EvaluationTask {
    private let subject: String
    private let isContinuation: Bool

    /// The name on the command line.
    public var name: String { "mmlu_" + subject + (isContinuation ? "_continuation" : "") }
    /// The scored file.
    public var files: [String] { ["mmlu/\(subject)/test.jsonl"] }
    /// The file of the examples.
    public var exampleFiles: [String] { ["mmlu/\(subject)/dev.jsonl"] }
    /// The five of each subject, in their order.
    public let sampling = ExampleSampling.firstN
    /// The line that names the subject.
    public var preamble: String {
        guard !isContinuation else {
            return "The following are questions (with answers) about \(words).\n\n"
        }
        return "The following are multiple choice questions (with answers) about \(words).\n\n"
    }
    /// Accuracy; for continuations also after division by the answers' lengths.
    public var metrics: [Metric] {
        isContinuation ? [.acc, .accNorm, .answerBitsPerByte] : [.acc, .answerBitsPerByte]
    }

    private var words: String { subject.replacingAsPython("_", with: " ") }

    /// A subject.
    ///
    /// - Parameters:
    ///   - subject: its name, that of its folder.
    ///   - isContinuation: whether the answers themselves are scored.
    public init(_ subject: String, isContinuation: Bool = false) {
        self.subject = subject
        self.isContinuation = isContinuation
    }

    /// A question with four answers.
    ///
    /// - Parameter record: one record.
    /// - Returns: the document.
    /// - Throws: `RecordError`.
    public func document(from record: Record) throws -> TaskDocument {
        let question = try record.text("question").strippedAsPython()
        let answers = try record.texts("choices")
        let letters = ["A", "B", "C", "D"]
        guard answers.count == letters.count else {
            throw RecordError("choices has \(answers.count) texts, want 4")
        }
        let right = try record.label("answer", below: answers.count)
        guard !isContinuation else {
            return TaskDocument(
                question: "Question: \(question)\nAnswer:", answers: answers, right: right)
        }
        let lines = zip(letters, answers).map { "\($0). \($1)" }
        return TaskDocument(
            question: ([question] + lines + ["Answer:"]).joined(separator: "\n"), answers: letters,
            right: right)
    }

    /// The subjects by the parts of MMLU.
    public static let subjects: [(part: String, names: [String])] = [
        (
            "stem",
            [
                "abstract_algebra", "anatomy", "astronomy", "college_biology", "college_chemistry",
                "college_computer_science", "college_mathematics", "college_physics",
                "computer_security", "conceptual_physics", "electrical_engineering",
                "elementary_mathematics", "high_school_biology", "high_school_chemistry",
                "high_school_computer_science", "high_school_mathematics", "high_school_physics",
                "high_school_statistics", "machine_learning",
            ]
        ),
        (
            "other",
            [
                "business_ethics", "clinical_knowledge", "college_medicine", "global_facts",
                "human_aging", "management", "marketing", "medical_genetics", "miscellaneous",
                "nutrition", "professional_accounting", "professional_medicine", "virology",
            ]
        ),
        (
            "social_sciences",
            [
                "econometrics", "high_school_geography", "high_school_government_and_politics",
                "high_school_macroeconomics", "high_school_microeconomics",
                "high_school_psychology", "human_sexuality", "professional_psychology",
                "public_relations", "security_studies", "sociology", "us_foreign_policy",
            ]
        ),
        (
            "humanities",
            [
                "formal_logic", "high_school_european_history", "high_school_us_history",
                "high_school_world_history", "international_law", "jurisprudence",
                "logical_fallacies", "moral_disputes", "moral_scenarios", "philosophy",
                "prehistory", "professional_law", "world_religions",
            ]
        ),
    ]
}
