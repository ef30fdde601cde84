import FalconReport
import FalconRunRecord
import FalconTestSupport
import FalconTrain
import Foundation
import Testing

#if canImport(FoundationXML)
    import FoundationXML
#endif

/// What a report shows of real runs of a Falcon-Mamba.
@Suite struct FalconMambaReportTests {
    /// A plot, read back from its page.
    private struct Picture {
        let title: String
        /// The points that have dots, by the name of their line.
        var points: [String: [(x: Double, y: Double)]] = [:]
        /// The names of lines and dots.
        var names: Set<String> = []
    }

    /// A page, by the headings of its sections.
    private struct Sections {
        private let texts: [String: String]

        init(_ page: String) throws {
            let body = page.replacing("<!DOCTYPE html>\n", with: "")
            try #require(XMLParser(data: Data(body.utf8)).parse())
            texts = Dictionary(
                uniqueKeysWithValues: page.components(separatedBy: "<section><h2>").dropFirst().map
                {
                    let parts = $0.components(separatedBy: "</h2>")
                    return (parts[0], parts[1].components(separatedBy: "</section>")[0])
                })
        }

        func text(_ title: String) throws -> String { try #require(texts[title], "\(title)") }

        func pictures(_ title: String) throws -> [Picture] {
            try text(title).components(separatedBy: "<figcaption>").dropFirst().map { figure in
                let parts = figure.components(separatedBy: "</figcaption>")
                var picture = Picture(title: parts[0])
                for text in parts[1].components(separatedBy: "<title>").dropFirst() {
                    let words = text.components(separatedBy: "</title>")[0]
                    let halves = words.components(separatedBy: ": ")
                    picture.names.insert(halves[0])
                    guard halves.count == 2 else { continue }
                    let numbers = halves[1].components(separatedBy: ", ").compactMap(Double.init)
                    try #require(numbers.count == 2, "\(words)")
                    picture.points[halves[0], default: []].append((numbers[0], numbers[1]))
                }
                return picture
            }
        }
    }

    private let runs: TinyRuns
    private static let kinds = [
        "embeddings", "mixer.dt_proj", "mixer.in_proj", "mixer.out_proj", "mixer.x_proj",
    ]
    private static let monitored = ["monitor.every_steps=4"]
    private static let learnable = monitored + ["parametrization.kind=learnable"]

    init() throws { runs = try TinyRuns(.falconMamba) }

    private func report(_ names: String...) throws -> (sections: Sections, Report.Summary) {
        let report = try Report(paths: names.map(runs.path))
        #expect(report.summary.warnings == [])
        return (try Sections(report.html(version: "1")), report.summary)
    }

    /// As a page writes it, with four digits.
    private func isWritten(_ value: Double, as text: Double) -> Bool {
        abs(value - text) <= 0.51e-3 * abs(value)
    }

