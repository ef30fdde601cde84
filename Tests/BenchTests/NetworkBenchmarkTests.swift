import FalconBench
import FalconRanks
import Testing

/// Messages between ranks that are threads.
@Suite struct NetworkBenchmarkTests {
    @Test(arguments: [2, 3, 5]) func rankZeroReportsOnAllOthers(count: Int) throws {
        let ranks = ThreadRanks(count: count, messageByteLimit: 1024)
        let reports = try ranks.run { link in
            try NetworkBenchmark(byteCount: 100_001, roundTrips: 5).run(link)
        }.map { try $0.get() }
        let report = try #require(reports[0])
        #expect(reports.dropFirst().allSatisfy { $0 == nil })
        #expect(report.lines.map(\.rank) == Array(1..<count) && report.hosts.count == count)
        #expect(report.messageBytes == 1024 && report.streamBytes == 100_001)
        for line in report.lines { #expect(line.latencySeconds > 0 && line.bytesPerSecond > 0) }
        #expect(report.exchangeSeconds > 0 && report.exchangeBytesPerSecond > 0)
    }

    @Test func oneRankHasNobodyToWriteTo() throws {
        let results = try ThreadRanks(count: 1).run { try NetworkBenchmark(byteCount: 1).run($0) }
        #expect(throws: BenchError.oneRank) { try results[0].get() }
    }
}
