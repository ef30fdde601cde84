/// The hardest problems (level 5) of a subject of MATH, whose solutions are written by the model.
///
/// Records: `problem`, `solution` with the answer in `\boxed{…}`, `level`; records of other levels are left out.
/// The four examples of Lewkowycz et al. have no level.
///
/// - SeeAlso: Hendrycks et al., arXiv 2103.03874; the prompt and `MinervaAnswer` of Lewkowycz et al., arXiv
///   2206.14858, appendix D.
public struct MATH: EvaluationTask {
    private let part: String
    private let folder: String

    /// The name on the command line.
    public var name: String { "leaderboard_math_\(part)_hard" }
    /// The version of the harness's task.
    public let version = "3.0"
    /// The scored file.
    public var files: [String] { ["math/\(folder)/test.jsonl"] }
    /// The file of the examples.
    public let exampleFiles = ["math/examples.jsonl"]
    /// In their order.
    public let sampling = ExampleSampling.firstN
    /// Four.
    public let defaultShots = 4
    /// Whether the final answer, as Minerva normalizes it, is that of the solution.
    public let metrics = [
        Metric("exact_match_normalized") { request, answer in
            guard case .generation(let writing) = request else { return Metric.Value(.nan) }
            let written = MinervaAnswer(solution: answer.text ?? "")
            let right = MinervaAnswer(boxedIn: writing.example)
            return Metric.Value(written != nil && written == right ? 1 : 0)
        }
    ]

    /// A subject.
    ///
    /// - Parameters:
    ///   - part: its name in the task's.
    ///   - folder: the name of its folder.
    public init(_ part: String, folder: String) {
        self.part = part
        self.folder = folder
    }

    /// The seven subjects.
    public static let subjects = [
        MATH("algebra", folder: "algebra"),
        MATH("counting_and_prob", folder: "counting_and_probability"),
        MATH("geometry", folder: "geometry"),
        MATH("intermediate_algebra", folder: "intermediate_algebra"),
        MATH("num_theory", folder: "number_theory"), MATH("prealgebra", folder: "prealgebra"),
        MATH("precalculus", folder: "precalculus"),
    ]

    /// The lines of level 5, those without a level, and those that are no records.
    public func records(in bytes: [UInt8]) -> [ArraySlice<UInt8>] {
        lines(in: bytes).filter { line in
            let level = try? Record(line).text("level")
            return level == nil || level == "Level 5"
        }
    }

    /// A problem.
    ///
    /// - Parameter record: one record.
    /// - Returns: the document.
    /// - Throws: `RecordError`.
    public func document(from record: Record) throws -> TaskDocument {
        TaskDocument(
            .generation(
                .init(
                    question: "Problem:\n\(try record.text("problem"))\n\nSolution:",
                    until: ["Problem:"], references: [try record.text("solution")],
                    tokenLimit: 1024)))
    }
}
