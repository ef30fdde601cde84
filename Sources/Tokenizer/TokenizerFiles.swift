import FalconSystem

/// The files of a tokenizer, byte for byte as they were found.
public struct TokenizerFiles: Sendable, Equatable {
    /// One file.
    public struct File: Sendable, Equatable {
        /// The file's name in its folder.
        public let name: String
        /// Its contents.
        public let bytes: [UInt8]

        /// A file.
        ///
        /// - Parameters:
        ///   - name: its name in its folder.
        ///   - bytes: its contents.
        public init(name: String, bytes: [UInt8]) {
            self.name = name
            self.bytes = bytes
        }
    }

    /// The name of a SentencePiece model.
    public static let modelName = "tokenizer.model"
    /// The name of a vocabulary with merges, as Hugging Face's `tokenizers` writes it.
    public static let jsonName = "tokenizer.json"
    /// The name of the file with the special tokens.
    public static let configurationName = "tokenizer_config.json"
    /// The older name of the file with the special tokens.
    public static let specialTokensName = "special_tokens_map.json"
    /// The name of the file with tokens that were added to a SentencePiece model.
    public static let addedTokensName = "added_tokens.json"
    /// Names of files that may lie beside the main one and are kept with it.
    public static let companionNames = [
        configurationName, specialTokensName, addedTokensName, "generation_config.json",
        "chat_template.jinja",
    ]
    /// Every name that a file of a tokenizer may have.
    public static let names = [modelName, jsonName] + companionNames

    /// The file that ids follow from: `tokenizer.model` or `tokenizer.json`.
    public let main: File
    /// The other files; none is needed to encode.
    public let companions: [File]

    /// Files in memory.
    ///
    /// - Parameters:
    ///   - main: `tokenizer.model` or `tokenizer.json`.
    ///   - companions: the other files.
    public init(main: File, companions: [File] = []) {
        self.main = main
        self.companions = companions
    }

    /// The tokenizer files among those of a folder.
    ///
    /// - Parameter contents: gives the bytes of a file by its name, nil if there is none.
    /// - Returns: `tokenizer.model` if there is one and `tokenizer.json` says no more, else
    ///   `tokenizer.json`, with all others; nil if neither is there.
    /// - Throws: what reading a file throws.
    public static func find<Failure: Error>(
        _ contents: (String) throws(Failure) -> [UInt8]?
    ) throws(Failure) -> TokenizerFiles? {
        var found: [File] = []
        for name in names {
            if let bytes = try contents(name) { found.append(File(name: name, bytes: bytes)) }
        }
        if found.count > 1, found[0].name == modelName, found[1].name == jsonName,
            says(found[1].bytes, moreThan: found[0].bytes)
        {
            found.swapAt(0, 1)
        }
        guard let main = found.first, main.name == modelName || main.name == jsonName else {
            return nil
        }
        return TokenizerFiles(main: main, companions: Array(found.dropFirst()))
    }

    /// The tokenizer files of a folder.
    ///
    /// - Parameter folder: any folder.
    /// - Returns: as for `find`.
    /// - Throws: `FileError` if a file is there and cannot be read.
    public static func find(inFolder folder: String) throws(FileError) -> TokenizerFiles? {
        try find { (name) throws(FileError) in
            let path = folder + "/" + name
            return fileKind(of: path) == .file ? try InputFile.contents(of: path) : nil
        }
    }

    /// All files, the main one first.
    public var all: [File] { [main] + companions }

    /// The bytes of a file.
    ///
    /// - Parameter name: the file's name.
    /// - Returns: its bytes; nil if it is not among these.
    public func bytes(of name: String) -> [UInt8]? { all.first { $0.name == name }?.bytes }

    /// The tokenizer that the files describe.
    ///
    /// - Parameters:
    ///   - folder: where they came from, for messages.
    ///   - specialIDs: ids from elsewhere, for special tokens that the files do not name.
    /// - Returns: a `SentencePieceTokenizer` or a `BytePairTokenizer`.
    /// - Throws: `TokenizerError` if the main file is not what its name says.
    public func tokenizer(
        folder: String, specialIDs: SpecialTokenIDs = SpecialTokenIDs()
    ) throws(TokenizerError) -> any Tokenizer {
        let path = folder + "/" + main.name
        if main.name == Self.jsonName {
            return try BytePairTokenizer(files: self, path: path, specialIDs: specialIDs)
        }
        return try SentencePieceTokenizer(files: self, path: path, specialIDs: specialIDs)
    }
}

/// The ids of tokens with a meaning of their own.
public struct SpecialTokenIDs: Sendable, Equatable {
    /// The token that may start a document.
    public var bos: Int32?
    /// The token that ends a document.
    public var eos: Int32?
    /// The token for characters that the vocabulary does not have.
    public var unknown: Int32?
    /// The token that fills places without text.
    public var padding: Int32?

    /// Some ids.
    ///
    /// - Parameters:
    ///   - bos: the token that may start a document.
    ///   - eos: the token that ends a document.
    ///   - unknown: the token for characters that the vocabulary does not have.
    ///   - padding: the token that fills places without text.
    public init(
        bos: Int32? = nil, eos: Int32? = nil, unknown: Int32? = nil, padding: Int32? = nil
    ) {
        self.bos = bos
        self.eos = eos
        self.unknown = unknown
        self.padding = padding
    }
}

/// Opens a tokenizer, whichever kind it is.
///
/// - Parameter path: a SentencePiece model; or a `tokenizer.json` (a name that ends in `.json`), whose
///   special tokens stand in the files beside it; or a folder that holds one of them.
/// - Returns: a `SentencePieceTokenizer` or a `BytePairTokenizer`.
/// - Throws: `FileError` if it cannot be read, `TokenizerError` if it is not a tokenizer.
public func openTokenizer(path: String) throws -> any Tokenizer {
    if fileKind(of: path) == .folder {
        guard let files = try TokenizerFiles.find(inFolder: path) else {
            throw FileError.missing(path: path + "/" + TokenizerFiles.modelName)
        }
        return try files.tokenizer(folder: path)
    }
    guard path.hasSuffix(".json") else { return try SentencePieceTokenizer(path: path) }
    let main = TokenizerFiles.File(
        name: TokenizerFiles.jsonName, bytes: try InputFile.contents(of: path))
    var folder = "."
    if let slash = path.lastIndex(of: "/") { folder = String(path[..<slash]) }
    let companions = try TokenizerFiles.companionNames.compactMap { name in
        let file = folder + "/" + name
        return fileKind(of: file) == .file
            ? TokenizerFiles.File(name: name, bytes: try InputFile.contents(of: file)) : nil
    }
    return try BytePairTokenizer(
        files: TokenizerFiles(main: main, companions: companions), path: path)
}
