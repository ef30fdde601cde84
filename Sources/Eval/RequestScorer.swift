import FalconModel
import FalconTensor

/// Scores the requests of documents, many documents a pass of the model.
///
/// The rows that all requests of a document begin with are read once, and so is the beginning that all
/// documents share: its memory is continued. Rows are packed without padding, and no row's numbers depend on
/// the other documents of the pass: a document's bits follow from its own tokens.
final class RequestScorer {
    /// The fewest tokens of a shared beginning that are worth a memory of their own.
    private static let leastShared = 64
    /// The most bytes of memories of documents at a time.
    private static let memoryBytes = 512 << 20

    private let model: any LanguageModel
    private let device: Device
    private let shared: [Int32]
    private let rowLimit: Int
    /// Memories of the shared beginning, by their number of tokens.
    private var memories: [Int: GenerationState] = [:]
    private let documentLimit: Int

    /// A scorer.
    ///
    /// - Parameters:
    ///   - model: with weights.
    ///   - device: the device that holds the model.
    ///   - shared: tokens that many documents begin with; empty for none.
    ///   - rowLimit: rows of a pass, exceeded by a longer document alone.
    init(_ model: any LanguageModel, on device: Device, shared: [Int32], rowLimit: Int) {
        self.model = model
        self.device = device
        self.shared = shared
        self.rowLimit = rowLimit
        documentLimit = max(
            1, Self.memoryBytes / max(1, model.makeState(on: device).byteCount))
    }

    /// The rows of one document, and where its scored tokens are predicted.
    private struct Plan {
        let requests: [ScoringRequest]
        /// Tokens of the shared beginning that are not read again.
        let start: Int
        /// The end of the rows that all requests share.
        let middle: Int
        /// The requests' rows behind those.
        var tails: [ArraySlice<Int32>] { requests.map { $0.inputs.dropFirst(middle) } }
        var hasTails: Bool { requests.contains { $0.inputs.count > middle } }
        var rowCount: Int {
            middle - start + requests.reduce(0) { $0 + $1.inputs.count - middle }
        }
    }

    private func plan(_ requests: [ScoringRequest]) -> Plan {
        let first = requests[0]
        let firstScored = requests.reduce(first.firstScoredRow) { min($0, $1.firstScoredRow) }
        let middle = requests.reduce(first.inputs.count) {
            min($0, Self.common(first.inputs, $1.inputs))
        }
        let known = min(Self.common(shared[...], first.inputs), firstScored, middle - 1)
        let start = known < Self.leastShared ? 0 : known
        let plan = Plan(requests: requests, start: start, middle: middle)
        // A memory that one row is moved past takes a way of its own through the scan if no segment of the
        // pass is longer, with other rounding; and there is little to share.
        let isShort = plan.hasTails && middle < start + 2
        return isShort ? Plan(requests: requests, start: start, middle: start) : plan
    }

    /// The number of equal tokens at the start.
    private static func common(_ a: ArraySlice<Int32>, _ b: ArraySlice<Int32>) -> Int {
        zip(a, b).prefix { $0 == $1 }.count
    }

    /// Scores the requests of documents.
    ///
    /// - Parameters:
    ///   - documents: the requests of each, at least one.
    ///   - onAnswers: takes the answers of some documents, in order: one a request.
    /// - Throws: errors of `onAnswers`.
    func score(
        _ documents: [[ScoringRequest]], onAnswers: ([ModelAnswer]) throws -> Void
    ) throws {
        var batch: [Plan] = []
        var rows = 0
        func run() throws {
            if !batch.isEmpty { try onAnswers(answers(batch)) }
            (batch, rows) = ([], 0)
        }
        for requests in documents {
            let plan = plan(requests)
            if rows + plan.rowCount > rowLimit || batch.count == documentLimit { try run() }
            batch.append(plan)
            rows += plan.rowCount
        }
        try run()
    }

    /// The number of rows that the passes for some documents have.
    func rowCount(_ documents: [[ScoringRequest]]) -> Int {
        documents.reduce(0) { $0 + plan($1).rowCount }
    }

