import FalconEval
import FalconModel
import FalconRunRecord
import FalconSweep
import FalconTrain

#if canImport(Glibc)
    import Glibc
#endif

/// The pictures.
extension Report {
    static let curvePoints = 300
    private static let notMonitored =
        "No run was monitored; write monitor: {every_steps: 100} into the recipe."

    var lossAgainstRate: String {
        var series: [Series] = []
        for (color, result) in results.enumerated() {
            let rates = Set(result.runs.map(\.learningRate)).sorted()
            guard rates.count > 1 else { continue }
            let intervals = rates.compactMap { rate -> (Double, Interval)? in
                let values = result.runs.filter {
                    $0.learningRate == rate && $0.status == .finished
                }
                .compactMap(\.objective)
                return values.isEmpty ? nil : (rate, Interval(values))
            }
            guard !intervals.isEmpty else { continue }
            series.append(
                Series(
                    name: result.label, color: color,
                    points: intervals.map { ($0.0, $0.1.mean) }, hasDots: true,
                    isDashed: color >= Plot.colorCount, bars: intervals.map(\.1.half)))
            series.append(
                Series(
                    name: result.label, color: color,
                    points: result.best.compactMap { run in
                        run.objective.map { (run.learningRate, $0) }
                    }, isLine: false, hasDots: true))
        }
        let plot = Plot(
            title:
                "Loss at the end against the learning rate, 95 % intervals where there are seeds",
            xLabel: "learning rate", yLabel: objectiveLabel, xScale: .log, series: series)
        return Page.plots(
            series.isEmpty ? [] : [plot],
            orMissing: "No configuration has finished runs at two or more learning rates.")
    }

    /// The name of the runs' objective, with its unit.
    private var objectiveLabel: String {
        let names = Set(results.flatMap(\.runs).map(\.measurement.objective))
        if names.count == 1, case .score = names.first { return names.first?.name ?? "" }
        return "loss, nats"
    }

    /// One run with steps of each result, with the result's label: the best if there is one.
    var shownRuns: [(String, ReportRun)] {
        results.compactMap { result in
            (result.best + result.runs).first { !$0.metrics.isEmpty }.map { (result.label, $0) }
        }
    }

    /// A curve of every task that a run has scored, with bars of one standard error.
    private var taskCurves: [Plot] {
        let runs = shownRuns
        let names = Set(runs.flatMap { $0.1.metrics.flatMap { ($0.taskScores ?? [:]).keys } })
        return names.sorted().compactMap { name in
            var metric = ""
            let series = runs.enumerated().map { color, run in
                let lines = run.1.metrics.compactMap { line in
                    line.taskScores?[name].map { (Double(line.tokens), $0) }
                }
                let points = lines.compactMap { tokens, scores -> (Double, Double, Double?)? in
                    guard let score = TaskCatalog.leadingScore(of: name, in: scores) else {
                        return nil
                    }
                    metric = score.metric
                    return (tokens, score.value, scores[metric + TaskScore.errorEnding])
                }
                return Series(
                    name: run.0, color: color, points: points.map { ($0.0, $0.1) },
                    hasDots: true, isDashed: color >= Plot.colorCount, bars: points.map(\.2))
            }
            guard series.contains(where: { $0.points.count > 1 }) else { return nil }
            return Plot(
                title: "\(name), \(metric), with one standard error", xLabel: "tokens",
                yLabel: metric, series: series)
        }
    }

