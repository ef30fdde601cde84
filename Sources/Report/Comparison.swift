import FalconRunRecord
import FalconSweep
import FalconSystem

/// A configuration with its runs.
struct ConfigurationResult {
    let configuration: [String: String]
    let runs: [ReportRun]
    let label: String
    /// The best rate, by the seeds that all rates have.
    let bestRate: Double?
    let isAtEdge: Bool

    init(_ configuration: [String: String], _ runs: [ReportRun], label: String) {
        self.configuration = configuration
        self.runs = runs
        self.label = label
        let best = RatedRun.best(
            runs.filter { [.finished, .diverged].contains($0.status) }.map { run in
                RatedRun(
                    learningRate: run.learningRate, seed: run.seed,
                    objective: run.status == .finished ? run.cost ?? .infinity : .infinity)
            }, tried: runs.map(\.learningRate))
        bestRate = best?.learningRate
        isAtEdge = best?.isAtEdge ?? false
    }

    /// The finished runs at the best rate, by seed.
    var best: [ReportRun] {
        runs.filter { $0.learningRate == bestRate && $0.status == .finished && $0.objective != nil }
            .sorted { $0.seed < $1.seed }
    }

    var bestValues: [Double] { best.compactMap(\.objective) }

    private var meanCost: Double { Statistics.mean(best.compactMap(\.cost)) }
}

/// The difference between two configurations, each at its best learning rate.
public struct Verdict: Encodable, Equatable, Sendable {
    /// The better one, by its mean.
    public let better: String
    /// The other.
    public let worse: String
    /// `nats` of loss, or `bits a byte` for one text that was cut into different tokens.
    public let unit: String
    /// worse − better, with Welch's interval.
    public let difference: Interval
    /// The same over runs of equal seeds, which saw the same data; nil if there are none.
    public let paired: Interval?
    /// The verdict in words.
    public let text: String
}

extension ConfigurationResult {
    /// The most values of a key for which all pairs are compared; with more, the best is compared
    /// with each of the others.
    private static let pairLimit = 3

    /// The verdicts on configurations that differ in one key, and the reasons why some have none.
    static func verdicts(
        _ results: [ConfigurationResult]
    ) -> (verdicts: [Verdict], refusals: [String]) {
        let keys = Set(results.flatMap(\.configuration.keys)).sorted()
        var (verdicts, refusals): ([Verdict], [String]) = ([], [])
        for key in keys {
            var groups: [(rest: [String: String], results: [ConfigurationResult])] = []
            for result in results where !result.bestValues.isEmpty {
                let rest = result.configuration.filter { $0.key != key }
                if let place = groups.firstIndex(where: { $0.rest == rest }) {
                    groups[place].results.append(result)
                } else {
                    groups.append((rest, [result]))
                }
            }
            for group in groups {
                for (one, other) in pairs(group.results) {
                    switch comparison(one, other) {
                    case .some(let unit): verdicts.append(verdict(one, other, key, unit))
                    case .none: refusals.append(refusal(one, other, key))
                    }
                }
            }
        }
        return (verdicts, refusals)
    }

    private static func pairs(
        _ results: [ConfigurationResult]
    ) -> [(ConfigurationResult, ConfigurationResult)] {
        if results.count <= pairLimit {
            return results.indices.flatMap { first in
                results[(first + 1)...].map { (results[first], $0) }
            }
        }
        // "The best" is the best of those whose losses can be compared.
        var groups: [[ConfigurationResult]] = []
        for result in results {
            if let place = groups.firstIndex(where: { comparison($0[0], result) == .objective }) {
                groups[place].append(result)
            } else {
                groups.append([result])
            }
        }
        let bests = groups.compactMap { group in
            group.indices.min {
                group[$0].meanCost < group[$1].meanCost
            }
        }
        let within = zip(groups, bests).flatMap { group, best in
            group.indices.filter { $0 != best }.map { (group[best], group[$0]) }
        }
        let across = groups.indices.flatMap { first in
            groups.indices.filter { $0 > first }.map {
                (groups[first][bests[first]], groups[$0][bests[$0]])
            }
        }
        return within + across
    }

