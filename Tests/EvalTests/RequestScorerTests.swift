import FalconModel
import FalconTensor
import FalconTokenizer
import Testing

@testable import FalconEval

/// What is read once, and in what company, is no matter of what is computed.
@Suite struct RequestScorerTests {
    private static let limit = 200
    private let evaluator: Evaluator

    init() throws { evaluator = try EvaluatorTests.makeEvaluator(positions: Self.limit) }

    /// Tokens that depend on a seed, from a small set so that beginnings are often the same.
    private static func tokens(_ count: Int, _ seed: Int) -> [Int32] {
        (0..<count).map { Int32(5 + ($0 * $0 * 7 + $0 * seed * 3 + seed) % 50) }
    }

    /// Documents of all kinds: one request, several, equal ones, parts of others, too long ones.
    private static func documents(after shared: [Int32]) -> [[ScoringRequest]] {
        func request(_ before: [Int32], _ scored: [Int32]) -> ScoringRequest {
            ScoringRequest(before: before, scored: scored, limit: limit)
        }
        var documents: [[ScoringRequest]] = []
        for seed in 1...6 {
            let question = shared + tokens(3 + seed * 4, seed)
            documents.append((0..<4).map { request(question, tokens(1 + $0 * seed % 5, $0 + 20)) })
        }
        documents.append([request(shared + tokens(1, 1), tokens(9, 2))])
        documents.append([request(shared + [7], [8]), request(shared + [7], [9])])
        documents.append([request(shared + [7], [8, 9]), request(shared + [7], [8, 9])])
        documents.append([request(shared + [7], [8, 9]), request(shared + [7], [8])])
        documents.append([request([11], tokens(4, 3)), request([12], tokens(4, 3))])
        documents.append([
            request(shared + tokens(limit, 4), tokens(3, 5)),
            request(shared + tokens(limit, 4), tokens(4, 6)),
        ])
        return documents
    }

    private func answers(
        _ documents: [[ScoringRequest]], shared: [Int32] = [], rows: Int = 2048,
        by evaluator: Evaluator? = nil
    ) throws -> [ModelAnswer] {
        let evaluator = evaluator ?? self.evaluator
        let scorer = RequestScorer(
            evaluator.model, on: evaluator.device, shared: shared, rowLimit: rows)
        var answers: [ModelAnswer] = []
        try scorer.score(documents) { answers += $0 }
        return answers
    }

    /// Each request in a pass of its own, without memories.
    private func plain(_ documents: [[ScoringRequest]]) throws -> [ModelAnswer] {
        try documents.map { requests in
            try requests.reduce(into: ModelAnswer()) { all, request in
                let answer = try answers([[request]])[0]
                all.logLikelihoods += answer.logLikelihoods
                all.isGreedy += answer.isGreedy
            }
        }
    }

    @Test(arguments: [0, 80]) func sharedBeginningsChangeNothingButRounding(_ count: Int) throws {
        let shared = Self.tokens(count, 31)
        let documents = Self.documents(after: shared)
        let wanted = try plain(documents)
        let got = try answers(documents, shared: shared)
        #expect(got.count == documents.count)
        for (got, wanted) in zip(got, wanted) {
            #expect(got.isGreedy == wanted.isGreedy)
            #expect(got.logLikelihoods.count == wanted.logLikelihoods.count)
            for (a, b) in zip(got.logLikelihoods, wanted.logLikelihoods) {
                #expect(abs(a - b) <= 1e-5 * abs(b))
            }
        }
    }

    /// A beginning is counted once for all requests of a document, and not if it is remembered.
    @Test func rowsAreCountedAsTheyAreRead() throws {
        let shared = Self.tokens(80, 31)
        let scorer = RequestScorer(
            evaluator.model, on: evaluator.device, shared: shared, rowLimit: 2048)
        let tail = Self.tokens(5, 3)
        let two = [
            ScoringRequest(before: shared + tail, scored: [1, 2, 3], limit: 999),
            ScoringRequest(before: shared + tail, scored: [4, 5], limit: 999),
        ]
        // 5 rows for both, then 2 and 1 more.
        #expect(scorer.rowCount([two]) == 8)
        #expect(scorer.rowCount([two, [two[0]]]) == 8 + 7)
        let other = ScoringRequest(before: tail, scored: [1, 2, 3], limit: 999)
        #expect(scorer.rowCount([[other]]) == 7)
    }

