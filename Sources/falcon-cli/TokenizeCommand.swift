import ArgumentParser
import FalconData
import FalconSystem
import FalconTokenizer
import FoundationEssentials

extension Deduplication: ExpressibleByArgument {}

/// Turns text into token shards.
struct TokenizeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tokenize", abstract: "Turn text into token shards.",
        discussion: """
            Documents are held out for validation by the SHA-256 of their text, so the same text \
            always falls in the same split. If none falls in the validation split, the ends of the \
            documents are held out. `zstd -d` turns a shard into raw little-endian tokens.

            Several workers share the input with --shard 1/N to N/N: whole files, about as many bytes \
            each. Each writes a part to OUTPUT.parts, and `falcon data merge OUTPUT` makes of them the \
            bytes that one process would have written. A worker whose part is there does nothing.
            """)

    @Argument(
        help: """
            Files, folders or patterns (*.txt, *.jsonl, with .gz, .zst, .bz2 or .xz; *.parquet), or - \
            for stdin.
            """
    )
    var paths: [String] = []

    @Option(help: "A tokenizer.model or tokenizer.json, or a folder with one.")
    var tokenizer: String

    @Option(help: "The folder to write shards and index.json to.")
    var output: String

    @Option(help: "Share of the documents held out for validation, 0 to 1.")
    var validationFraction = 0.01

    @Option(
        help: """
            Keep the first of several documents that are the same: off, exact (the same bytes), \
            normalized (the same letters and digits, whatever their case), or near, as in `falcon data \
            duplicates`. For exact and normalized a digest of every document is kept in memory; for near \
            the input is read twice.
            """)
    var deduplicate = Deduplication.off

    @Option(
        help: ArgumentHelp(
            "Leave out the documents of a list that `falcon data duplicates` wrote of the same input.",
            valueName: "list"))
    var leaveOut: String?

    @Option(
        help: ArgumentHelp(
            """
            Be one of several workers: I/N is the Ith of N, counted from 1; auto takes the place that \
            srun or mpirun gives this process.
            """, valueName: "i/n"))
    var shard: String?

    @Flag(help: "Read and clean, show what would be left out and why, and write nothing.")
    var dryRun = false

    @Flag(help: "Replace the data set in the folder, or with --shard the worker's part.")
    var overwrite = false

    @OptionGroup var cleaning: CleaningOptions
    @OptionGroup var memory: MemoryOptions
    @OptionGroup var source: InputOptions
    @OptionGroup var common: CommonOptions

    func validate() throws {
        if paths.isEmpty && isTerminal(0) {
            throw ValidationError("name files to read, or pipe text in")
        }
        if !(0...1).contains(validationFraction) {
            throw ValidationError("--validation-fraction is \(validationFraction), want 0 to 1")
        }
        if leaveOut != nil && deduplicate == .near {
            throw ValidationError(
                "--leave-out is a list of duplicates already; leave --deduplicate near out")
        }
        if memory.memory != nil && deduplicate != .near {
            throw ValidationError("--memory goes with --deduplicate near")
        }
        let folder = canonicalPath(output)
        for path in paths where fileKind(of: path) == .folder && canonicalPath(path) == folder {
            throw ValidationError(
                "--output \(output) is a folder to read; choose another one")
        }
        let parent = canonicalPath(RawPath(output).parent) + "/"
        for path in paths where fileKind(of: path) == .folder {
            guard !parent.hasPrefix(canonicalPath(path) + "/") else {
                throw ValidationError(
                    "--output \(output) lies in \(path): what is written, the next worker or the same command "
                        + "would read; choose another one")
            }
        }
    }

    func run() throws {
        let share = try shard.map { try $0 == "auto" ? launchedShare() : InputShare($0) }
        let tokenizer = try openTokenizer(path: tokenizer)
        var corpus = CorpusTokenizer(tokenizer: tokenizer)
        corpus.validationFraction = validationFraction
        corpus.threadCount = common.threadCount
        corpus.skipsBadDocuments = source.skipBadDocuments
        corpus.overwrites = overwrite || dryRun
        corpus.deduplication = deduplicate
        corpus.cleaning = try cleaning.cleaning()
        corpus.leaveOut = try leaveOut.map { try LeaveOutList(path: $0) }
        try findNearDuplicates(&corpus, isShared: (share?.count ?? 1) > 1)
        let documents = try source.reader(of: paths.isEmpty ? ["-"] : paths)
        if share.map({ $0.number == 1 }) ?? true { common.talk(of: documents) }
        if dryRun { return try show(previewOf: documents, share, corpus) }
        let start = monotonicSeconds()
        let line = common.progressLine()
        let byteCount = share.map { documents.byteCount(of: $0) } ?? documents.byteCount
        var bytes = WorkProgress(.bytes, of: byteCount, at: start)
        let show = { (counts: CorpusTokenizer.Progress) in
            bytes.advance(to: counts.inputBytes, at: monotonicSeconds())
            line.show("\(bytes)  \(grouped(counts.tokens)) tokens")
        }
        let report: TokenizeReport
        if let share {
            let part = try corpus.writePart(
                of: documents, share: share, to: output, progress: show)
            report = TokenizeReport(
                path: part.path, part: share, isUnchanged: part.isUnchanged, index: part.index,
                counts: part.counts, seconds: monotonicSeconds() - start)
        } else {
            let (index, counts) = try corpus.write(documents, to: output, progress: show)
            report = TokenizeReport(
                path: output, index: index, counts: counts, seconds: monotonicSeconds() - start)
        }
        line.end()
        report.warn(common, endText: tokenizer.endOfDocumentText)
        try common.printResult(report.result, table: report.table)
    }

    /// Cleans without writing, and shows what would go.
    private func show(
        previewOf documents: sending DocumentReader, _ share: InputShare?, _ corpus: CorpusTokenizer
    ) throws {
        let start = monotonicSeconds()
        let line = common.progressLine()
        let byteCount = share.map { documents.byteCount(of: $0) } ?? documents.byteCount
        var bytes = WorkProgress(.bytes, of: byteCount, at: start)
        let preview = try corpus.preview(documents, share: share) {
            bytes.advance(to: $0.inputBytes, at: monotonicSeconds())
            line.show("\(bytes)  \(grouped($0.documents)) documents")
        }
        line.end()
        common.talk(of: preview.unreadable, "files, folders or documents that cannot be read")
        let report = PreviewReport(preview: preview, seconds: monotonicSeconds() - start)
        if common.json { try printJSON(report.result) } else { report.printTable() }
    }

    /// Looks for near duplicates, if that is asked for; a worker is refused later.
    private func findNearDuplicates(
        _ corpus: inout CorpusTokenizer, isShared: Bool
    ) throws {
        guard deduplicate == .near && !isShared else { return }
        let documents = try source.reader(of: paths.isEmpty ? ["-"] : paths)
        let line = common.progressLine()
        defer { line.end() }
        var bytes = WorkProgress(.bytes, of: documents.byteCount, at: monotonicSeconds())
        try corpus.findNearDuplicates(
            in: documents, for: output, memoryBytes: memory.bytes
        ) { counts in
            bytes.advance(to: counts.inputBytes, at: monotonicSeconds())
            line.show("comparing \(bytes)  \(grouped(counts.documents)) documents")
        }
    }

    /// The share of the process by the launcher's numbers, which begin at 0.
    private func launchedShare() throws -> InputShare {
        do {
            let place = try LauncherPlace(environment: ProcessInfo.processInfo.environment)
            return try InputShare("\(place.rank + 1)/\(place.size)")
        } catch let error as LauncherError {
            throw ValidationError("--shard auto: \(error), as --shard I/N with I from 1")
        }
    }
}
