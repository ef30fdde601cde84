import FalconRunRecord

/// The pictures of mixtures.
extension Report {
    /// Of every data set of a mixture: the validation loss on it, and the tokens that it has given.
    var sourceCurves: [Plot] {
        let runs = shownRuns
        let paths = Set(runs.flatMap { $0.1.metrics.last?.sources?.keys.map { $0 } ?? [] }).sorted()
        let losses = paths.map { path in
            Plot(
                title: "Validation loss on \(path)", xLabel: "tokens", yLabel: "loss, nats",
                series: curves(of: runs) { $0.sources?[path]?.validationLoss })
        }
        let tokens = runs.filter { $0.1.metrics.last?.sources != nil }.map { label, run in
            Plot(
                title: "Epochs of each data set in \(label)", xLabel: "tokens", yLabel: "epochs",
                series: paths.enumerated().map { color, path in
                    Series(
                        name: path, color: color,
                        points: thinned(run.metrics).compactMap { line in
                            line.sources?[path].map { (Double(line.tokens), $0.epochs) }
                        }, isDashed: color >= Plot.colorCount)
                })
        }
        return losses.filter { $0.series.contains { $0.points.count > 1 } } + tokens
    }

    private func curves(
        of runs: [(String, ReportRun)], _ value: (StepMetrics) -> Double?
    ) -> [Series] {
        runs.enumerated().map { color, run in
            Series(
                name: run.0, color: color,
                points: run.1.metrics.compactMap { line in
                    value(line).map { (Double(line.tokens), $0) }
                }, hasDots: true, isDashed: color >= Plot.colorCount)
        }
    }

    /// At most as many lines as a picture shows, the last among them.
    private func thinned(_ metrics: [StepMetrics]) -> [StepMetrics] {
        let stride = max(1, metrics.count / Self.curvePoints)
        return metrics.enumerated().filter {
            $0.offset % stride == 0 || $0.offset == metrics.count - 1
        }.map(\.element)
    }
}