    @Test(arguments: [0, 80]) func batchesOrderAndThreadsChangeNoBit(_ count: Int) throws {
        let shared = Self.tokens(count, 31)
        let documents = Self.documents(after: shared)
        let wanted = try answers(documents, shared: shared)
        for rows in [1, 40, 300] {
            #expect(try answers(documents, shared: shared, rows: rows) == wanted)
        }
        #expect(try answers(documents.reversed(), shared: shared) == wanted.reversed())
        #expect(try answers(Array(documents.prefix(3)), shared: shared) == Array(wanted.prefix(3)))
        for threads in [1, 3] {
            let other = try EvaluatorTests.makeEvaluator(
                threadCount: threads, positions: Self.limit)
            #expect(try answers(documents, shared: shared, by: other) == wanted)
        }
    }

    /// The token with the largest logit at each place is the most probable text.
    @Test func theMostProbableTextIsFound() throws {
        var text = Self.tokens(6, 9)
        let before = text.count
        for _ in 0..<5 {
            let logits = evaluator.model.prefill(
                text, evaluator.model.makeState(on: evaluator.device), on: evaluator.device)
            text.append(Int32(logits.firstIndex(of: logits.max() ?? 0) ?? 0))
        }
        var other = Array(text[before...])
        other[4] = other[4] == 5 ? 6 : 5
        let answer = try answers([
            [Array(text[before...]), other].map {
                ScoringRequest(before: Array(text[..<before]), scored: $0, limit: Self.limit)
            }
        ])[0]
        #expect(answer.isGreedy == [true, false])
        #expect(answer.logLikelihoods[0] > answer.logLikelihoods[1])
    }

    // MARK: Long texts

    /// Tokens 0 to 9 in windows of 4, as the harness's own example has them.
    @Test func windowsScoreEveryTokenOnce() {
        let windows = RollingWindows.requests(Array(0..<10), prefix: 99, length: 4)
        #expect(windows.map { Array($0.inputs) } == [[99, 0, 1, 2], [3, 4, 5, 6], [5, 6, 7, 8]])
        #expect(
            windows.map { Array($0.tokens.suffix($0.scoredCount)) } == [
                [0, 1, 2, 3], [4, 5, 6, 7], [8, 9],
            ])
        let short = RollingWindows.requests([1, 2], prefix: 99, length: 4)
        #expect(short.map(\.tokens) == [[99, 1, 2]] && short[0].scoredCount == 2)
        #expect(RollingWindows.requests([], prefix: 9, length: 4).isEmpty)
        for count in 1...30 {
            let tokens = (0..<count).map(Int32.init)
            let windows = RollingWindows.requests(tokens, prefix: 99, length: 7)
            #expect(windows.flatMap { $0.tokens.suffix($0.scoredCount) } == tokens)
            #expect(windows.allSatisfy { $0.inputs.count <= 7 && $0.firstScoredRow >= 0 })
        }
    }

    // MARK: Writing

    private func written(
        _ prompts: [TextWriter.Prompt], by evaluator: Evaluator
    ) throws -> [String] {
        var texts: [String] = []
        let writer = TextWriter(evaluator.model, evaluator.tokenizer, on: evaluator.device)
        try writer.write(prompts) { texts += $0 }
        return texts
    }

    @Test func textsWrittenSideBySideAreThoseWrittenAlone() throws {
        let evaluator = try EvaluatorTests.makeEvaluator(positions: 300)
        let prompts = (1...5).map {
            TextWriter.Prompt(tokens: Self.tokens($0 * 7, $0), until: [], tokenLimit: 240 + $0)
        }
        let together = try written(prompts, by: evaluator)
        for (prompt, text) in zip(prompts, together) {
            #expect(try written([prompt], by: evaluator) == [text])
            // The tokens of the command that generates.
            var tokens: [Int32] = []
            try evaluator.model.generate(
                from: Array(prompt.tokens.suffix(300 - prompt.tokenLimit)),
                maxTokens: prompt.tokenLimit,
                sampler: TokenSampler(temperature: 0, topP: 1, seed: 0),
                end: evaluator.tokenizer.eosID, on: evaluator.device
            ) {
                tokens.append($0); return true
            }
            #expect(try evaluator.tokenizer.decode(tokens) == text)
        }
        // An end that is a part of the text cuts it there; one that is not changes nothing.
        let whole = Array(together[0].unicodeScalars)
        try #require(whole.count > 20)
        let end = String(String.UnicodeScalarView(whole[10..<13]))
        var prompt = prompts[0]
        prompt.until = ["\u{1}", end]
        let cut = try written([prompt], by: evaluator)[0]
        #expect(cut == together[0].splitAsPython(end)[0] && cut.utf8.count < together[0].utf8.count)
        prompt.until = ["\u{1}"]
        #expect(try written([prompt], by: evaluator) == [together[0]])
    }
}