    var curves: String {
        var training: [Series] = []
        var validation: [Series] = []
        for (color, result) in results.enumerated() {
            let runs = result.best + result.runs
            guard let run = runs.first(where: { !$0.metrics.isEmpty }) else { continue }
            training.append(
                Series(
                    name: result.label, color: color, points: smoothed(run.metrics) { $0.loss },
                    isDashed: color >= Plot.colorCount))
            validation.append(
                Series(
                    name: result.label, color: color,
                    points: run.metrics.compactMap { line in
                        line.validationLoss.map { (Double(line.tokens), $0) }
                    }, hasDots: true))
        }
        var plots: [Plot] = []
        if training.contains(where: { !$0.points.isEmpty }) {
            plots.append(
                Plot(
                    title: "Training loss, smoothed over 2 % of the run", xLabel: "tokens",
                    yLabel: "loss, nats", series: training))
        }
        if validation.contains(where: { $0.points.count > 1 }) {
            plots.append(
                Plot(
                    title: "Validation loss", xLabel: "tokens", yLabel: "loss, nats",
                    series: validation))
        }
        return Page.plots(plots + sourceCurves + taskCurves, orMissing: "No run has steps yet.")
    }

    /// Means of windows, at most `curvePoints` of them, of the finite values.
    func smoothed(
        _ metrics: [StepMetrics], _ value: (StepMetrics) -> Double?
    ) -> [(x: Double, y: Double)] {
        let points = metrics.compactMap { line in
            value(line).flatMap { $0.isFinite ? (x: Double(line.tokens), y: $0) : nil }
        }
        guard !points.isEmpty else { return [] }
        let window = max(1, points.count / 50)
        let stride = max(1, points.count / Self.curvePoints)
        return Swift.stride(from: 0, to: points.count, by: stride).map { place in
            let part = points[max(0, place - window + 1)...place]
            return (points[place].x, Statistics.mean(part.map(\.y)))
        }
    }

    /// The common name of a matrix in all blocks; its own name if the model is unknown.
    static func kind(_ name: String) -> String { ParameterName(name)?.label ?? name }

    /// Runs that differ only in rates: those of configurations that differ only in their variant.
    private var normGroups: [(label: String, runs: [ReportRun])] {
        var groups: [(configuration: [String: String], runs: [ReportRun])] = []
        for result in results {
            let configuration = result.configuration.filter { $0.key != "variant" }
            if let place = groups.firstIndex(where: { $0.configuration == configuration }) {
                groups[place].runs += result.runs
            } else {
                groups.append((configuration, result.runs))
            }
        }
        return groups.map { configuration, runs in
            let words = configuration.sorted { $0.key < $1.key }.map(\.value)
            return (words.isEmpty ? "all runs" : words.joined(separator: ", "), runs)
        }
    }

    /// By kind of matrix: (sqrt(η/λ), geometric mean of norms over blocks) of each run.
    private func normPoints(
        _ runs: [ReportRun], _ norm: (MatrixMetrics) -> Double?
    ) -> [String: [(x: Double, y: Double)]] {
        var points: [String: [(x: Double, y: Double)]] = [:]
        for run in runs where run.status == .finished {
            guard let line = run.settled, let matrices = line.matrices else { continue }
            var sums: [String: (x: Double, y: Double, count: Double)] = [:]
            for (name, metrics) in matrices {
                guard let value = norm(metrics), value > 0, value.isFinite,
                    let rate = metrics.learningRate, let decay = metrics.weightDecay, rate > 0,
                    decay > 0
                else { continue }
                let old = sums[Self.kind(name)] ?? (0, 0, 0)
                sums[Self.kind(name)] = (
                    old.x + 0.5 * log(rate / decay), old.y + log(value), old.count + 1
                )
            }
            for (kind, sum) in sums {
                points[kind, default: []].append((exp(sum.x / sum.count), exp(sum.y / sum.count)))
            }
        }
        return points.mapValues { $0.sorted { ($0.x, $0.y) < ($1.x, $1.y) } }
    }

    var normFits: [String: [String: Fit]] {
        var fits: [String: [String: Fit]] = [:]
        for group in normGroups {
            for (suffix, norm) in [
                ("", { $0.rms }), (" effective", { $0.effectiveRMS }),
            ] as [(String, (MatrixMetrics) -> Double?)] {
                for (kind, points) in normPoints(group.runs, norm) {
                    guard isVaried(points) else { continue }
                    let logs = points.map { (x: log($0.x), y: log($0.y)) }
                    if let fit = Fit(logs) { fits[group.label, default: [:]][kind + suffix] = fit }
                }
            }
        }
        return fits
    }

