import FalconModel
import FalconTensor
import FalconTokenizer

// Answers to the documents of a task.
extension Evaluator {
    /// The usual number of rows in a pass of the model.
    public static let usualRows = 2048

    /// Answers documents of a task.
    ///
    /// - Parameters:
    ///   - data: the documents.
    ///   - documents: those to answer.
    ///   - rows: rows of a pass of the model; results do not depend on it.
    ///   - onAnswers: takes the answers to some documents, in order.
    /// - Throws: `TokenizerError` if a text cannot be encoded; `EvaluationError` if the model's context is too
    ///   short; errors of `onAnswers`.
    public func answer(
        _ data: TaskData, documents: Range<Int>, rows: Int = usualRows,
        onAnswers: ([ModelAnswer]) throws -> Void
    ) throws {
        guard let first = documents.first else { return }
        switch data.documents[first].request {
        case .choices, .continuation:
            let scorer = RequestScorer(
                model, on: device, shared: try prompts.prompt(data.shared),
                rowLimit: rows)
            try inPieces(documents) { piece in
                try scorer.score(
                    piece.map { try requests(data.documents[$0].pairs(after: data.prefixes[$0])) },
                    onAnswers: onAnswers)
            }
        case .rolling:
            let scorer = RequestScorer(model, on: device, shared: [], rowLimit: rows)
            for index in documents {
                try onAnswers([try answer(rolling: data.documents[index], scorer)])
            }
        case .generation:
            let positions = model.configuration.maxPositionEmbeddings
            guard positions > TextWriter.tokenLimit else {
                throw EvaluationError.contextTooShort(
                    task: data.task.name, positions: positions, wanted: TextWriter.tokenLimit)
            }
            let writer = TextWriter(model, tokenizer, on: device)
            try inPieces(documents) { piece in
                let prompts = try piece.map { index in
                    guard
                        case .generation(let question, let until, _) = data.documents[index].request
                    else { preconditionFailure("a task of several kinds of requests") }
                    let tokens = try self.prompts.prompt(data.prefixes[index] + question)
                    return (tokens.isEmpty ? [self.prompts.prefix] : tokens, until)
                }
                try writer.write(prompts) { texts in
                    try onAnswers(texts.map { ModelAnswer(text: $0) })
                }
            }
        }
    }

    /// Runs work on a few thousand documents at a time, so that not all tokens are in memory.
    private func inPieces(_ documents: Range<Int>, _ work: (Range<Int>) throws -> Void) rethrows {
        for start in stride(from: documents.lowerBound, to: documents.upperBound, by: 1024) {
            try work(start..<min(start + 1024, documents.upperBound))
        }
    }

    /// The requests of a document, one for each scored text.
    private func requests(
        _ pairs: [(context: String, continuation: String)]
    ) throws -> [ScoringRequest] {
        try pairs.map { context, continuation in
            let (before, scored) = try prompts.pair(context, continuation)
            return ScoringRequest(
                before: before, scored: scored,
                limit: model.configuration.maxPositionEmbeddings)
        }
    }

    private func answer(rolling document: TaskDocument, _ scorer: RequestScorer) throws
        -> ModelAnswer
    {
        guard case .rolling(let text, _, _) = document.request else {
            preconditionFailure("a task of several kinds of requests")
        }
        let windows = RollingWindows.requests(
            try prompts.prompt(text), prefix: prompts.prefix,
            length: model.configuration.maxPositionEmbeddings)
        var answer = ModelAnswer(logLikelihoods: [0], isGreedy: [true])
        // Each window is a document of its own.
        try scorer.score(windows.map { [$0] }) { answers in
            for window in answers {
                answer.logLikelihoods[0] += window.logLikelihoods[0]
                answer.isGreedy[0] = answer.isGreedy[0] && window.isGreedy[0]
            }
        }
        return answer
    }

    /// Σ log p of each continuation's tokens given the context, as lm-evaluation-harness forms it.
    ///
    /// - Parameters:
    ///   - context: the text before.
    ///   - continuations: at least one, none empty.
    /// - Returns: sums in nats, by continuation.
    /// - Throws: `TokenizerError` if a text cannot be encoded.
    public func logLikelihoods(context: String, continuations: [String]) throws -> [Double] {
        let requests = try requests(continuations.map { (context, $0) })
        var sums: [Double] = []
        let scorer = RequestScorer(model, on: device, shared: [], rowLimit: Self.usualRows)
        try scorer.score([requests]) { sums += $0.flatMap(\.logLikelihoods) }
        return sums
    }
}
