import FalconTokenizer

/// What the parts of one data set have in common.
struct PartSettings: Codable, Equatable, Sendable {
    /// The files that are read, all workers' together, and how.
    struct Input: Codable, Equatable, Sendable {
        let format: String
        let field: String
        let separator: String?
        let skipsBadItems: Bool
        /// The number of files.
        let files: Int
        /// Their bytes; nil if one is a pipe.
        let bytes: Int?
        /// The SHA-256 of their names and sizes in order.
        let digest: String

        enum CodingKeys: String, CodingKey {
            case format, field, separator, files, bytes
            case skipsBadItems = "skip_bad_items"
            case digest = "names_and_sizes_sha256"
        }
    }

    let tokenizerDigest: String
    let companionDigests: [String: String]?
    let tokenType: TokenType
    let tokensPerFrame: Int
    let tokensPerShard: Int
    let validationFraction: Double
    let deduplication: String
    let cleaning: DocumentCleaning.Settings
    /// The SHA-256 of the list of documents that are left out; nil for none.
    let leaveOut: String?
    let skipsBadDocuments: Bool
    let input: Input

    enum CodingKeys: String, CodingKey {
        case input
        case tokenizerDigest = "tokenizer_sha256"
        case companionDigests = "tokenizer_companions_sha256"
        case tokenType = "token_type"
        case tokensPerFrame = "tokens_per_frame"
        case tokensPerShard = "tokens_per_shard"
        case validationFraction = "validation_fraction"
        case deduplication
        case cleaning
        case leaveOut = "leave_out_sha256"
        case skipsBadDocuments = "skip_bad_documents"
    }

    init(_ corpus: CorpusTokenizer, _ input: Input) {
        tokenizerDigest = corpus.tokenizer.digest
        companionDigests = corpus.tokenizer.files.companionDigests
        tokenType = corpus.layout.tokenType
        tokensPerFrame = corpus.layout.tokensPerFrame
        tokensPerShard = corpus.layout.tokensPerShard
        validationFraction = corpus.validationFraction
        deduplication = corpus.deduplication.rawValue
        cleaning = corpus.cleaning.settings
        leaveOut = corpus.leaveOut?.digest
        skipsBadDocuments = corpus.skipsBadDocuments
        self.input = input
    }

    /// The differences from other settings.
    ///
    /// - Parameter wanted: what these should be.
    /// - Returns: one text each; none if they are the same.
    func differences(from wanted: PartSettings) -> [String] {
        var found: [String] = []
        func compare<Value: Equatable>(_ name: String, _ got: Value, _ wanted: Value) {
            if got != wanted { found.append("\(name) is \(got), want \(wanted)") }
        }
        compare("the tokenizer", tokenizerDigest, wanted.tokenizerDigest)
        if tokenizerDigest == wanted.tokenizerDigest, companionDigests != wanted.companionDigests {
            found.append("the files beside the tokenizer are others")
        }
        compare("the type of a token", tokenType.rawValue, wanted.tokenType.rawValue)
        compare("the length of a frame", tokensPerFrame, wanted.tokensPerFrame)
        compare("the length of a shard", tokensPerShard, wanted.tokensPerShard)
        compare("--validation-fraction", validationFraction, wanted.validationFraction)
        compare("--deduplicate", deduplication, wanted.deduplication)
        found += cleaning.differences(from: wanted.cleaning)
        if leaveOut != wanted.leaveOut { found.append("the list of --leave-out is another") }
        compare("--skip-bad-documents", skipsBadDocuments, wanted.skipsBadDocuments)
        return found
            + input.differences(
                from: wanted.input, comparingSkipping: skipsBadDocuments == wanted.skipsBadDocuments
            )
    }
}

extension PartSettings.Input {
    /// The differences from another input, one text each.
    ///
    /// - Parameters:
    ///   - wanted: what this should be.
    ///   - comparesSkipping: whether leaving out files that cannot be read counts.
    /// - Returns: none if they are the same.
    func differences(
        from wanted: PartSettings.Input, comparingSkipping comparesSkipping: Bool = true
    ) -> [String] {
        var found: [String] = []
        func compare<Value: Equatable>(_ name: String, _ got: Value, _ wanted: Value) {
            if got != wanted { found.append("\(name) is \(got), want \(wanted)") }
        }
        func quoted(_ text: String?) -> String { text.map { "\"\($0)\"" } ?? "not given" }
        compare("--format", format, wanted.format)
        compare("--field", quoted(field), quoted(wanted.field))
        compare("--separator", quoted(separator), quoted(wanted.separator))
        if comparesSkipping {
            compare(
                "leaving out files that cannot be read", skipsBadItems, wanted.skipsBadItems)
        }
        if digest != wanted.digest {
            found.append(
                "the input is \(summary), want \(wanted.summary)"
                    + (files == wanted.files && bytes == wanted.bytes
                        ? " with other names or sizes" : ""))
        }
        return found
    }

    private var summary: String {
        "\(files) files" + (bytes.map { " of \($0) bytes" } ?? "")
    }
}