    /// Whether matrices were trained at three or more ratios of rate and decay.
    private func isVaried(_ points: [(x: Double, y: Double)]) -> Bool {
        Set(points.map { ($0.x * 1e6).rounded() }).count > 2
    }

    /// Loss against sqrt(η/λ) of the matrices for which this was varied, by group.
    private var lossAgainstRatio: Plot? {
        let series = normGroups.enumerated().compactMap { color, group -> Series? in
            let varied = normPoints(group.runs) { $0.rms }.filter { isVaried($0.value) }.keys
            guard !varied.isEmpty else { return nil }
            let points = group.runs.compactMap { run -> (x: Double, y: Double)? in
                let ratios = normPoints([run]) { $0.rms }.filter { varied.contains($0.key) }
                    .values.flatMap { $0.map(\.x) }
                guard !ratios.isEmpty, let loss = run.objective else { return nil }
                return (exp(Statistics.mean(ratios.map { log($0) })), loss)
            }
            return Series(
                name: group.label, color: color, points: points.sorted { $0.x < $1.x },
                hasDots: true)
        }
        return series.isEmpty
            ? nil
            : Plot(
                title: "Loss at the end against sqrt(rate / decay) where it was varied",
                xLabel: "sqrt(rate / decay)", yLabel: "loss, nats", xScale: .log, series: series)
    }

    var norms: String {
        let fits = normFits
        var plots = lossAgainstRatio.map { [$0] } ?? []
        for group in normGroups {
            let trained = normPoints(group.runs) { $0.rms }
            let effective = normPoints(group.runs) { $0.effectiveRMS }
            guard let fits = fits[group.label] else { continue }
            for (title, points) in [("trained", trained), ("effective", effective)]
            where !points.isEmpty {
                let series = points.filter { isVaried($0.value) }.sorted { $0.key < $1.key }
                    .enumerated().map { color, entry in
                        let fit = fits[entry.key + (title == "effective" ? " effective" : "")]
                        let note = fit.map {
                            " (slope \(significant($0.slope)), R² \(significant($0.rSquared)))"
                        }
                        return Series(
                            name: entry.key + (note ?? ""), color: color, points: entry.value,
                            hasDots: true, isDashed: color >= Plot.colorCount)
                    }
                plots.append(
                    Plot(
                        title: "\(group.label): \(title) norms", xLabel: "sqrt(rate / decay)",
                        yLabel: "RMS", xScale: .log, yScale: .log, series: series))
            }
        }
        return Page.plots(
            plots,
            orMissing: "No configuration was monitored at three or more ratios of rate and decay.")
    }

    var multipliers: String {
        var plots: [Plot] = []
        for result in results {
            let runs = result.best + result.runs.reversed()
            let matrices = runs.lazy.compactMap { $0.lastMonitored?.matrices }.first {
                $0.values.contains { $0.multipliers?.isEmpty == false }
            }
            guard let matrices else { continue }
            for (part, lines) in multiplierLines(matrices).sorted(by: { $0.key < $1.key }) {
                let series = lines.sorted { $0.key < $1.key }.enumerated().map { color, line in
                    Series(
                        name: line.key, color: color,
                        points: line.value.map { (Double($0.block), $0.numbers.mean) },
                        hasDots: true, isDashed: color >= Plot.colorCount,
                        bars: line.value.map {
                            $0.numbers.deviation > 0 ? $0.numbers.deviation : nil
                        })
                }
                plots.append(
                    Plot(
                        title: "\(result.label): multipliers of \(part), mean and deviation",
                        xLabel: "block", yLabel: "multiplier", xScale: .whole, series: series))
            }
        }
        return Page.plots(plots, orMissing: "No monitored run has learnable multipliers.")
    }

