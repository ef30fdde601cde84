import FalconRanks
import FalconSystem
import FalconTrain

extension TinyRuns {
    /// Runs a recipe on ranks that are threads.
    ///
    /// - Parameters:
    ///   - name: the folder of the run.
    ///   - count: the number of ranks.
    ///   - existing: the choice for an old run.
    ///   - settings: over those of every run.
    ///   - threads: of each rank.
    ///   - messageByteLimit: of a message; a small one makes many.
    ///   - untilTokens: where to stop; nil for the end.
    ///   - prepare: sees the run of a rank before it trains.
    ///   - onEvent: takes the events of a rank.
    /// - Returns: what became of each rank.
    /// - Throws: `FileError` if the recipe cannot be written, or the system gives no thread.
    package func run(
        _ name: String, ranks count: Int, _ existing: ExistingRun = .refuse,
        settings: [String] = [], threads: Int = 1, messageByteLimit: Int = 4096,
        untilTokens: Int? = nil,
        prepare: @escaping @Sendable (PretrainingRun, RankGroup) throws -> Void = { _, _ in },
        onEvent: @escaping @Sendable (Int, RunEvent) -> Void = { _, _ in }
    ) throws -> [Result<RunOutcome, any Error>] {
        try folder.write("recipe.yaml", yaml)
        let request = RunRequest(
            recipe: path("recipe.yaml"), settings: self.settings + settings, path: path(name),
            existing: existing)
        return try ThreadRanks(
            count: count, messageByteLimit: messageByteLimit, silenceLimit: 30
        ).run { link in
            let ranks = RankGroup(link)
            let run = try PretrainingRun(
                request.open(ranks), ranks: ranks, threadCount: threads,
                onEvent: { onEvent(ranks.rank, $0) })
            try prepare(run, ranks)
            return try run.run(untilTokens: untilTokens)
        }
    }
}