    /// The unit in which two configurations can be compared; nil if there is none.
    private static func comparison(
        _ one: ConfigurationResult, _ other: ConfigurationResult
    ) -> Unit? {
        func all(_ holds: (Measurement, Measurement) -> Bool) -> Bool {
            one.best.allSatisfy { a in
                other.best.allSatisfy { holds(a.measurement, $0.measurement) }
            }
        }
        if all({ $0.isSame(as: $1) }) { return .objective }
        let haveBits = (one.best + other.best).allSatisfy {
            $0.result.validationBitsPerByte?.isFinite == true
        }
        return haveBits && all({ $0.isSameText(as: $1) }) ? .bits : nil
    }

    /// The unit of a difference.
    private enum Unit {
        /// That of the objective.
        case objective
        case bits

        /// The number of which less is better.
        func cost(_ run: ReportRun) -> Double? {
            self == .objective ? run.cost : run.result.validationBitsPerByte
        }

        /// The name of the unit of a run's number.
        func name(_ run: ReportRun?) -> String {
            if self == .bits { return "bits a byte" }
            guard case .score(_, let metric) = run?.measurement.objective else { return "nats" }
            return metric
        }
    }

    private static func refusal(
        _ one: ConfigurationResult, _ other: ConfigurationResult, _ key: String
    ) -> String {
        let reason = one.best.first.flatMap { a in
            other.best.first.map { a.measurement.difference(from: $0.measurement) }
        }
        return
            "\(one.name(key)) and \(other.name(key)) are not compared: their losses are not of the "
            + "same measure, \(reason ?? "or none"); score both on one text with falcon eval --text and "
            + "compare bits a byte"
    }

    private func name(_ key: String) -> String {
        configuration[key].map { Self.words(key, $0) } ?? "none"
    }

    /// A value in a sentence; numbers, true and false need the last word of their key.
    private static func words(_ key: String, _ value: String) -> String {
        let saysItself = Double(value) == nil && !["true", "false", "null"].contains(value)
        return saysItself ? value : "\(key.split(separator: ".").last ?? "") \(value)"
    }

    private static func verdict(
        _ one: ConfigurationResult, _ other: ConfigurationResult, _ key: String, _ unit: Unit
    ) -> Verdict {
        func values(_ result: ConfigurationResult) -> [Double] {
            result.best.compactMap(unit.cost)
        }
        let isFirst = Statistics.mean(values(one)) <= Statistics.mean(values(other))
        let (better, worse) = isFirst ? (one, other) : (other, one)
        let difference = Interval.difference(values(worse), values(better))
        let byDifference = better.best.compactMap { run in
            worse.best.first { $0.seed == run.seed }.flatMap { match in
                unit.cost(match).flatMap { a in unit.cost(run).map { a - $0 } }
            }
        }
        let paired = byDifference.count > 1 ? Interval(byDifference) : nil
        let rest = one.configuration.filter { $0.key != key }.sorted { $0.key < $1.key }
        let context =
            rest.isEmpty
            ? "" : " with " + rest.map { words($0.key, $0.value) }.joined(separator: ", ")
        let seeds =
            better.best.count == worse.best.count
            ? "\(better.best.count) seeds each"
            : "\(better.best.count) and \(worse.best.count) seeds"
        let unitName = unit.name(better.best.first)
        var text: String
        if let half = difference.half {
            let size = "\(nats(difference.mean)) ± \(nats(half)) \(unitName)"
            text =
                difference.mean > half
                ? "\(better.name(key)) beats \(worse.name(key))\(context) by \(size) (\(seeds))"
                : "no difference between \(better.name(key)) and \(worse.name(key))\(context) that "
                    + "\(seeds) can show: \(size)"
            if let paired, let half = paired.half {
                text += "; paired by seed \(nats(paired.mean)) ± \(nats(half))"
            }
        } else {
            let relation =
                difference.mean == 0
                ? "ends as" : "is better by \(nats(difference.mean)) \(unitName) than"
            text =
                "\(better.name(key)) \(relation) \(worse.name(key))\(context); "
                + (difference.count == 1 ? "one seed: no interval" : "no interval")
        }
        for result in [better, worse] where result.isAtEdge {
            text += "; the best rate of \(result.name(key)) lies at the edge of its grid"
        }
        return Verdict(
            better: better.label, worse: worse.label, unit: unitName, difference: difference,
            paired: paired, text: text + ".")
    }
}

/// A loss or difference with four decimals.
func nats(_ value: Double) -> String { decimal(value, places: 4) }