    /// The learned numbers of the matrices in blocks, in the order of blocks: by part, then by
    /// matrix and kind of multiplier.
    private func multiplierLines(
        _ matrices: [String: MatrixMetrics]
    ) -> [String: [String: [(block: Int, numbers: MultiplierMetrics)]]] {
        var lines: [String: [String: [(block: Int, numbers: MultiplierMetrics)]]] = [:]
        for (name, metrics) in matrices {
            guard let name = ParameterName(name), let block = name.block else { continue }
            for (kind, numbers) in metrics.multipliers ?? [:] {
                lines[name.part, default: [:]]["\(name.matrix) \(kind)", default: []].append(
                    (block, numbers))
            }
        }
        return lines.mapValues { $0.mapValues { $0.sorted { $0.block < $1.block } } }
    }

    var ratesAndUpdates: String {
        let runs = results.flatMap(\.best) + data.runs
        guard let run = runs.first(where: { !$0.metrics.isEmpty }) else {
            return Page.plots([], orMissing: "No run has steps yet.")
        }
        let stride = max(1, run.metrics.count / Self.curvePoints)
        let lines = Swift.stride(from: 0, to: run.metrics.count, by: stride).map { run.metrics[$0] }
        func series(_ name: String, _ color: Int, _ value: (StepMetrics) -> Double) -> Series {
            Series(
                name: name, color: color, points: lines.map { (Double($0.tokens), value($0)) })
        }
        var plots = [
            Plot(
                title: "\(run.name): rates", xLabel: "tokens", yLabel: "rate", yScale: .log,
                series: [
                    series("learning rate", 0) { $0.learningRate },
                    series("weight decay", 1) { $0.weightDecay },
                    series("effective learning rate, sqrt(ηλ)", 2) { $0.effectiveLearningRate },
                ])
        ]
        var ratios: [String: [(x: Double, y: Double)]] = [:]
        for line in run.metrics {
            var sums: [String: (sum: Double, count: Double)] = [:]
            for (name, metrics) in line.matrices ?? [:] {
                guard let ratio = metrics.updateRatio else { continue }
                let old = sums[Self.kind(name)] ?? (0, 0)
                sums[Self.kind(name)] = (old.sum + ratio, old.count + 1)
            }
            for (kind, sum) in sums {
                ratios[kind, default: []].append((Double(line.tokens), sum.sum / sum.count))
            }
        }
        if !ratios.isEmpty {
            plots.append(
                Plot(
                    title: "\(run.name): update over weight, RMS", xLabel: "tokens",
                    yLabel: "ratio", yScale: .log,
                    series: ratios.sorted { $0.key < $1.key }.enumerated().map {
                        Series(
                            name: $1.key, color: $0, points: $1.value,
                            isDashed: $0 >= Plot.colorCount)
                    }))
        }
        return Page.plots(plots, orMissing: "")
    }

    var activations: String {
        var plots: [Plot] = []
        for result in results {
            let runs = result.best + result.runs.reversed()
            guard let places = runs.lazy.compactMap({ $0.lastMonitored?.activations }).first else {
                continue
            }
            var lines: [String: [(x: Double, y: Double)]] = [:]
            for (name, value) in places {
                guard let place = ActivationPlace(name: name), let block = place.block else {
                    continue
                }
                let kind = place.kind == .residual ? "residual stream" : place.kind.rawValue
                lines[kind, default: []].append((Double(block), value))
            }
            guard !lines.isEmpty else { continue }
            plots.append(
                Plot(
                    title: "\(result.label): activations at the end, RMS", xLabel: "block",
                    yLabel: "RMS", xScale: .whole, yScale: .log,
                    series: lines.sorted { $0.key < $1.key }.enumerated().map {
                        Series(
                            name: $1.key, color: $0, points: $1.value.sorted { $0.x < $1.x },
                            hasDots: true)
                    }))
        }
        return Page.plots(plots, orMissing: Self.notMonitored)
    }
}