    /// The memory of the first tokens of the shared beginning.
    private func memory(of count: Int) -> GenerationState {
        if let memory = memories[count] { return memory }
        let memory = model.makeState(on: device)
        _ = model.prefill(Array(shared.prefix(count)), memory, on: device)
        memories[count] = memory
        return memory
    }

    private func answers(_ plans: [Plan]) -> [ModelAnswer] {
        // First what the requests of a document share, then the rest of each.
        var (middles, tails) = (Rows(), Rows())
        var places: [[(middle: Int, tail: Int)]] = []
        for plan in plans {
            let known = plan.start > 0 ? memory(of: plan.start) : nil
            var memory = known.map { SegmentMemory($0, advances: false) }
            if plan.hasTails && plan.middle > plan.start {
                memory = SegmentMemory(
                    known?.copy(room: plan.middle - plan.start, on: device)
                        ?? model.makeState(on: device))
            }
            let middle = middles.add(
                plan.requests[0].inputs.prefix(plan.middle).dropFirst(plan.start), memory)
            let remembered = memory.map { SegmentMemory($0.state, advances: false) }
            places.append(plan.tails.map { (middle - plan.start, tails.add($0, remembered)) })
        }
        for (plan, places) in zip(plans, places) {
            for (request, place) in zip(plan.requests, places) {
                for row in request.firstScoredRow..<request.inputs.count {
                    let target = request.tokens[row + 1]
                    if row < plan.middle {
                        middles.wanted.append((place.middle + row, target))
                    } else {
                        tails.wanted.append((place.tail + row - plan.middle, target))
                    }
                }
            }
        }
        var results = [results(of: middles)[...], results(of: tails)[...]]
        return plans.map { plan in
            var answer = ModelAnswer()
            for request in plan.requests {
                var (sum, isGreedy) = (0.0, true)
                for row in request.firstScoredRow..<request.inputs.count {
                    let result = results[row < plan.middle ? 0 : 1].removeFirst()
                    sum -= Double(result.loss)
                    isGreedy = isGreedy && result.best == request.tokens[row + 1]
                }
                answer.logLikelihoods.append(sum)
                answer.isGreedy.append(isGreedy)
            }
            return answer
        }
    }

    /// The rows of one pass.
    private struct Rows {
        var tokens: [Int32] = []
        var offsets = [0]
        var memories: [SegmentMemory?] = []
        /// Rows whose next token is wanted, with that token.
        var wanted: [(row: Int, target: Int32)] = []

        /// Adds a segment, if it has rows, and returns its first row.
        mutating func add(_ segment: ArraySlice<Int32>, _ memory: SegmentMemory?) -> Int {
            let first = tokens.count
            if segment.isEmpty { return first }
            tokens += segment
            offsets.append(tokens.count)
            memories.append(memory)
            return first
        }
    }

    /// The losses and the most probable tokens at the rows wanted.
    private func results(of rows: Rows) -> [(loss: Float, best: Int32)] {
        if rows.tokens.isEmpty { return [] }
        // Bits must not depend on the company, so neither pass nor head may have few rows.
        var rows = rows
        let missing = Device.steadyRowCount - rows.tokens.count
        if missing > 0 { _ = rows.add([Int32](repeating: 0, count: missing)[...], nil) }
        let count = rows.wanted.count
        while !rows.wanted.isEmpty && rows.wanted.count < Device.steadyRowCount {
            rows.wanted.append(rows.wanted[0])
        }
        var tape = Tape(on: device, isRecording: false)
        let hidden = model.hidden(
            device.indices(rows.tokens), segments: Segments(offsets: rows.offsets),
            memories: rows.memories.contains { $0 != nil } ? rows.memories : [], on: &tape)
        if rows.wanted.isEmpty { return [] }
        let wanted = gather(
            hidden, rows: device.indices(rows.wanted.map { Int32($0.row) }), on: tape)
        let scored = model.losses(
            wanted, targets: device.indices(rows.wanted.map(\.target)), wantsBest: true, on: &tape)
        return zip(scored.losses.toArray(), scored.best?.toArray() ?? []).prefix(count).map {
            ($0, $1)
        }
    }
}
