/// A part of BIG-bench Hard: one of a fixed list of answers, after a description and three examples.
///
/// Records: `input`, `target`. The set has a few targets that are no answer of its list: nothing is right there, as
/// in the harness.
///
/// - SeeAlso: Suzgun et al., arXiv 2210.09261.
public struct BBH: EvaluationTask {
    private let part: String
    private let answers: [String]

    /// The name on the command line.
    public var name: String { "leaderboard_bbh_" + part }
    /// The scored file.
    public var files: [String] { ["bbh/\(part)/test.jsonl"] }
    /// The file of the examples.
    public var exampleFiles: [String] { ["bbh/\(part)/examples.jsonl"] }
    /// In their order.
    public let sampling = ExampleSampling.firstN
    /// Three.
    public let defaultShots = 3
    /// The sentence that describes the part.
    public let preamble: String
    /// Accuracy after division by the answers' lengths.
    public let metrics: [Metric] = [.accNorm]

    private init(_ part: String, _ answers: [String], _ description: String) {
        self.part = part
        self.answers = answers
        preamble = description
    }

    /// A question.
    ///
    /// - Parameter record: one record.
    /// - Returns: the document.
    /// - Throws: `RecordError`.
    public func document(from record: Record) throws -> TaskDocument {
        let target = try record.text("target")
        let right = answers.firstIndex(of: target).map { Set([$0]) } ?? []
        return TaskDocument(
            .choices(
                questions: ["Q: \(try record.text("input"))\nA:"], answers: answers, right: right))
    }

    private static let yesOrNo = ["Yes", "No"]

    /// Letters in brackets, as many as wanted.
    private static func letters(_ count: Int) -> [String] {
        "ABCDEFGHIJKLMNOPQR".prefix(count).map { "(\($0))" }
    }

    /// Parts that differ in the number of objects.
    private static func byObjects(_ name: String, _ description: String) -> [BBH] {
        [("five", 5), ("seven", 7), ("three", 3)].map { word, count in
            BBH("\(name)_\(word)_objects", letters(count), description)
        }
    }

    /// The 24 parts with answers to choose from.
    public static let parts: [BBH] =
        [
            BBH(
                "boolean_expressions", ["False", "True"],
                "Evaluate the result of a random Boolean expression."),
            BBH("causal_judgement", yesOrNo, "Answer questions about causal attribution."),
            BBH("date_understanding", letters(6), "Infer the date from context."),
            BBH(
                "disambiguation_qa", letters(3),
                "Clarify the meaning of sentences with ambiguous pronouns."),
            BBH(
                "formal_fallacies", ["valid", "invalid"],
                "Distinguish deductively valid arguments from formal fallacies."),
            BBH("geometric_shapes", letters(11), "Name geometric shapes from their SVG paths."),
            BBH("hyperbaton", letters(2), "Order adjectives correctly in English sentences."),
        ]
        + byObjects(
            "logical_deduction",
            "A logical deduction task which requires deducing the order of a sequence of objects.")
        + [
            BBH(
                "movie_recommendation", letters(6),
                "Recommend movies similar to the given list of movies."),
            BBH(
                "navigate", yesOrNo,
                "Given a series of navigation instructions, determine whether one would end up back at "
                    + "the starting point."),
            BBH(
                "object_counting", (0...18).map { "\($0)" },
                "Questions that involve enumerating objects and asking the model to count them."),
            BBH(
                "penguins_in_a_table", letters(5),
                "Answer questions about a table of penguins and their attributes."),
            BBH(
                "reasoning_about_colored_objects", letters(18),
                "Answer extremely simple questions about the colors of objects on a surface."),
            BBH(
                "ruin_names", letters(6),
                "Select the humorous edit that 'ruins' the input movie or musical artist name."),
            BBH(
                "salient_translation_error_detection", letters(6),
                "Detect the type of error in an English translation of a German source sentence."),
            BBH(
                "snarks", letters(2),
                """
                Determine which of two sentences is sarcastic.

                According to Cambridge University Dictionary, sarcasm is "the use of remarks that clearly mean \
                the opposite of what they say, made in order to hurt someone's feelings or to criticize \
                something in a humorous way." Sarcastic sentences often contain satirical or ironic \
                utterances, hyperboles, ambivalent or witty remarks.
                """),
            BBH(
                "sports_understanding", ["yes", "no"],
                "Determine whether an artificially constructed sentence relating to sports is plausible "
                    + "or not."),
            BBH(
                "temporal_sequences", letters(4),
                "Task description: Answer questions about which times certain events could have occurred."
            ),
        ]
        + byObjects(
            "tracking_shuffled_objects",
            "A task requiring determining the final positions of a set of objects given their initial "
                + "positions and a description of a sequence of swaps.")
        + [
            BBH(
                "web_of_lies", yesOrNo,
                "Evaluate a random boolean function expressed as a word problem.")
        ]
}
