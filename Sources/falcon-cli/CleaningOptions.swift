import ArgumentParser
import FalconData
import FalconSystem

extension TextFilter: ExpressibleByArgument {}

/// Options that leave documents out by themselves, the same for `tokenize` and `data duplicates`.
struct CleaningOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            """
            Leave out documents that break published rules: gopher-repetition, gopher-quality, c4 (which also \
            takes lines out of documents). Several with commas, or the option several times.
            """, valueName: "rules"))
    var filter: [String] = []

    @Option(
        help: ArgumentHelp(
            "Leave out documents of fewer characters (Unicode scalars).", valueName: "characters"))
    var minLength: Int?

    @Option(
        help: ArgumentHelp(
            "Leave out documents of more characters (Unicode scalars).", valueName: "characters"))
    var maxLength: Int?

    @Option(
        help: ArgumentHelp(
            """
            Leave out documents that hold 13 words in a row of a text of an evaluation set (of texts of 8 to \
            12 words, all): a file of JSON lines, a folder with some, or a folder of such folders as for \
            `falcon eval --data`, where those of train do not count. May be given several times.
            """, valueName: "path"))
    var decontaminate: [String] = []

    /// Far above any document.
    private static let longest = 1_000_000_000_000

    func validate() throws {
        _ = try filters()
        for (name, value) in [("--min-length", minLength), ("--max-length", maxLength)] {
            if let value, !(0...Self.longest).contains(value) {
                throw ValidationError("\(name) is \(value), want 0 to \(Self.longest)")
            }
        }
        if let minLength, let maxLength, minLength > maxLength {
            throw ValidationError(
                "--min-length is \(minLength), want at most --max-length, \(maxLength)")
        }
    }

    private func filters() throws -> Set<TextFilter> {
        var found: Set<TextFilter> = []
        for name in filter.flatMap({ $0.split(separator: ",", omittingEmptySubsequences: false) }) {
            guard let one = TextFilter(rawValue: String(name)) else {
                let names = TextFilter.allCases.map(\.rawValue).joined(separator: ", ")
                throw ValidationError("--filter is \(name), want \(names)")
            }
            found.insert(one)
        }
        return found
    }

    /// What is asked for.
    ///
    /// - Throws: what is wrong with the evaluation sets.
    func cleaning() throws -> DocumentCleaning {
        var cleaning = DocumentCleaning()
        cleaning.filters = try filters()
        cleaning.leastLength = minLength
        cleaning.mostLength = maxLength
        if !decontaminate.isEmpty {
            cleaning.contamination = try Contamination(paths: decontaminate)
        }
        return cleaning
    }
}

/// The memory that comparing documents takes.
struct MemoryOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            """
            Memory for comparing documents, such as 200M or 4G (of 1,000; bytes without a letter); what does \
            not fit is sorted on disk beside the output. Beside it go 4 bytes a document.
            """, valueName: "size"))
    var memory: ByteSize?

    /// The memory asked for, or the usual.
    var bytes: Int { memory?.bytes ?? DuplicateSearch.usualMemoryBytes }

    func validate() throws {
        guard bytes >= DuplicateSearch.leastMemoryBytes else {
            throw ValidationError(
                "--memory is \(bytes) bytes, want \(megabytes(DuplicateSearch.leastMemoryBytes)) or more"
            )
        }
    }
}

/// A number of bytes as a person writes it.
struct ByteSize: ExpressibleByArgument {
    /// More than any machine has.
    private static let limit = 1_000_000_000_000_000

    let bytes: Int

    init?(argument: String) {
        let factors: [Character: Int] = [
            "K": 1_000, "M": 1_000_000, "G": 1_000_000_000, "T": 1_000_000_000_000,
        ]
        let factor = argument.last.flatMap { factors[Character($0.uppercased())] }
        let digits = factor == nil ? argument[...] : argument.dropLast()
        guard digits.allSatisfy({ $0.isASCII && $0.isNumber }), let number = Int(digits) else {
            return nil
        }
        let (bytes, isTooLarge) = number.multipliedReportingOverflow(by: factor ?? 1)
        if isTooLarge || bytes > Self.limit { return nil }
        self.bytes = bytes
    }
}
