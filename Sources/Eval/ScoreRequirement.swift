import FalconSystem

/// A bound that a score must keep, such as `arc_easy.acc_norm>=0.35`.
public struct ScoreRequirement: Equatable, Sendable {
    private enum Relation: String, CaseIterable {
        case atLeast = ">="
        case atMost = "<="
        case above = ">"
        case below = "<"

        func holds(_ value: Double, _ bound: Double) -> Bool {
            switch self {
            case .atLeast: value >= bound
            case .atMost: value <= bound
            case .above: value > bound
            case .below: value < bound
            }
        }
    }

    /// The requirement as it was written.
    public let text: String
    /// The task, group, suite or text.
    public let name: String
    /// Its metric.
    public let metric: String
    private let relation: Relation
    private let bound: Double

    /// Reads a requirement; nil if it is something else.
    ///
    /// - Parameter text: `NAME.METRIC`, a relation (`>=`, `<=`, `>` or `<`), and a number.
    public init?(_ text: String) {
        let bare = text.filter { $0 != " " }
        // The two-letter relations come first.
        for relation in Relation.allCases {
            let sides = bare.splitAsPython(relation.rawValue)
            guard sides.count == 2 else { continue }
            let place = sides[0].splitAsPython(".")
            guard let bound = Double(sides[1]), bound.isFinite, place.count > 1,
                !place[place.count - 1].isEmpty
            else { return nil }
            self.text = text
            name = place.dropLast().joined(separator: ".")
            metric = place[place.count - 1]
            self.relation = relation
            self.bound = bound
            return
        }
        return nil
    }

    /// Checks that there will be such a score.
    ///
    /// - Parameters:
    ///   - texts: the names of texts that will be scored.
    ///   - selection: the tasks; nil for none.
    /// - Throws: `EvaluationError.unknownScore`.
    public func requireMeasured(
        texts: [String], _ selection: TaskSelection?
    ) throws(EvaluationError) {
        let names = ["loss", "perplexity", "bits_per_byte"]
        if texts.contains(name) {
            if names.contains(metric) { return }
            throw .unknownScore(
                text: text, reason: "a text has \(names.joined(separator: ", ")), no \(metric)")
        }
        let known = texts + (selection?.names ?? [])
        guard let selection, selection.metrics(of: name) != nil else {
            let hint = suggestion(for: name, among: known).map { "; did you mean \($0)?" } ?? ""
            throw .unknownScore(text: text, reason: "\(name) will not be scored\(hint)")
        }
        if let problem = selection.problem(scoreOf: name, metric) {
            throw .unknownScore(text: text, reason: problem)
        }
    }

    /// The reason why a result does not keep the requirement.
    ///
    /// - Parameter result: the scores.
    /// - Returns: nil if it does; a score that is not a number, or is not there, does not.
    public func failure(in result: EvaluationResult) -> String? {
        guard let scores = result.scores(of: name) else {
            let known = result.names
            let hint = suggestion(for: name, among: known).map { "; did you mean \($0)?" } ?? ""
            return
                "\(text): there is no score of \(name)\(hint) (there are \(known.joined(separator: ", ")))"
        }
        guard let value = scores[metric] else {
            return
                "\(text): \(name) has no \(metric); it has \(scores.keys.sorted().joined(separator: ", "))"
        }
        return relation.holds(value, bound) ? nil : "\(text): \(name).\(metric) is \(value)"
    }
}

extension EvaluationResult {
    /// The names of all that has scores.
    var names: [String] {
        texts.keys.sorted() + tasks.keys.sorted() + (groups ?? [:]).keys.sorted()
            + (suites ?? [:]).keys.sorted()
    }

    /// The scores of a text, task, group or suite; nil if there are none.
    func scores(of name: String) -> [String: Double]? {
        if let score = texts[name]?.score {
            return [
                "loss": score.loss, "perplexity": score.perplexity,
                "bits_per_byte": score.bitsPerByte,
            ]
        }
        if let score = tasks[name] ?? groups?[name] { return score.metrics.mapValues(\.value) }
        return suites?[name].map { ["score": $0.score] }
    }
}
