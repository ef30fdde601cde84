import ArgumentParser
import FalconBench
import FalconSystem
import FalconTrain

/// Options of a plan for several ranks.
struct RankPlanOptions: ParsableArguments {
    @Option(
        help: """
            Ranks that train together: adds their memory, traffic and predicted time, and a table of \
            other numbers. Times a micro-batch here.
            """)
    var ranks: Int?

    @Option(
        help: ArgumentHelp(
            "With --ranks: bits a second of a host's link, each way at the same time; 8e9 times what falcon bench network says of all to all. Default: no limit.",
            valueName: "bits/s"))
    var network: Double?

    @Option(help: "With --ranks: ranks on a host, which share its link.")
    var ranksPerHost = 1

    @Option(
        help: ArgumentHelp(
            "With --ranks: seconds of a micro-batch, if another machine will train.",
            valueName: "seconds"))
    var microBatchTime: Double?

    func validate() throws {
        if let ranks, ranks < 1 { throw ValidationError("--ranks is \(ranks), want at least 1") }
        if ranksPerHost < 1 {
            throw ValidationError("--ranks-per-host is \(ranksPerHost), want at least 1")
        }
        for (name, value) in [("--network", network), ("--micro-batch-time", microBatchTime)] {
            guard let value else { continue }
            if !(value > 0 && value.isFinite) {
                throw ValidationError("\(name) is \(value), want a number above 0")
            }
            if ranks == nil { throw ValidationError("\(name) needs --ranks") }
        }
        if ranks == nil && ranksPerHost != 1 {
            throw ValidationError("--ranks-per-host needs --ranks")
        }
    }

    /// The output of `--json`.
    struct Output: Encodable {
        let ranks: Int
        let rates: RankPlan.Rates
        let rows: [RankPlan.Row]
        let pays_up_to: Int
    }

    /// The plan for ranks; nil if none is wanted.
    ///
    /// - Parameters:
    ///   - recipe: a decoded recipe.
    ///   - threadCount: of each rank.
    /// - Returns: rows for powers of two and the ranks wanted.
    /// - Throws: `ValidationError` if a full step has fewer micro-batches; errors of the timing.
    func plan(_ recipe: TrainingRecipe, threadCount: Int) throws -> Output? {
        guard let ranks else { return nil }
        var rates: RankPlan.Rates
        if let microBatchTime {
            rates = RankPlan.Rates(estimating: recipe, threadCount: threadCount)
            (rates.microBatchSeconds, rates.isMeasured) = (microBatchTime, true)
        } else {
            rates = try RankPlan.Rates(timing: recipe, threadCount: threadCount)
        }
        let plan = try RankPlan(
            recipe, threadCount: threadCount, networkBitsPerSecond: network,
            ranksPerHost: ranksPerHost, rates: rates)
        guard try plan.row(ranks: ranks) != nil else {
            throw ValidationError(
                "--ranks is \(ranks), and a full step has \(RunPlan(recipe).microBatches) micro-batches: more "
                    + "ranks would have nothing to do; raise train.batch_tokens, or lower "
                    + "train.micro_batch_sequences")
        }
        let rows = try plan.shownRanks(and: ranks).compactMap { try plan.row(ranks: $0) }
        return Output(ranks: ranks, rates: rates, rows: rows, pays_up_to: Self.end(of: rows))
    }

    /// The number of ranks of which twice as many are less than 1.5 times as fast; the last, if there is none.
    private static func end(of rows: [RankPlan.Row]) -> Int {
        for row in rows {
            if let twice = rows.first(where: { $0.ranks == 2 * row.ranks }),
                twice.tokensPerSecond < 1.5 * row.tokensPerSecond
            {
                return row.ranks
            }
        }
        return rows.last?.ranks ?? 1
    }

    /// The plan as lines for a person.
    ///
    /// - Parameters:
    ///   - output: the plan.
    ///   - recipe: the recipe.
    /// - Returns: lines without a mark of a comment.
    func lines(_ output: Output, _ recipe: TrainingRecipe) -> [String] {
        let link = network.map { "links of \(decimal($0 / 1e9, places: 1)) Gbit/s" }
        var lines = [
            "",
            "on several ranks, \(ranksPerHost) a host, \(link ?? "without a limit of the network"); a micro-batch in "
                + "\(decimal(output.rates.microBatchSeconds, places: 2)) s "
                + (microBatchTime != nil
                    ? "(given)"
                    : output.rates.isMeasured ? "(timed here)" : "(from this machine's peaks)"),
        ]
        var table = Table(
            "ranks", "leaves", "memory of a rank", "sent a step", "step", "of it exchange",
            "tokens/s", "efficiency")
        for row in output.rows {
            table.add([
                "\(row.ranks)", "\(row.leaves)", memory(row.memoryBytes), memory(row.sentBytes),
                "\(decimal(row.stepSeconds, places: 2)) s",
                percent(row.communicationSeconds / row.stepSeconds),
                grouped(Int(row.tokensPerSecond)), percent(row.efficiency),
            ])
        }
        lines += table.lines
        let last = output.rows.last?.ranks ?? 1
        lines.append(
            output.pays_up_to < last
                ? "beyond \(output.pays_up_to) ranks, twice as many are less than 1.5 times as fast"
                : "up to \(last) ranks, as many as a full step has work for, each doubling pays")
        if output.ranks > recipe.train.leaves {
            lines.append(
                "the recipe has \(recipe.train.leaves) leaves: \(output.ranks) ranks want "
                    + "train.leaves=\(output.ranks) or more")
        }
        return lines
    }
}
