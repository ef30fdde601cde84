/// A record of a task, ready to be answered.
public struct TaskDocument: Equatable, Sendable {
    /// What a model is asked.
    public enum Request: Equatable, Sendable {
        /// The log-likelihoods of several answers.
        ///
        /// There is one question for all, or one for each answer. `right` are the places of the right
        /// answers. Between question and answer stands a space.
        case choices(questions: [String], answers: [String], right: Set<Int>)
        /// The log-likelihood of one text after another, with nothing in between.
        case continuation(context: String, text: String)
        /// The log-likelihood of a long text, in windows; words and bytes are those of its original.
        case rolling(text: String, words: Int, bytes: Int)
        /// The most probable text after a question.
        case generation(Writing)
    }

    /// A text to be written.
    public struct Writing: Equatable, Sendable {
        /// The text before.
        public var question: String
        /// Texts that end it; they do not belong to it.
        public var until: [String]
        /// Right texts; the first one stands in examples.
        public var references: [String]
        /// The most tokens that are written; 256 is lm-evaluation-harness's default.
        public var tokenLimit = 256

        /// The text after the question, where it is an example.
        var example: String { references.first ?? "" }
    }

    /// What a model is asked.
    public let request: Request

    /// A document.
    ///
    /// - Parameter request: what a model is asked.
    public init(_ request: Request) { self.request = request }

    /// A question with answers to choose from.
    ///
    /// - Parameters:
    ///   - question: the text before the answer.
    ///   - answers: the answers, without the space before each.
    ///   - right: the place of the right one.
    public init(question: String, answers: [String], right: Int) {
        request = .choices(questions: [question], answers: answers, right: [right])
    }

    /// The document as an example for others: its question, a space and its right answer; nil for a
    /// long text.
    var example: String? {
        switch request {
        case .choices(let questions, let answers, let right):
            let place = right.min() ?? 0
            return questions[questions.count == 1 ? 0 : place] + " " + answers[place]
        case .continuation(let context, let text): return context + " " + text
        case .rolling: return nil
        case .generation(let writing): return writing.question + " " + writing.example
        }
    }

    /// The texts of each log-likelihood: before and scored.
    ///
    /// - Parameter prefix: the text before the question: preamble and examples.
    /// - Returns: pairs in the order of the answers; none for long texts and generation.
    func pairs(after prefix: String) -> [(context: String, continuation: String)] {
        switch request {
        case .choices(let questions, let answers, _):
            return answers.indices.map {
                (prefix + questions[questions.count == 1 ? 0 : $0], " " + answers[$0])
            }
        case .continuation(let context, let text): return [(prefix + context, text)]
        case .rolling, .generation: return []
        }
    }
}
