import ArgumentParser
import FalconBench
import FalconRanks
import FalconSystem
import Foundation

struct BenchNetwork: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "network",
        abstract: "Time messages between the ranks that mpirun or srun has started.",
        discussion: """
            Rank 0 times a small message to every other rank and a stream of --megabytes; then all \
            ranks send to all at once, as they do with gradients. Build the library to MPI once \
            with make mpi, and start all ranks: mpirun -n 2 falcon bench network.
            """)

    @Option(help: "Megabytes of a stream, and that each rank sends when all send.")
    var megabytes = 64

    @Option(help: "Seconds without a sign of life after which a rank counts as failed.")
    var silenceLimit = 60

    @OptionGroup var common: CommonOptions

    func validate() throws {
        for (name, value) in [("megabytes", megabytes), ("silence-limit", silenceLimit)]
        where value < 1 || value > 1_000_000 {
            throw ValidationError("--\(name) is \(value), want 1 to 1000000")
        }
    }

    /// The output of `--json`.
    private struct Output: Encodable {
        let mpi: String
        let network: NetworkReport
    }

    func run() throws {
        let environment = ProcessInfo.processInfo.environment
        guard MPILink.isLaunched(environment: environment) else {
            throw MPIError.noLauncher(command: "falcon bench network")
        }
        let link = try MPILink(environment: environment, silenceLimit: Double(silenceLimit))
        do {
            if link.rank == 0 {
                for shortage in CoreShortage.all(of: link.places, threadCount: 1) {
                    common.talk("warning: \(shortage)")
                }
            }
            let report = try NetworkBenchmark(byteCount: megabytes * 1_000_000).run(link)
            try link.close()
            if let report { try printReport(report, mpi: link.libraryName) }
        } catch {
            link.fail("\(error)")
            throw error
        }
    }

    private func printReport(_ report: NetworkReport, mpi: String) throws {
        if common.json { return try printJSON(Output(mpi: mpi, network: report)) }
        print("\(mpi), \(report.hosts.count) ranks on \(Set(report.hosts).count) hosts")
        var table = Table("from rank 0 to", "host", "latency", "stream")
        for line in report.lines {
            table.add([
                "rank \(line.rank)", line.host, shortTime(line.latencySeconds),
                decimal(line.bytesPerSecond / 1e9, places: 3) + " GB/s",
            ])
        }
        table.printed()
        print(
            "all to all at once: each rank sends and receives "
                + "\(decimal(report.exchangeBytesPerSecond / 1e9, places: 3)) GB/s")
    }
}
