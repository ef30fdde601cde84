import ArgumentParser
import FalconData
import FalconSystem

extension DataCommand {
    /// Lists the documents that are like earlier ones.
    struct Duplicates: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "List the documents that are like earlier ones, for `falcon tokenize --leave-out`.",
            discussion: """
                Two documents are near duplicates if they agree in any of --bands bands of --rows MinHash \
                values each, over their runs of --run-words words; a document of fewer words is one run. Of \
                the runs of both documents together, let s be in both: they are found with probability \
                1 - (1 - s^rows)^bands, with the usual numbers 5 % at s = 0.5, 56 % at 0.7, 92 % at 0.8 and \
                99.96 % at 0.9. Documents found to be like a third belong together; of all that do, the first \
                in the order of the input is kept.

                Give the files, the options that tell how to read them and those that leave documents out as \
                to `falcon tokenize`, which refuses a list of other input.
                """)

        @Argument(help: "Files, folders or patterns, as for `falcon tokenize`, or - for stdin.")
        var paths: [String] = []

        @Option(
            help: """
                Which documents count as the same: exact (the same bytes), normalized (the same letters and \
                digits, whatever their case), or near.
                """)
        var by = Deduplication.near

        @Option(help: "The list to write.")
        var output: String

        @Option(help: "Words in a run, of near duplicates.")
        var runWords = MinHash.Parameters().words

        @Option(help: "Bands, of which near duplicates share one.")
        var bands = MinHash.Parameters().bands

        @Option(help: "Hash functions of a band.")
        var rows = MinHash.Parameters().rows

        @Flag(help: "Replace the list if it exists.")
        var overwrite = false

        @OptionGroup var memory: MemoryOptions
        @OptionGroup var cleaning: CleaningOptions
        @OptionGroup var source: InputOptions
        @OptionGroup var common: CommonOptions

        func validate() throws {
            if paths.isEmpty && isTerminal(0) {
                throw ValidationError("name files to read, or pipe text in")
            }
            if by == .off { throw ValidationError("--by is off, want exact, normalized or near") }
            let usual = MinHash.Parameters()
            let isUsual = (runWords, bands, rows) == (usual.words, usual.bands, usual.rows)
            guard by == .near || isUsual else {
                throw ValidationError(
                    "--run-words, --bands and --rows go with --by near, not \(by.rawValue)")
            }
        }

        /// The output of `--json`.
        private struct Output: Encodable {
            let output: String
            let by: String
            let threshold: Double?
            let documents: Int
            let text_bytes: Int
            let duplicate_documents: Int
            let duplicate_bytes: Int
            let other_documents: Int
            let sorted_runs: Int
            let elapsed_seconds: Double
        }

        func run() throws {
            var search = DuplicateSearch(by: by)
            search.parameters.words = runWords
            search.parameters.bands = bands
            search.parameters.rows = rows
            search.memoryBytes = memory.bytes
            search.threadCount = common.threadCount
            search.skipsBadDocuments = source.skipBadDocuments
            let documents = try source.reader(of: paths.isEmpty ? ["-"] : paths)
            if documents.reads(output) {
                throw ValidationError("--output \(output) is read; choose another one")
            }
            for path in cleaning.decontaminate
            where (canonicalPath(output) + "/").hasPrefix(canonicalPath(path) + "/") {
                throw ValidationError(
                    "--output \(output) is read by --decontaminate \(path); choose another one")
            }
            if fileKind(of: output) != .missing && !overwrite {
                throw FileError.exists(
                    path: output, advice: "choose another --output, or replace it with --overwrite")
            }
            search.cleaning = try cleaning.cleaning()
            common.talk(of: documents)
            let start = monotonicSeconds()
            let line = common.progressLine()
            var bytes = WorkProgress(.bytes, of: documents.byteCount, at: start)
            let counts = try search.write(documents, to: output) { counts in
                bytes.advance(to: counts.inputBytes, at: monotonicSeconds())
                line.show("\(bytes)  \(grouped(counts.documents)) documents")
            }
            line.end()
            let seconds = monotonicSeconds() - start
            let threshold = by == .near ? search.parameters.threshold : nil
            func share(_ part: Int, _ whole: Int) -> String {
                "\(grouped(part)) of \(grouped(whole)), \(percent(Double(part) / Double(max(1, whole))))"
            }
            var table = [
                ("list", output),
                (
                    "duplicates",
                    by.rawValue
                        + (threshold.map { ", about \(decimal($0, places: 2)) similar" } ?? "")
                ),
                ("documents", share(counts.duplicateDocuments, counts.documents)),
                ("bytes", share(counts.duplicateBytes, counts.textBytes)),
            ]
            if counts.otherDocuments > 0 {
                table.append(("not compared", "\(grouped(counts.otherDocuments)) documents"))
            }
            let rate = Int(Double(counts.textBytes) / max(seconds, 1e-9))
            table.append(("time", "\(decimal(seconds, places: 1)) s, \(megabytes(rate))/s"))
            try common.printResult(
                Output(
                    output: output, by: by.rawValue, threshold: threshold,
                    documents: counts.documents, text_bytes: counts.textBytes,
                    duplicate_documents: counts.duplicateDocuments,
                    duplicate_bytes: counts.duplicateBytes, other_documents: counts.otherDocuments,
                    sorted_runs: counts.sortedRuns, elapsed_seconds: seconds),
                table: table)
        }
    }
}