    @Test func aRunThatIsNotMonitoredHasItsCurvesAndSaysSo() throws {
        try runs.run("run")
        let (sections, summary) = try report("run")
        let curves = try sections.pictures("Curves of the best runs")
        #expect(
            curves.map(\.title) == [
                "Training loss, smoothed over 2 % of the run", "Validation loss",
            ])
        #expect(curves.allSatisfy { $0.names == ["mamba"] })
        let lines = try runs.metrics("run")
        let validated = lines.filter { $0.validationLoss != nil }
        let points = try #require(curves[1].points["mamba"])
        #expect(points.map(\.x) == validated.map { Double($0.tokens) } && points.count == 2)
        for (point, line) in zip(points, validated) {
            #expect(isWritten(try #require(line.validationLoss), as: point.y))
        }
        #expect(
            try sections.pictures("Rates and updates").map(\.title) == [
                "\(runs.path("run")): rates"
            ])
        for (title, text) in [
            ("Loss against learning rate", "No configuration has finished runs at two"),
            ("Norms", "No configuration was monitored"),
            ("Learned multipliers", "No monitored run has learnable multipliers"),
            ("Activations", "No run was monitored"),
        ] {
            #expect(try sections.pictures(title).isEmpty)
            #expect(try sections.text(title).contains(text))
        }
        let configuration = try #require(summary.configurations.first)
        #expect(summary.configurations.count == 1)
        #expect(configuration.configuration == ["recipe": "mamba"])
        #expect(configuration.objective?.mean == validated.last?.validationLoss)
        #expect(configuration.measured == "validation_loss")
        let all = try sections.text("All runs")
        #expect(all.contains("<td>\(runs.path("run"))</td><td>finished</td>"))
        #expect(summary.normFits.isEmpty && summary.verdicts.isEmpty)
    }

    @Test func aMonitoredRunShowsUpdatesAndActivations() throws {
        try runs.run("run", settings: Self.monitored)
        let (sections, summary) = try report("run")
        let plots = try sections.pictures("Rates and updates")
        #expect(
            plots.map(\.title)
                == ["rates", "update over weight, RMS"].map {
                    "\(runs.path("run")): \($0)"
                })
        #expect(try #require(plots.last).names == Set(Self.kinds))
        try expectActivations(of: "run", sections, label: "mamba")
        #expect(
            try sections.text("Learned multipliers").contains(
                "No monitored run has learnable multipliers"))
        #expect(try sections.text("Norms").contains("No configuration was monitored at three"))
        #expect(summary.normFits.isEmpty)
    }

    /// Every place of every block, with the number of the last monitored step.
    private func expectActivations(of run: String, _ sections: Sections, label: String) throws {
        let plots = try sections.pictures("Activations")
        #expect(plots.map(\.title) == ["\(label): activations at the end, RMS"])
        let places = try #require(runs.metrics(run).last { $0.activations != nil }?.activations)
        var count = 0
        for block in 0..<2 {
            for (place, line) in [
                ("layers.\(block)", "residual stream"), ("layers.\(block).ssm", "ssm"),
            ] {
                let value = try #require(places[place], "\(places.keys)")
                let points = try #require(plots[0].points[line])
                let point = try #require(points.first { $0.x == Double(block) })
                #expect(isWritten(value, as: point.y), "\(place)")
                count += 1
            }
        }
        #expect(plots[0].points.values.reduce(0) { $0 + $1.count } == count)
    }

    /// Every multiplier of every matrix of every block, with its mean at the last monitored step.
    @Test func learnedMultipliersAreDrawnByBlock() throws {
        try runs.run("run", settings: Self.learnable)
        let (sections, _) = try report("run")
        let plots = try sections.pictures("Learned multipliers")
        #expect(plots.map(\.title) == ["mamba: multipliers of mixer, mean and deviation"])
        let matrices = try #require(runs.metrics("run").last { $0.matrices != nil }?.matrices)
        var count = 0
        for (name, metrics) in matrices {
            let parts = name.split(separator: ".")
            guard let block = parts.compactMap({ Double($0) }).first else { continue }
            let matrix = try #require(parts.dropLast().last)
            let multipliers = try #require(metrics.multipliers, "\(name)")
            #expect(!multipliers.isEmpty, "\(name)")
            for (kind, numbers) in multipliers {
                let points = try #require(plots[0].points["\(matrix) \(kind)"], "\(matrix) \(kind)")
                let point = try #require(points.first { $0.x == block })
                #expect(isWritten(numbers.mean, as: point.y), "\(name) \(kind)")
                count += 1
            }
        }
        #expect(count >= 2 * 4)
        #expect(plots[0].points.values.reduce(0) { $0 + $1.count } == count)
        try expectActivations(of: "run", sections, label: "mamba")
    }

    /// Norms against sqrt(η / λ): trained ones, and effective ones where there are multipliers.
    @Test(arguments: [false, true]) func normsOfThreeRatesAreDrawn(isLearnable: Bool) throws {
        let rates = ["5.0e-4", "1.0e-3", "2.0e-3"]
        for rate in rates {
            try runs.run(
                rate,
                settings: (isLearnable ? Self.learnable : Self.monitored) + [
                    "optimizer.learning_rate=\(rate)"
                ])
        }
        let (sections, summary) = try report(rates[0], rates[1], rates[2])
        let plots = try sections.pictures("Norms")
        #expect(
            plots.map(\.title) == [
                "Loss at the end against sqrt(rate / decay) where it was varied",
                "mamba: trained norms",
            ] + (isLearnable ? ["mamba: effective norms"] : []))
        for plot in plots.dropFirst() {
            let kinds = plot.names.map { $0.components(separatedBy: " (slope")[0] }
            #expect(
                kinds.sorted()
                    == Self.kinds.filter {
                        $0 != "embeddings" || plot.title == "mamba: trained norms"
                    })
            #expect(plot.points.values.allSatisfy { $0.count == 3 })
        }
        let fits = try #require(summary.normFits["mamba"])
        let multiplied = Self.kinds.filter { $0 != "embeddings" }.map { $0 + " effective" }
        #expect(fits.keys.sorted() == (Self.kinds + (isLearnable ? multiplied : [])).sorted())
        let losses = try sections.pictures("Loss against learning rate")
        #expect(losses.count == 1)
        #expect(Set(losses[0].points["mamba"]?.map(\.x) ?? []) == [0.0005, 0.001, 0.002])
        #expect(summary.configurations.count == 1)
    }

    /// Two recipes of one name with other values are two configurations.
    @Test func runsWithAndWithoutMultipliersStandSideBySide() throws {
        try runs.run("plain", settings: Self.monitored)
        try runs.run("learned", settings: Self.learnable)
        let (sections, summary) = try report("plain", "learned")
        let labels = ["mamba", "mamba (\(runs.path("learned")))"]
        #expect(summary.configurations.map { $0.configuration["recipe"] } == labels)
        #expect(
            try sections.pictures("Learned multipliers").map(\.title) == [
                "\(labels[1]): multipliers of mixer, mean and deviation"
            ])
        #expect(
            try sections.pictures("Activations").map(\.title)
                == labels.map { "\($0): activations at the end, RMS" })
        #expect(
            try sections.pictures("Curves of the best runs").allSatisfy {
                $0.names == Set(labels)
            })
    }
}
