import FalconSystem

/// Files of tokens that other trainers read and write.
public enum ForeignTokenFormat: String, CaseIterable, Sendable {
    /// Megatron-LM's `.bin` with its `.idx`: the length of every document is told.
    case megatron
    /// llm.c's `.bin`: a header of 256 numbers, then tokens; each document begins with the token that ends one.
    case llmc = "llm.c"
    /// nanoGPT's `.bin`: tokens in 16 bits and nothing else.
    case nanogpt
    /// OLMo-core's `.npy`: tokens in 16 or 32 bits and nothing else, in spite of the name.
    case olmo = "olmo-core"
    /// Folders of MosaicML's `streaming`, as llm-foundry reads and writes them: a document a sample.
    case mds

    /// The ending of the files with tokens.
    var ending: String { self == .olmo ? ".npy" : ".bin" }

    /// The bytes of a token in files of a vocabulary; nil if the format has none for it.
    func tokenBytes(vocabularyCount: Int) -> Int? {
        switch self {
        // Megatron's own choice, below what 16 bits hold.
        case .megatron: vocabularyCount < 65_500 ? 2 : 4
        case .nanogpt: vocabularyCount <= 1 << 16 ? 2 : nil
        case .llmc, .olmo, .mds: vocabularyCount <= 1 << 16 ? 2 : 4
        }
    }
}

/// Documents of other trainers' files, one after the other.
protocol ForeignDocuments {
    /// The file that is being read.
    var path: String { get }

    /// The next document, without the token that ends it; nil after the last one.
    mutating func next() throws -> [Int64]?
}

/// Numbers of those files.
enum ForeignNumbers {
    /// The first bytes of an `.idx`.
    static let megatronMagic = Array("MMIDIDX\0\0".utf8)
    /// Megatron's codes of integer types, by bytes of a token.
    static let megatronCodes: [UInt8: (bytes: Int, isSigned: Bool)] = [
        3: (2, true), 4: (4, true), 5: (8, true), 8: (2, false),
    ]
    /// The first number of llm.c's files and the version behind it, by bytes of a token.
    static let llmcMagic: [Int: (magic: UInt32, version: UInt32)] = [
        2: (20_240_520, 1), 4: (20_240_801, 7),
    ]
    static let llmcHeaderBytes = 1024
    /// Tokens in a file of llm.c, whose header counts in 31 bits.
    static let llmcFileTokens = 100_000_000
}

extension TokenDataset {
    /// Calls a function with every document of a split.
    ///
    /// - Parameters:
    ///   - split: which split.
    ///   - body: takes the tokens, without the one that ends the document.
    /// - Throws: `DataError` or `FileError` if the shards cannot be read; errors of `body`.
    func forEachDocument(of split: Split, _ body: ([Int32]) throws -> Void) throws {
        let (reader, end) = (self.reader(of: split), index.endOfDocumentID)
        var document: [Int32] = []
        var place = 0
        while place < reader.tokenCount {
            let next = min(reader.tokenCount, place + index.tokensPerFrame)
            for token in try reader.tokens(in: place..<next) {
                if token == end {
                    try body(document)
                    document.removeAll(keepingCapacity: true)
                } else {
                    document.append(token)
                }
            }
            place = next
        }
    }
}
