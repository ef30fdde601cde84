import ArgumentParser
import FalconData
import FalconSystem
import FalconTokenizer

/// Groups the commands that make tokenizers.
struct TokenizerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tokenizer", abstract: "Make and use tokenizers.",
        subcommands: [Train.self, Encode.self, Report.self])
}

/// The options of reading text.
struct InputOptions: ParsableArguments {
    @Option(
        help: """
            The layout of documents in files: text (one per file), jsonl (one per line), parquet (one \
            per row), or auto (by the first bytes and the name).
            """)
    var format = DocumentFormat.auto

    @Option(
        help: """
            The field of a jsonl object, or the column of a Parquet file, that holds the text; a.b is b \
            in the object or struct a.
            """)
    var field = "text"

    @Option(
        help: """
            What stands between the documents of a text file, such as '<|endoftext|>'; a line break on \
            either side belongs to it.
            """)
    var separator: String?

    @Flag(
        help: "Leave out documents, files and folders that cannot be read; count and name them."
    )
    var skipBadDocuments = false

    func reader(of paths: [String]) throws -> DocumentReader {
        try DocumentReader(
            paths: paths, format: format, field: field, separator: separator,
            skipsBadItems: skipBadDocuments)
    }
}

extension CommonOptions {
    /// Reports the files and folders that a reader left out.
    func talk(of documents: DocumentReader) {
        talk(of: documents.ignoredFiles, "files whose names do not tell a text format")
        talk(of: documents.linkedFolders, "links to folders; name such a folder itself to read it")
        talk(of: documents.repeatedFiles, "files that were read before", as: "reads again")
    }

    /// Reports the number of things left out, and names the first few.
    func talk(of leftOut: LeftOut, _ what: String, as verb: String = "left out") {
        guard leftOut.count > 0 else { return }
        let more = leftOut.count > leftOut.reasons.count ? "\n  ..." : ""
        talk(
            "\(verb) \(leftOut.count) \(what):\n  " + leftOut.reasons.joined(separator: "\n  ")
                + more)
    }
}

extension DocumentFormat: ExpressibleByArgument {}
