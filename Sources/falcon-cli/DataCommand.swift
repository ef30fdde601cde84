import ArgumentParser
import FalconData
import FalconSystem

/// Groups the commands that work on data sets.
struct DataCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "data", abstract: "Work on folders of token shards.",
        subcommands: [
            Info.self, Order.self, Show.self, Merge.self, Convert.self, Mix.self,
            Duplicates.self,
        ])
}

extension DataCommand {
    /// Makes one data set of the parts of several workers.
    struct Merge: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make one data set of the parts that several workers wrote.",
            discussion: """
                The workers are those of `falcon tokenize --output FOLDER --shard 1/N` to N/N. The parts \
                in FOLDER.parts are checked to the last byte and removed when the data set is whole; it \
                is the same, byte for byte, as one process would have written. The same command finishes \
                a merge that was stopped.
                """)

        @Argument(help: "The --output of the workers.")
        var folder: String

        @Flag(help: "Replace the data set in the folder.")
        var overwrite = false

        @Flag(help: "Leave the parts where they are.")
        var keepParts = false

        @OptionGroup var common: CommonOptions

        func run() throws {
            var merge = DataMerge(folder: folder)
            merge.overwrites = overwrite
            merge.keepsParts = keepParts
            merge.threadCount = common.threadCount
            let start = monotonicSeconds()
            let line = common.progressLine()
            var tokens: WorkProgress?
            let outcome = try merge.run { stage in
                switch stage {
                case .checking(let parts, let count):
                    line.show("checking part \(parts + 1)/\(count)")
                case .merging(let done, let count):
                    let now = monotonicSeconds()
                    var progress = tokens ?? WorkProgress(.items("tokens"), of: count, at: now)
                    progress.advance(to: done, at: now)
                    line.show("\(progress)")
                    tokens = progress
                }
            }
            line.end()
            let report = TokenizeReport(
                path: folder, parts: outcome.parts, isUnchanged: outcome.isUnchanged,
                index: outcome.index, counts: outcome.counts,
                seconds: monotonicSeconds() - start)
            report.warn(common, endText: outcome.endOfDocumentText)
            try common.printResult(report.result, table: report.table)
        }
    }
}
