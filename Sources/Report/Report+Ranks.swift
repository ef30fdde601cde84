import FalconRunRecord

/// What several ranks cost a run.
extension Report {
    /// Where the time of a run on several ranks goes: means over its steps on several ranks.
    public struct RankSummary: Encodable, Equatable, Sendable {
        /// The run.
        public let run: String
        /// The number of ranks in the last step.
        public let count: Int
        /// Seconds that the slowest rank computed.
        public let slowestComputeSeconds: Double
        /// Seconds that a rank computed.
        public let meanComputeSeconds: Double
        /// The most seconds that a rank spent on the exchange and on nothing else.
        public let communicationSeconds: Double
        /// Seconds that a rank waited for data, of the one that waited longest.
        public let dataWaitSeconds: Double
        /// Bytes that all ranks sent.
        public let communicationBytes: Double

        /// The key of each field.
        public enum CodingKeys: String, CodingKey {
            case run, count
            case slowestComputeSeconds = "slowest_compute_seconds"
            case meanComputeSeconds = "mean_compute_seconds"
            case communicationSeconds = "communication_seconds"
            case dataWaitSeconds = "data_wait_seconds"
            case communicationBytes = "communication_bytes"
        }

        /// The means of a run; nil if it never had several ranks.
        init?(_ run: ReportRun) {
            let lines = run.metrics.filter { $0.ranks != nil }
            let ranks = lines.compactMap(\.ranks)
            guard let last = ranks.last else { return nil }
            self.run = run.name
            count = last.count
            slowestComputeSeconds = Statistics.mean(ranks.map(\.slowestComputeSeconds))
            meanComputeSeconds = Statistics.mean(ranks.map(\.meanComputeSeconds))
            communicationSeconds = Statistics.mean(ranks.map(\.communicationSeconds))
            dataWaitSeconds = Statistics.mean(lines.map(\.dataWaitSeconds))
            communicationBytes = Statistics.mean(ranks.map { Double($0.communicationBytes) })
        }
    }

    /// Those of all runs on several ranks; nil if there are none.
    var rankSummaries: [RankSummary]? {
        let found = data.runs.compactMap(RankSummary.init)
        return found.isEmpty ? nil : found
    }

    /// The table of the runs on several ranks, and the pictures of those whose curves are shown; nil if no run
    /// had several ranks.
    var ranks: String? {
        guard let summaries = rankSummaries else { return nil }
        let table = Page.table(
            [
                "run", "ranks", "computing, slowest rank", "computing, mean", "communication",
                "waiting for data", "bytes sent in a step",
            ],
            summaries.map { summary in
                [summary.run, "\(summary.count)"]
                    + [
                        summary.slowestComputeSeconds, summary.meanComputeSeconds,
                        summary.communicationSeconds, summary.dataWaitSeconds,
                    ].map { significant($0) + " s" } + [significant(summary.communicationBytes)]
            })
        let runs = shownRuns.filter { $0.1.metrics.contains { $0.ranks != nil } }
        // Those that have ranks may all be others than the ones shown.
        return runs.isEmpty
            ? table : table + Page.plots(seconds(runs) + [bytes(runs)], orMissing: "")
    }

    /// The seconds of a step of each run, by what they are spent on.
    private func seconds(_ runs: [(String, ReportRun)]) -> [Plot] {
        let parts: [(String, (StepMetrics) -> Double?)] = [
            ("computing, slowest rank", { $0.ranks?.slowestComputeSeconds }),
            ("computing, mean of the ranks", { $0.ranks?.meanComputeSeconds }),
            ("communication alone, longest of the ranks", { $0.ranks?.communicationSeconds }),
            (
                "waiting for data, longest of the ranks",
                { $0.ranks == nil ? nil : $0.dataWaitSeconds }
            ),
        ]
        return runs.map { label, run in
            Plot(
                title: "Seconds of a step in \(label), smoothed over 2 % of the run",
                xLabel: "tokens", yLabel: "seconds",
                series: parts.enumerated().map { color, part in
                    Series(
                        name: part.0, color: color, points: smoothed(run.metrics, part.1))
                })
        }
    }

    private func bytes(_ runs: [(String, ReportRun)]) -> Plot {
        Plot(
            title: "Bytes that all ranks send in a step, smoothed over 2 % of the run",
            xLabel: "tokens", yLabel: "bytes",
            series: runs.enumerated().map { color, run in
                Series(
                    name: run.0, color: color,
                    points: smoothed(run.1.metrics) {
                        $0.ranks.map { Double($0.communicationBytes) }
                    },
                    isDashed: color >= Plot.colorCount)
            })
    }
}
