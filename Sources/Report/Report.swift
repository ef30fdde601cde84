import FalconRunRecord
import FalconSweep
import FalconTrain

/// The results of runs and sweeps, as one HTML file that needs no network.
public struct Report {
    /// The output of `--json`: the numbers behind the pictures.
    public struct Summary: Encodable {
        /// One configuration at its best rate.
        public struct Configuration: Encodable {
            /// Its values by key path.
            public let configuration: [String: String]
            /// The best learning rate.
            public let learningRate: Double?
            /// Whether no smaller or no larger rate was tried.
            public let isAtEdge: Bool
            /// The objective at that rate.
            public let objective: Interval?
            /// The kind of objective: `validation_loss`, or `loss` of training.
            public let measured: String?

            /// The key of each field.
            public enum CodingKeys: String, CodingKey {
                case configuration
                case learningRate = "learning_rate"
                case isAtEdge = "at_edge"
                case objective, measured
            }
        }

        /// Comparisons of configurations, each at its best rate.
        public let verdicts: [Verdict]
        /// All configurations.
        public let configurations: [Configuration]
        /// Fits of log norm against log sqrt(η/λ), by configuration and kind of matrix.
        public let normFits: [String: [String: Fit]]
        /// Where the time of runs on several ranks went; nil if there are none.
        public let ranks: [RankSummary]?
        /// The lines and runs that were left out.
        public let warnings: [String]

        /// The key of each field.
        public enum CodingKeys: String, CodingKey {
            case verdicts, configurations
            case normFits = "norm_fits"
            case ranks, warnings
        }
    }

    let data: ReportData
    let results: [ConfigurationResult]
    private let verdicts: [Verdict]
    private let refusals: [String]

    /// Reads everything that the report shows.
    ///
    /// - Parameter paths: run and sweep folders.
    /// - Throws: `ReportError`; `FileError`.
    public init(paths: [String]) throws {
        data = try ReportData(paths: paths)
        var configurations: [[String: String]] = []
        for run in data.runs where !configurations.contains(run.configuration) {
            configurations.append(run.configuration)
        }
        let runs = data.runs
        results = configurations.map { configuration in
            let values = configuration.sorted { $0.key < $1.key }.map(\.value)
            return ConfigurationResult(
                configuration, runs.filter { $0.configuration == configuration },
                label: values.isEmpty ? "all runs" : values.joined(separator: ", "))
        }
        (verdicts, refusals) = ConfigurationResult.verdicts(results)
    }

    /// The numbers behind the pictures.
    public var summary: Summary {
        Summary(
            verdicts: verdicts,
            configurations: results.map {
                Summary.Configuration(
                    configuration: $0.configuration, learningRate: $0.bestRate,
                    isAtEdge: $0.isAtEdge,
                    objective: $0.bestValues.isEmpty ? nil : Interval($0.bestValues),
                    measured: $0.best.first?.measurement.objective.name)
            }, normFits: normFits, ranks: rankSummaries,
            warnings: data.warnings + refusals)
    }

    /// The page.
    ///
    /// - Parameter version: of this program.
    /// - Returns: the same bytes for the same input.
    public func html(version: String) -> String {
        var body = "<h1>falcon report</h1>" + header(version)
        body += section("Verdict", verdictList)
        body += section("Configurations", configurationTable)
        body += section("Loss against learning rate", lossAgainstRate)
        body += section("Curves of the best runs", curves)
        body += section("Norms", norms)
        body += section("Learned multipliers", multipliers)
        body += section("Rates and updates", ratesAndUpdates)
        body += section("Activations", activations)
        if let ranks { body += section("Several ranks", ranks) }
        body += section("All runs", runTable)
        return Page.html(title: "falcon report", body: body)
    }

    private func section(_ title: String, _ content: String) -> String {
        "<section><h2>\(escaped(title))</h2>\(content)</section>"
    }

    private func header(_ version: String) -> String {
        var counts: [String] = []
        for status in [SweepStatus.finished, .diverged, .failed, .stopped, .running, .pending] {
            let count = data.runs.count { $0.status == status }
            if count > 0 { counts.append("\(count) \(status.rawValue)") }
        }
        let tokens = data.runs.compactMap { $0.metrics.last?.tokens }.max() ?? 0
        var text =
            "<p>falcon \(escaped(version)); \(data.runs.count) runs: "
            + "\(counts.joined(separator: ", ")); \(Set(data.runs.map(\.recipeDigest)).count) recipes; "
            + "longest run \(significant(Double(tokens))) tokens.</p>"
        if !data.warnings.isEmpty {
            text +=
                "<ul class=\"warnings\">"
                + data.warnings.prefix(20).map { "<li>\(escaped($0))</li>" }.joined() + "</ul>"
        }
        return text
    }

    private var verdictList: String {
        guard !verdicts.isEmpty || !refusals.isEmpty else {
            return
                "<p class=\"missing\">No two configurations with finished runs differ in one key.</p>"
        }
        let note =
            verdicts.count > 1
            ? "<p class=\"note\">Each configuration at its own best learning rate; 95 % intervals, not "
                + "corrected for the number of comparisons.</p>" : ""
        func item(_ text: String) -> String { "<li>\(escaped(text))</li>" }
        return "<ul>" + verdicts.map { item($0.text) }.joined() + "</ul>" + note
            + (refusals.isEmpty
                ? "" : "<ul class=\"warnings\">" + refusals.map(item).joined() + "</ul>")
    }

    private var configurationTable: String {
        let keys = Set(results.flatMap(\.configuration.keys)).sorted()
        let rows = results.map { result -> [String] in
            let interval = result.bestValues.isEmpty ? nil : Interval(result.bestValues)
            let bits = result.best.compactMap(\.result.validationBitsPerByte)
            return keys.map { result.configuration[$0] ?? "" } + [
                result.bestRate.map { significant($0) + (result.isAtEdge ? " (edge)" : "") } ?? "",
                interval.map { nats($0.mean) } ?? "",
                interval?.half.map { "± " + nats($0) } ?? "",
                bits.isEmpty ? "" : nats(Statistics.mean(bits)), "\(result.best.count)",
                "\(result.runs.count { $0.status == .diverged })",
            ]
        }
        let measures = Set(results.flatMap(\.best).map(\.measurement.objective))
        return Page.table(
            keys + [
                "best rate", Self.heading(of: measures), "95 %", "bits/byte",
                "seeds", "diverged",
            ], rows)
    }

    /// The heading of the column of objectives.
    private static func heading(of measures: Set<RunObjective>) -> String {
        if measures == [.loss] { return "training loss" }
        if measures.count == 1, case .score = measures.first { return measures.first?.name ?? "" }
        return "loss"
    }

    private var runTable: String {
        Page.table(
            ["run", "status", "rate", "seed", "train loss", "validation", "time", "message"],
            data.runs.map { run in
                [
                    run.name, run.status.rawValue, significant(run.learningRate), "\(run.seed)",
                    run.result.loss.map(nats) ?? "",
                    run.result.validationLoss.map(nats) ?? "",
                    run.result.elapsedSeconds.map { significant($0) + " s" } ?? "",
                    run.message ?? "",
                ]
            })
    }
}
