import FalconSweep

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
                    objective: run.status == .finished ? run.objective ?? .infinity : .infinity)
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
}

/// The difference of two configurations, each at its best learning rate.
public struct Verdict: Encodable, Equatable, Sendable {
    /// The better one, by its mean.
    public let better: String
    /// The other.
    public let worse: String
    /// worse − better, in nats; Welch's interval.
    public let difference: Interval
    /// The same over runs of equal seeds, which saw the same data; nil without such.
    public let paired: Interval?
    /// In words.
    public let text: String
}

extension ConfigurationResult {
    /// Values of a key up to which all pairs are compared; of more, the best with each of the others.
    private static let pairLimit = 3

    /// The verdicts on configurations that differ in one key.
    static func verdicts(_ results: [ConfigurationResult]) -> [Verdict] {
        let keys = Set(results.flatMap(\.configuration.keys)).sorted()
        return keys.flatMap { key -> [Verdict] in
            var groups: [(rest: [String: String], results: [ConfigurationResult])] = []
            for result in results where !result.bestValues.isEmpty {
                let rest = result.configuration.filter { $0.key != key }
                if let place = groups.firstIndex(where: { $0.rest == rest }) {
                    groups[place].results.append(result)
                } else {
                    groups.append((rest, [result]))
                }
            }
            return groups.flatMap { pairs($0.results).map { verdict($0, $1, key) } }
        }
    }

    private static func pairs(
        _ results: [ConfigurationResult]
    ) -> [(ConfigurationResult, ConfigurationResult)] {
        if results.count <= pairLimit {
            return results.indices.flatMap { first in
                results[(first + 1)...].map { (results[first], $0) }
            }
        }
        let best = results.indices.min {
            Statistics.mean(results[$0].bestValues) < Statistics.mean(results[$1].bestValues)
        }
        return results.indices.filter { $0 != best }.map { (results[best ?? 0], results[$0]) }
    }

    /// A value in a sentence; numbers and truths need the last word of their key.
    private static func words(_ key: String, _ value: String) -> String {
        let saysItself = Double(value) == nil && !["true", "false", "null"].contains(value)
        return saysItself ? value : "\(key.split(separator: ".").last ?? "") \(value)"
    }

    private static func verdict(
        _ one: ConfigurationResult, _ other: ConfigurationResult, _ key: String
    ) -> Verdict {
        let isFirst = Statistics.mean(one.bestValues) <= Statistics.mean(other.bestValues)
        let (better, worse) = isFirst ? (one, other) : (other, one)
        let difference = Interval.difference(worse.bestValues, better.bestValues)
        let byDifference = better.best.compactMap { run in
            worse.best.first { $0.seed == run.seed }.flatMap { match in
                match.objective.flatMap { a in run.objective.map { a - $0 } }
            }
        }
        let paired = byDifference.count > 1 ? Interval(byDifference) : nil
        func name(_ result: ConfigurationResult) -> String {
            result.configuration[key].map { words(key, $0) } ?? "none"
        }
        let rest = one.configuration.filter { $0.key != key }.sorted { $0.key < $1.key }
        let context =
            rest.isEmpty
            ? "" : " with " + rest.map { words($0.key, $0.value) }.joined(separator: ", ")
        let seeds =
            better.best.count == worse.best.count
            ? "\(better.best.count) seeds each"
            : "\(better.best.count) and \(worse.best.count) seeds"
        var text: String
        if let half = difference.half {
            let size = "\(nats(difference.mean)) ± \(nats(half)) nats"
            text =
                difference.mean > half
                ? "\(name(better)) beats \(name(worse))\(context) by \(size) (\(seeds))"
                : "no difference between \(name(better)) and \(name(worse))\(context) that \(seeds) "
                    + "can show: \(size)"
            if let paired, let half = paired.half {
                text += "; paired by seed \(nats(paired.mean)) ± \(nats(half))"
            }
        } else {
            text =
                "\(name(better)) is \(nats(difference.mean)) nats below \(name(worse))\(context); one "
                + "seed: no interval"
        }
        for result in [better, worse] where result.isAtEdge {
            text += "; the best rate of \(name(result)) lies at the edge of its grid"
        }
        return Verdict(
            better: better.label, worse: worse.label, difference: difference, paired: paired,
            text: text + ".")
    }
}

/// A loss or difference with four decimals.
func nats(_ value: Double) -> String {
    let scaled = Int((abs(value) * 10_000).rounded())
    let digits = "\(scaled % 10_000)"
    return (value < 0 && scaled != 0 ? "-" : "") + "\(scaled / 10_000)."
        + String(repeating: "0", count: 4 - digits.count) + digits
}
