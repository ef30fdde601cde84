import FalconTestSupport
import Foundation
import Testing

/// The schedule that `falcon plan` draws and lists.
@Suite struct PlanTests {
    let place: Workplace

    init() throws { place = try Workplace() }

    static let settings = [
        "train.steps=40", "train.batch_tokens=192",
        "train.batch_ramp={start_tokens: 48, tokens: 960}", "schedule.stable=effective_power",
        "schedule.power_start_tokens=1000", "schedule.decay=cosine", "schedule.decay_tokens=2000",
    ].flatMap { ["--set", $0] }

    private func braille(_ output: String) -> Int {
        output.unicodeScalars.count { (0x2801...0x28FF).contains($0.value) }
    }

    @Test func aConstantStageShowsOnlyTheLearningRate() throws {
        let plan = try place.success("plan --recipe tiny.yaml").output
        for text in [
            "# learning rate\n", "1.00e-3 │", "768 tokens\n", "memory at most",
            "# steps                         8 of 96 tokens\n",
            // Two steps of decay from 1e-3 to an eighth.
            "# end of warm-up     2     192        1.00e-3\n",
            "# decay begins       6     576        1.00e-3\n",
            "# end                8     768        1.25e-4\n",
        ] {
            #expect(plan.contains(text), "\(text)")
        }
        #expect(!plan.contains("# weight decay\n") && !plan.contains("# batch tokens\n"))
        #expect((64...300).contains(braille(plan)))
        // All but the recipe is comment, so that the whole is a recipe again.
        try place.write("again.yaml", plan)
        let again = try place.success("plan --recipe again.yaml").output
        #expect(again.hasSuffix(plan.drop { $0 != "│" }))
    }

    @Test func whatVariesIsDrawn() throws {
        let arguments = ["plan", "--recipe", "tiny.yaml"] + Self.settings
        let outcome = try place.falcon(arguments)
        #expect(outcome.status == 0)
        for text in [
            "# learning rate\n", "# weight decay\n", "# batch tokens\n", "192 │",
            "40 of 48 to 192 tokens", "# full batch", "# effective_power begins",
        ] {
            #expect(outcome.output.contains(text), "\(text)")
        }
        let drawn = outcome.output.split(separator: "\n").filter { $0.contains("│") }
        #expect(drawn.count == 15 && drawn.allSatisfy { $0.count == 78 })
    }

    @Test func jsonHasThePoints() throws {
        let arguments = ["plan", "--json", "--recipe", "tiny.yaml"]
        let short = try place.falcon(arguments).json()
        let steps = try #require(short["schedule"] as? [[String: Any]])
        #expect(steps.map { $0["tokens"] as? Int } == (1...8).map { 96 * $0 })
        let rates = steps.compactMap { $0["learning_rate"] as? Double }
        #expect(rates[0] == 5e-4 && rates[5] == 1e-3 && abs(rates[7] - 1.25e-4) < 1e-18)
        #expect(short["memory_total_bytes"] as? Int ?? 0 > 0)
        let long = try place.falcon(arguments + Self.settings).json()
        let points = try #require(long["schedule"] as? [[String: Any]])
        #expect(
            Set(points[0].keys) == [
                "step", "tokens", "batch_tokens", "learning_rate", "weight_decay",
            ])
        #expect(points[0]["batch_tokens"] as? Int == 48)
        let last = try #require(points.last)
        #expect(last["step"] as? Int == 40 && last["batch_tokens"] as? Int == 192)
        #expect(try #require(last["weight_decay"] as? Double) < 0.1)
        let run = try #require(long["plan"] as? [String: Any])
        #expect(run["total_tokens"] as? Int == last["tokens"] as? Int)
        let many = try place.falcon(arguments + ["--set", "train.steps=5000"]).json()
        #expect((many["schedule"] as? [Any])?.count == 101)
    }

    @Test func aSweepIsPlannedAsAWhole() throws {
        try place.write(
            "sweep.yaml",
            """
            extends: tiny.yaml
            sweep:
              grid: {train.steps: [8, 16]}
              learning_rates: {center: 0.01, steps: 3, extend: true}
              jobs: 2

            """)
        let text = try place.success("plan --recipe sweep.yaml").output
        for words in [
            "# runs                          6, and up to 12 more where",
            "# tokens a run                  768 to 1,536",
            "# tokens in all                 6,912",
            "# runs at a time                2 of 1 thread",
        ] { #expect(text.contains(words), "\(words)") }
        // All but the recipe is comment, so that the whole is a recipe again.
        try place.write("again.yaml", text)
        let plan = try place.success("plan --recipe again.yaml --json").json()
        let sweep = try #require(plan["sweep"] as? [String: Any])
        #expect(sweep["runs"] as? Int == 6 && sweep["total_tokens"] as? Int == 6912)
        #expect((sweep["configurations"] as? [Any])?.count == 2)
        try place.failure(
            "plan --recipe sweep.yaml --set sweep.grid={optimizer.lr: [1]}"
                .split(separator: " ", maxSplits: 4).map(String.init), status: 78,
            says: ["did you mean optimizer.learning_rate?"])
    }
}
