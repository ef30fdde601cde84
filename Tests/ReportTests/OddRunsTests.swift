import FalconReport
import FalconTestSupport
import Foundation
import Testing

#if canImport(FoundationXML)
    import FoundationXML
#endif

/// Reports of runs whose numbers, metrics, models or objectives are not the usual ones.
@Suite final class OddRunsTests {
    private let place: TemporaryFolder
    private var folder: String { place.path }

    init() throws { place = try TemporaryFolder() }

    private func write(_ name: String, _ text: String) throws { try place.write(name, text) }

    /// A line of `metrics.jsonl`; numbers as JSON.
    private func line(
        _ step: Int, loss: String, elapsed: Double = 1, rate: String = "0.1", monitor: String = ""
    ) -> String {
        """
        {"step":\(step),"tokens":\(step * 100),"loss":\(loss),"grad_norm":1,"batch_tokens":100,\
        "learning_rate":\(rate),"weight_decay":0.1,"effective_learning_rate":0.1,\
        "effective_weight_decay":1,"tokens_per_second":1,"elapsed_seconds":\(elapsed),\
        "data_wait_seconds":0,"peak_memory_bytes":1\(monitor)}

        """
    }

    /// A line of `results.jsonl`.
    private func result(
        _ id: String, kind: String, rate: Double = 0.1, seed: Int = 0, loss: String,
        validation: String? = nil, more: String = ""
    ) -> String {
        """
        {"version":1,"run":"\(id)","path":"runs/\(id)","status":"finished",\
        "configuration":{"parametrization.kind":"\(kind)"},"learning_rate":\(rate),"seed":\(seed),\
        "settings":[],"recipe_sha256":"\(id)","starts":1,"rungs":[],"steps":3,"tokens":300,\
        "loss":\(loss)\(validation.map { ",\"validation_loss\":\($0)" } ?? "")\(more)}

        """
    }

    private func page(_ report: Report) -> String {
        let page = report.html(version: "1")
        let body = page.replacing("<!DOCTYPE html>\n", with: "")
        #expect(XMLParser(data: Data(body.utf8)).parse())
        for picture in page.components(separatedBy: "<svg").dropFirst() {
            let picture = picture.components(separatedBy: "</svg>")[0].lowercased()
            for word in ["nan", "inf"] { #expect(!picture.contains(word)) }
        }
        return page
    }

    /// Losses that are not finite, or larger, smaller or nearer to each other than a plot can show.
    @Test(arguments: [
        ["1", "\"NaN\"", "2"], ["\"Infinity\"", "\"Infinity\"", "\"-Infinity\""],
        ["1e308", "-1e308", "1e300"], ["5e-324", "1e-323", "0"],
        ["1e17", "100000000000000016", "1e17"],
        ["36.8", "1e19", "9e18"], ["0", "0", "0"], ["1.0000000000000002", "1", "1"],
        ["1e199", "1e-199", "1"],
    ]) func anyNumberIsDrawnOrLeftOut(losses: [String]) throws {
        var results = ""
        for (number, kind) in ["a", "b"].enumerated() {
            for rate in [1e-3, 1e-2] {
                let id = "\(kind)\(rate)"
                results += result(
                    id, kind: kind, rate: rate, loss: losses[0], validation: losses[number])
                let monitor = """
                    ,"matrices":{"model.layers.0.q_proj.weight":{"rms":\(losses[0]),\
                    "update_ratio":\(losses[1]),"learning_rate":0.1,"weight_decay":\(losses[2])}},\
                    "activations":{"layers.0":\(losses[1]),"layers.1":\(losses[2])}
                    """
                try write(
                    "runs/\(id)/metrics.jsonl",
                    losses.enumerated().map {
                        line($0 + 1, loss: $1, rate: losses[2], monitor: monitor)
                    }.joined())
            }
        }
        try write("results.jsonl", results)
        let report = try Report(paths: [folder])
        let page = page(report)
        #expect(page.utf8.count < 100_000 && report.summary.warnings.isEmpty)
        // The numbers can be written, whatever they are.
        #expect(page.contains("All runs"))
    }

    @Test func theObjectiveOfTheSweepDecides() throws {
        let results = [("a", "1.0", "4.0"), ("b", "2.0", "3.0")].map {
            result($0, kind: $0, loss: $1, validation: $2)
        }.joined()
        try write("results.jsonl", results)
        func better() throws -> String? {
            try Report(paths: [folder]).summary.verdicts.first?.better
        }
        #expect(try better() == "b")
        try write("sweep.resolved.yaml", "extends: demo\nsweep: {objective: loss}\n")
        #expect(try better() == "a")
        let configuration = try #require(try Report(paths: [folder]).summary.configurations.first)
        #expect(configuration.objective?.mean == 1 && configuration.measured == "loss")
    }

    @Test func aValidationLossIsNotComparedWithATrainingLoss() throws {
        try write(
            "results.jsonl",
            result("a", kind: "a", loss: "1", validation: "4") + result("b", kind: "b", loss: "2"))
        let summary = try Report(paths: [folder]).summary
        #expect(summary.verdicts.isEmpty && summary.warnings.count == 1)
        #expect(summary.warnings[0].contains("the other a training loss"))
    }

    @Test func multipliersOfAFalconMambaAreDrawn() throws {
        try write("results.jsonl", result("a", kind: "learnable", loss: "1", validation: "1"))
        let matrices = (0..<2).map { layer in
            """
            "backbone.layers.\(layer).mixer.in_proj.weight":{"rms":1,"multipliers":\
            {"row_multiplier":{"mean":0.\(layer + 5),"deviation":0.1}}}
            """
        }.joined(separator: ",")
        try write(
            "runs/a/metrics.jsonl",
            line(1, loss: "2", monitor: ",\"matrices\":{\(matrices)}") + line(2, loss: "1"))
        let page = page(try Report(paths: [folder]))
        #expect(page.contains("multipliers of mixer, mean and deviation"))
        #expect(page.contains("in_proj row_multiplier"))
        #expect(!page.contains("No monitored run has learnable multipliers"))
    }

    /// Metrics of a branch begin where it left its parent; a line in the middle may be damaged.
    @Test func metricsMayBeginLateAndHaveHoles() throws {
        try write("results.jsonl", result("a", kind: "a", loss: "1", validation: "1"))
        let lines = (501...700).map { line($0, loss: "\(3 - Double($0) / 500)") }
        try write(
            "runs/a/metrics.jsonl",
            lines[..<100].joined() + "{\"step\":60#,\n" + lines[100...].joined() + "{\"half")
        let report = try Report(paths: [folder])
        #expect(report.summary.warnings.count == 1)
        #expect(report.summary.warnings[0].contains("line 101 is damaged"))
        #expect(page(report).contains("Training loss"))
    }

    @Test func aDamagedResultSaysHowItIsMadeAgain() throws {
        try write("results.jsonl", result("a", kind: "a", loss: "1") + "nonsense\n")
        let error = #expect(throws: ReportError.self) { try Report(paths: [self.folder]) }
        #expect(error?.description.contains("line 2") == true)
        #expect(error?.description.contains("--gather") == true)
    }
}
