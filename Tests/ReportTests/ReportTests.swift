import FalconReport
import FalconTestSupport
import Foundation
import Testing

#if canImport(FoundationXML)
    import FoundationXML
#endif

/// Statistics against SciPy (`scripts/fixtures/student.py`), and pages made of small sweeps.
@Suite final class ReportTests {
    private struct Fixture: Decodable {
        let quantiles: [[Double]]
        let a: [Double]
        let b: [Double]
        let mean_half: Double
        let welch_half: Double
        let slope: Double
        let r_squared: Double
    }

    private let place: TemporaryFolder
    private var folder: String { place.path }

    init() throws { place = try TemporaryFolder() }

    @Test func intervalsAreThoseOfSciPy() throws {
        let fixture = try JSONDecoder().decode(
            Fixture.self, from: Data(load(testsFolder + "/ReportTests/Fixtures/student.json")))
        for row in fixture.quantiles {
            let got = Statistics.studentQuantile(row[0], row[1])
            #expect(abs(got / row[2] - 1) < 1e-9, "\(row)")
        }
        let mean = Interval(fixture.a)
        #expect(abs(try #require(mean.half) - fixture.mean_half) < 1e-12)
        let difference = Interval.difference(fixture.b, fixture.a)
        #expect(abs(try #require(difference.half) - fixture.welch_half) < 1e-12)
        #expect(difference.mean > 0 && Interval([1.0]).half == nil)
        let fit = try #require(
            Fit([(x: 0.1, y: 1.0), (x: 0.5, y: 1.3), (x: 1.2, y: 2.1), (x: 2.0, y: 2.2)]))
        #expect(abs(fit.slope - fixture.slope) < 1e-12)
        #expect(abs(fit.rSquared - fixture.r_squared) < 1e-12)
        #expect(Fit([(x: 1.0, y: 1.0), (x: 1.0, y: 2.0)]) == nil)
    }

    /// A sweep of two parametrisations at three rates, `gap` nats apart, with noise between seeds.
    private func sweep(gap: Double, seeds: Int, steps: Int = 40, monitored: Bool = true) throws {
        var lines = ""
        for (number, kind) in ["mup", "learnable<b>"].enumerated() {
            for rate in [0.01, 0.02, 0.04] {
                for seed in 0..<seeds {
                    let id = "\(number)-\(rate)-\(seed)"
                    let loss =
                        4 + gap * Double(1 - number) + 20 * abs(rate - 0.02)
                        + 0.003 * Double((seed * 7 + number) % 5)
                    lines += """
                        {"version":1,"run":"\(id)","path":"runs/\(id)","status":"finished",\
                        "configuration":{"parametrization.kind":"\(kind)","width":64},\
                        "learning_rate":\(rate),"seed":\(seed),"settings":[],"recipe_sha256":"\(id)",\
                        "starts":1,"rungs":[],"steps":\(steps),"tokens":\(steps * 100),\
                        "validation_loss":\(loss),"loss":\(loss)}

                        """
                    try metrics(id, rate: rate, loss: loss, steps: steps, monitored: monitored)
                }
            }
        }
        lines += """
            {"version":1,"run":"bad","path":"runs/bad","status":"diverged","configuration":\
            {"parametrization.kind":"mup","width":64},"learning_rate":0.5,"seed":0,"settings":[],\
            "recipe_sha256":"x","starts":1,"rungs":[],"message":"a <loss> & \\"gradient\\""}

            """
        try place.write("results.jsonl", lines)
    }

    /// Of one process, or of two ranks.
    private func metrics(
        _ id: String, rate: Double, loss: Double, steps: Int, monitored: Bool,
        hasRanks: Bool = false
    ) throws {
        let lines = (1...steps).map { step -> String in
            let norm = 0.7 * (rate / 0.1).squareRoot()
            let matrix = """
                {"rms":\(norm),"effective_rms":0.05,"update_ratio":0.01,"learning_rate":\(rate),\
                "weight_decay":0.1,"multipliers":{"multiplier":{"mean":0.5,"deviation":0}}}
                """
            let monitor = """
                ,"matrices":{"model.layers.0.self_attn.q_proj.weight":\(matrix),\
                "model.layers.1.self_attn.q_proj.weight":\(matrix)},\
                "activations":{"embedding":1,"layers.0":2,"layers.1":3,"logits":4}
                """
            let ranks = """
                ,"ranks":{"count":2,"slowest_rank":1,"slowest_compute_seconds":\(step % 2 == 0 ? 0.5 : 0.7),\
                "mean_compute_seconds":0.5,"communication_seconds":0.25,"communication_bytes":4096}
                """
            return """
                {"step":\(step),"tokens":\(step * 100),"loss":\(loss + 3 / Double(step)),\
                "grad_norm":1,"batch_tokens":100,"learning_rate":\(rate),"weight_decay":0.1,\
                "effective_learning_rate":0.1,"effective_weight_decay":1,"tokens_per_second":1,\
                "elapsed_seconds":1,"data_wait_seconds":\(hasRanks ? 0.125 : 0),"peak_memory_bytes":1\
                \(hasRanks ? ranks : "")\
                \(monitored && step % 10 == 0 ? monitor : "")}
                """
        }
        try place.write(
            "runs/\(id)/metrics.jsonl", lines.joined(separator: "\n") + "\n{\"half")
    }

    /// Whether a page is well-formed, and what it loads.
    private func check(_ page: String) throws {
        let body = page.replacing("<!DOCTYPE html>\n", with: "")
        #expect(XMLParser(data: Data(body.utf8)).parse())
        for word in ["http", "src=", "<script", "url(", "@import", "NaN", "inf\""] {
            #expect(!page.contains(word), "\(word)")
        }
    }

    @Test func verdictsSayWhatSeedsCanShow() throws {
        try sweep(gap: 0.05, seeds: 4)
        let clear = try Report(paths: [folder])
        let verdict = try #require(clear.summary.verdicts.first)
        #expect(clear.summary.verdicts.count == 1)
        #expect(verdict.text.hasPrefix("learnable<b> beats mup with width 64 by 0.0"))
        #expect(verdict.text.contains("4 seeds each"))
        try check(clear.html(version: "1"))
        #expect(clear.html(version: "1") == (try Report(paths: [folder])).html(version: "1"))
        try sweep(gap: 0.0005, seeds: 4)
        let close = try #require(try Report(paths: [folder]).summary.verdicts.first)
        #expect(close.text.hasPrefix("no difference between"))
        try sweep(gap: 0.05, seeds: 1)
        let single = try #require(try Report(paths: [folder]).summary.verdicts.first)
        #expect(single.text.contains("one seed: no interval"))
        // As much as the noise between them.
        try sweep(gap: 0.003, seeds: 1)
        let equal = try #require(try Report(paths: [folder]).summary.verdicts.first)
        #expect(equal.text.contains(" ends as ") && !equal.text.contains("better"))
    }

    @Test func normsFollowTheLawOfTheirData() throws {
        try sweep(gap: 0.05, seeds: 2)
        let report = try Report(paths: [folder])
        let fits = report.summary.normFits
        let fit = try #require(fits["mup, 64"]?["self_attn.q_proj"])
        #expect(abs(fit.slope - 1) < 1e-9 && fit.rSquared > 0.999999)
        let effective = try #require(fits["mup, 64"]?["self_attn.q_proj effective"])
        #expect(abs(effective.slope) < 1e-9)
        #expect(report.html(version: "1").contains("Loss at the end against sqrt(rate / decay)"))
    }

    @Test func severalRanksShowWhereTimeGoes() throws {
        try sweep(gap: 0.05, seeds: 1)
        let before = try Report(paths: [folder])
        #expect(before.summary.ranks == nil && !before.html(version: "1").contains("rank"))
        let json = try JSONEncoder().encode(before.summary)
        #expect(!String(decoding: json, as: UTF8.self).contains("ranks"))
        // The best of one configuration, whose curves are shown.
        let run = "0-0.02-0"
        try metrics(run, rate: 0.02, loss: 4, steps: 40, monitored: false, hasRanks: true)
        let report = try Report(paths: [folder])
        let ranks = try #require(report.summary.ranks)
        #expect(ranks.map(\.run) == [run] && ranks[0].count == 2)
        #expect(abs(ranks[0].slowestComputeSeconds - 0.6) < 1e-12)
        #expect(ranks[0].meanComputeSeconds == 0.5 && ranks[0].communicationSeconds == 0.25)
        #expect(ranks[0].dataWaitSeconds == 0.125 && ranks[0].communicationBytes == 4096)
        let page = report.html(version: "1")
        try check(page)
        for words in [
            "Seconds of a step in mup, 64", "computing, slowest rank</title>",
            "computing, mean of the ranks</title>",
            "communication alone, longest of the ranks</title>",
            "waiting for data, longest of the ranks</title>", "Bytes that all ranks send in a step",
            "<td>0.6 s</td>", "<td>4096</td>",
        ] { #expect(page.contains(words), "\(words)") }
        #expect(!page.contains("Seconds of a step in learnable"))
    }

    @Test func runsOfTwoSweepsAreNotSeedsOfOneConfiguration() throws {
        try sweep(gap: 0.05, seeds: 2)
        let again = try TemporaryFolder(copying: folder)
        let copy = again.path
        let one = try Report(paths: [folder]).summary.configurations
        let both = try Report(paths: [folder, copy]).summary.configurations
        #expect(both.count == 2 * one.count)
        #expect(both.map { $0.objective?.count } == (one + one).map { $0.objective?.count })
        #expect(Set(both.compactMap { $0.configuration["sweep"] }) == [folder, copy])
    }

    @Test func missingPartsAreToldAndLongRunsStaySmall() throws {
        try sweep(gap: 0.05, seeds: 2, steps: 3000, monitored: false)
        let report = try Report(paths: [folder])
        let page = report.html(version: "1")
        try check(page)
        #expect(page.contains("No run was monitored") && page.utf8.count < 200_000)
        #expect(page.contains("a &lt;loss&gt; &amp; &quot;gradient&quot;"))
        #expect(report.summary.warnings.isEmpty)
        let damaged = folder + "/runs/0-0.01-0/metrics.jsonl"
        let text = try String(contentsOfFile: damaged, encoding: .utf8)
        try ("{broken\n" + text).write(toFile: damaged, atomically: true, encoding: .utf8)
        let warned = try Report(paths: [folder]).summary.warnings
        #expect(warned.count == 1 && warned[0].contains("line 1 is damaged"))
        try "nonsense\n".write(
            toFile: folder + "/results.jsonl", atomically: true, encoding: .utf8)
        #expect(throws: ReportError.self) { try Report(paths: [self.folder]) }
    }
}
