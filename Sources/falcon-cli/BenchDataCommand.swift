import ArgumentParser
import FalconBench
import FalconSystem

struct BenchData: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "data",
        abstract: "Time reading token shards.",
        discussion: """
            Reads batches of the train split as training does: first after asking the system to \
            drop the files from its cache, then with the files in memory. Then only decodes tokens.
            """)

    @Argument(help: "A folder written by falcon tokenize.")
    var path: String

    @Option(help: "Sequences per batch.")
    var batch = 4

    @Option(help: "Tokens per sequence.")
    var length = 2048

    @Option(help: "The most tokens to read.")
    var tokens = 20_000_000

    @OptionGroup var common: CommonOptions

    func validate() throws {
        for (name, value) in [("batch", batch), ("length", length), ("tokens", tokens)]
        where value < 1 || value > Int(Int32.max) {
            throw ValidationError("--\(name) is \(value), want 1 to \(Int32.max)")
        }
    }

    func run() throws {
        let report = try DataBenchmark(
            path: path, sequences: batch, sequenceLength: length, tokenLimit: tokens,
            threadCount: common.threadCount
        ).run()
        func rate(_ tokensPerSecond: Double) -> String {
            decimal(tokensPerSecond / 1e6, places: 2) + " million tokens/s"
        }
        try common.printResult(
            report,
            table: [
                ("processor", report.processor),
                ("other processes", report.othersShare.map(percent) ?? "unknown"),
                ("batches", "\(batch) x \(length) tokens, \(grouped(report.tokens)) in all"),
                ("loader, cold files", rate(report.coldTokensPerSecond)),
                ("loader, warm files", rate(report.warmTokensPerSecond)),
                (
                    "decoding",
                    megabytes(Int(report.decodedBytesPerSecond)) + "/s on "
                        + "\(report.decodingThreads) threads"
                ),
            ])
    }
}
