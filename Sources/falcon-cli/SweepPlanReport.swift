import FalconSweep
import FalconSystem
import FalconTrain

/// The cost of a sweep, for a person.
struct SweepPlanReport {
    let plan: SweepPlan
    /// Bytes of memory available; 0 if unknown.
    let available: Int

    /// Whether the runs at a time fit into memory, as far as is known.
    var isEnough: Bool { available == 0 || plan.memoryBytes <= available }

    /// A list of the numbers, then a table of the configurations.
    var lines: [String] {
        let extra =
            plan.extraRuns > 0
            ? ", and up to \(grouped(plan.extraRuns)) more where a best rate lies at an edge" : ""
        let threads = plan.threadsPerRun == 1 ? "1 thread" : "\(plan.threadsPerRun) threads"
        var rows: [(String, String)] = [
            ("configurations", grouped(plan.configurations.count)),
            ("runs", grouped(plan.runs) + extra),
            ("runs at a time", "\(grouped(plan.jobs)) of \(threads)"),
            ("tokens a run", range(plan.configurations.map(\.tokensPerRun))),
            (
                "FLOPs a run",
                range(plan.configurations.map(\.flopsPerRun)) { scientific($0, places: 2) }
            ),
            ("tokens in all", grouped(plan.totalTokens)),
            ("FLOPs in all", scientific(plan.totalFLOPs, places: 2)),
            ("memory of runs at a time", memory(plan.memoryBytes)),
            ("memory available here", available > 0 ? memory(available) : "unknown"),
            ("checkpoints on disk", memory(plan.diskBytes)),
        ]
        let tasks = plan.configurations.compactMap(\.tasks)
        if !tasks.isEmpty {
            rows += [
                ("tasks, each time", range(tasks.map(\.tokens)) + " tokens read"),
                ("tasks, of a run's FLOPs", range(tasks.map(\.share), percent)),
            ]
        }
        let list = rows.map { label, value in
            label + String(repeating: " ", count: 30 - label.count) + value
        }
        let keys = Set(plan.configurations.flatMap(\.configuration.keys)).sorted()
        var table = Table(
            keys + ["runs", "parameters", "tokens a run", "FLOPs a run", "FLOPs in all"])
        for one in plan.configurations {
            table.add(
                keys.map { one.configuration[$0]?.description ?? "-" } + [
                    grouped(one.runs), grouped(one.parameterCount), grouped(one.tokensPerRun),
                    scientific(one.flopsPerRun, places: 2), scientific(one.flops, places: 2),
                ])
        }
        return list + [""] + table.lines + plan.notes.flatMap { ["", "note: \($0)"] }
    }

    private func range(_ numbers: [Int]) -> String { range(numbers) { grouped($0) } }

    private func range<Number: Comparable>(
        _ numbers: [Number], _ text: (Number) -> String
    ) -> String {
        guard let least = numbers.min(), let most = numbers.max() else { return "-" }
        return least == most ? text(most) : "\(text(least)) to \(text(most))"
    }
}
