import FalconModel
import FalconRanks
import FalconTensor
import FalconTokenizer

// Answers to the documents of a task.
extension Evaluator {
    /// The usual number of rows in a pass of the model.
    public static let usualRows = 2048
    /// The most documents that are answered side by side if their answers are written.
    public static let writtenTogether = TextWriter.batchCount

    /// Documents that a rank answers before all tell each other their answers.
    private static let dealtTogether = 256

    /// Answers documents of a task, dealt out to the ranks.
    ///
    /// - Parameters:
    ///   - data: the documents.
    ///   - documents: those to answer.
    ///   - rows: rows of a pass of the model; results do not depend on it.
    ///   - onAnswers: takes the answers to some documents, in order; on every rank those of all.
    /// - Throws: `TokenizerError` if a text cannot be encoded; `EvaluationError` if the model's context is too
    ///   short; errors of `onAnswers`; `RankFailure` if a rank has failed.
    public func answer(
        _ data: TaskData, documents: Range<Int>, rows: Int = usualRows,
        onAnswers: ([ModelAnswer]) throws -> Void
    ) throws {
        guard ranks.link != nil else {
            return try answerAlone(data, documents: documents, rows: rows, onAnswers: onAnswers)
        }
        var start = documents.lowerBound
        while start < documents.upperBound {
            let share = min(
                Self.dealtTogether, (documents.upperBound - start + ranks.count - 1) / ranks.count)
            func place(_ rank: Int) -> Int { min(start + rank * share, documents.upperBound) }
            var own: [ModelAnswer] = []
            try answerAlone(
                data, documents: place(ranks.rank)..<place(ranks.rank + 1), rows: rows
            ) {
                own += $0
                ranks.note("answering \(data.task.name), document \(place(ranks.rank) + own.count)")
            }
            try onAnswers(try ranks.gather(ModelAnswer.bytes(of: own)).flatMap(ModelAnswer.answers))
            start = place(ranks.count)
        }
    }

    private func answerAlone(
        _ data: TaskData, documents: Range<Int>, rows: Int,
        onAnswers: ([ModelAnswer]) throws -> Void
    ) throws {
        guard let first = documents.first else { return }
        if case .generation = data.documents[first].request {
            let writer = TextWriter(model, tokenizer, on: device)
            return try inPieces(documents) { piece in
                try writer.write(try piece.map { try prompt(data, document: $0) }) { texts in
                    try onAnswers(texts.map { ModelAnswer(text: $0) })
                }
            }
        }
        let scorer = try scorer(of: data, rows: rows)
        if case .rolling = data.documents[first].request {
            for index in documents {
                try onAnswers([try answer(windows: windows(data.documents[index]), scorer)])
            }
            return
        }
        try inPieces(documents) { piece in
            try scorer.score(
                piece.map { try requests(data, document: $0) },
                onAnswers: onAnswers)
        }
    }

    /// Runs work on a few thousand documents at a time, so that not all tokens are in memory.
    private func inPieces(_ documents: Range<Int>, _ work: (Range<Int>) throws -> Void) rethrows {
        for start in stride(from: documents.lowerBound, to: documents.upperBound, by: 1024) {
            try work(start..<min(start + 1024, documents.upperBound))
        }
    }

    /// The requests of a document of a task.
    private func requests(_ data: TaskData, document index: Int) throws -> [ScoringRequest] {
        try requests(
            data.documents[index].pairs(after: data.prefixes[index]),
            place: "\(data.path), document \(index)")
    }

    /// The requests of a document, one for each scored text.
    private func requests(
        _ pairs: [(context: String, continuation: String)], place: @autoclosure () -> String
    ) throws -> [ScoringRequest] {
        let positions = model.configuration.maxPositionEmbeddings
        return try pairs.map { context, continuation in
            let (before, scored) = try prompts.pair(context, continuation)
            if scored.count > positions {
                throw EvaluationError.answerTooLong(
                    place: place(), tokens: scored.count, positions: positions)
            }
            return ScoringRequest(before: before, scored: scored, limit: positions)
        }
    }

    private func scorer(of data: TaskData, rows: Int) throws -> RequestScorer {
        RequestScorer(model, on: device, shared: try prompts.prompt(data.shared), rowLimit: rows)
    }

    /// The prompt of a document whose answer is written.
    private func prompt(_ data: TaskData, document index: Int) throws -> TextWriter.Prompt {
        guard case .generation(let writing) = data.documents[index].request else {
            preconditionFailure("a task of several kinds of requests")
        }
        let positions = model.configuration.maxPositionEmbeddings
        guard positions > writing.tokenLimit else {
            throw EvaluationError.contextTooShort(
                task: data.task.name, positions: positions, wanted: writing.tokenLimit)
        }
        let tokens = try prompts.prompt(data.prefixes[index] + writing.question)
        return TextWriter.Prompt(
            tokens: tokens.isEmpty ? [prompts.prefix] : tokens, until: writing.until,
            tokenLimit: writing.tokenLimit)
    }

    /// The windows of a long text, each scored as a document of its own.
    private func windows(_ document: TaskDocument) throws -> [[ScoringRequest]] {
        guard case .rolling(let text, _, _) = document.request else {
            preconditionFailure("a task of several kinds of requests")
        }
        return RollingWindows.requests(
            try prompts.prompt(text), prefix: prompts.prefix,
            length: model.configuration.maxPositionEmbeddings
        ).map { [$0] }
    }

    private func answer(
        windows: [[ScoringRequest]], _ scorer: RequestScorer
    ) throws -> ModelAnswer {
        var answer = ModelAnswer(logLikelihoods: [0], isGreedy: [true])
        try scorer.score(windows) { answers in
            for window in answers {
                answer.logLikelihoods[0] += window.logLikelihoods[0]
                answer.isGreedy[0] = answer.isGreedy[0] && window.isGreedy[0]
            }
        }
        return answer
    }

    /// Counts the tokens that the model reads to answer a task: rows of its passes.
    ///
    /// - Parameter data: the documents.
    /// - Returns: the count; a text to be written counts with its prompt and the most tokens that it may have.
    /// - Throws: as `answer`.
    public func tokensRead(_ data: TaskData) throws -> Int {
        let scorer = try scorer(of: data, rows: Self.usualRows)
        return try data.documents.indices.reduce(0) { sum, index in
            let document = data.documents[index]
            switch document.request {
            case .choices, .continuation:
                return sum + scorer.rowCount([try requests(data, document: index)])
            case .rolling: return sum + scorer.rowCount(try windows(document))
            case .generation:
                let prompt = try prompt(data, document: index)
                return sum + prompt.tokens.count + prompt.tokenLimit
            }
        }
    }

    /// Σ log p of each continuation's tokens given the context, as lm-evaluation-harness forms it.
    ///
    /// - Parameters:
    ///   - context: the text before.
    ///   - continuations: at least one, none empty.
    /// - Returns: sums in nats, by continuation.
    /// - Throws: `TokenizerError` if a text cannot be encoded.
    public func logLikelihoods(context: String, continuations: [String]) throws -> [Double] {
        let requests = try requests(
            continuations.map { (context, $0) }, place: "a continuation")
        var sums: [Double] = []
        let scorer = RequestScorer(model, on: device, shared: [], rowLimit: Self.usualRows)
        try scorer.score([requests]) { sums += $0.flatMap(\.logLikelihoods) }
        return sums
    }
}
