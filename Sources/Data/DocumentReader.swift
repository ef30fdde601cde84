import FalconSystem

/// Streams documents from files, folders, patterns and standard input, in a fixed order.
///
/// Memory holds one document at a time, however large the files are. Compression (gzip, zstd) is
/// told by a file's first bytes. In a folder, files are read in the order of their names' bytes;
/// hidden files and links to folders are left out.
public final class DocumentReader {
    /// One input file.
    private struct Input {
        let path: String
        let format: DocumentFormat
        /// Named on the command line: then it is an error if nothing is in it.
        let isNamed: Bool
    }

    /// The largest document: the tokenizer needs about 100 bytes of memory for each byte of it.
    public static let documentLimitBytes = 64 << 20

    private let field: String
    private var inputs: ArraySlice<Input>
    private var current: (input: Input, lines: LineSource)?
    private var documentsInCurrent = 0
    private var finishedBytes = 0
    /// The size of all inputs as they lie on disk; nil with standard input or a pipe among them.
    public let byteCount: Int?
    /// Files in folders that were left out because their names tell no format.
    public private(set) var ignoredFileCount = 0

    /// Bytes read from disk so far, before decompression.
    public var bytesRead: Int { finishedBytes + (current?.lines.file.byteCount ?? 0) }

    /// Looks up the inputs; nothing is read yet.
    ///
    /// - Parameters:
    ///   - paths: files, folders, patterns, or "-" for standard input; at least one.
    ///   - format: how documents lie in the files.
    ///   - field: the field of a jsonl object that holds the text.
    /// - Throws: `FileError.missing` for a path or pattern that names nothing,
    ///   `DataError.noReadableFiles` for a folder without texts.
    public init(paths: [String], format: DocumentFormat = .auto, field: String = "text") throws {
        self.field = field
        var found: [Input] = []
        var ignored = 0
        for path in paths {
            switch path == "-" ? .file : fileKind(of: path) {
            case .file:
                found.append(Self.named(path, format))
            case .folder:
                found += try Self.texts(inFolder: path, format, &ignored)
            case .missing:
                let matches = pathsMatching(path)
                if matches.isEmpty { throw FileError.missing(path: path) }
                for match in matches {
                    if fileKind(of: match) == .folder {
                        found += try Self.texts(inFolder: match, format, &ignored)
                    } else {
                        found.append(Self.named(match, format))
                    }
                }
            }
        }
        inputs = found[...]
        ignoredFileCount = ignored
        var total: Int? = 0
        for input in found {
            guard let sum = total, input.path != "-", let size = fileByteCount(of: input.path)
            else {
                total = nil
                continue
            }
            total = sum + size
        }
        byteCount = total
    }

    /// Reads the next document without checking it.
    ///
    /// - Returns: nil after the last one. Blank lines of jsonl are no documents.
    /// - Throws: `FileError` or `DataError` for what cannot be read at all.
    public func nextRaw() throws -> RawDocument? {
        while true {
            if current == nil {
                guard let input = inputs.popFirst() else { return nil }
                current = (input, try open(input))
                documentsInCurrent = 0
            }
            guard let (input, lines) = current else { return nil }
            if let record = try lines.next() {
                documentsInCurrent += 1
                return RawDocument(
                    path: lines.path, line: record.line, bytes: record.bytes,
                    field: lines.isLineBased ? field : nil)
            }
            if documentsInCurrent == 0 && input.isNamed {
                throw DataError.emptyInput(path: lines.path)
            }
            finishedBytes += lines.file.byteCount
            current = nil
        }
    }

    /// Reads the next document.
    ///
    /// - Returns: nil after the last one.
    /// - Throws: `FileError` or `DataError`; after `DataError.invalidDocument` the next call goes on
    ///   behind the bad document.
    public func next() throws -> Document? {
        guard let raw = try nextRaw() else { return nil }
        return Document(text: try raw.text(), path: raw.path, line: raw.line)
    }

    private static func named(_ path: String, _ format: DocumentFormat) -> Input {
        // Standard input stays `auto`: its first byte decides.
        let told = path == "-" ? format : DocumentFormat.ofFile(named: path) ?? .text
        return Input(path: path, format: format == .auto ? told : format, isNamed: true)
    }

    private static func texts(
        inFolder folder: String, _ format: DocumentFormat, _ ignored: inout Int
    ) throws -> [Input] {
        var found: [Input] = []
        try collect(folder, format, &found, &ignored)
        if found.isEmpty { throw DataError.noReadableFiles(path: folder) }
        return found
    }

    private static func collect(
        _ folder: String, _ format: DocumentFormat, _ found: inout [Input], _ ignored: inout Int
    ) throws {
        for name in try namesInFolder(folder) where !name.hasPrefix(".") {
            let path = folder.hasSuffix("/") ? folder + name : "\(folder)/\(name)"
            switch fileKind(of: path) {
            case .folder:
                if !isSymbolicLink(path) { try collect(path, format, &found, &ignored) }
            case .file:
                if let told = format == .auto ? DocumentFormat.ofFile(named: name) : format {
                    found.append(Input(path: path, format: told, isNamed: false))
                } else {
                    ignored += 1
                }
            case .missing:
                throw FileError.missing(path: path)
            }
        }
    }

    private func open(_ input: Input) throws -> LineSource {
        let file = input.path == "-" ? InputFile.standardInput() : try InputFile(path: input.path)
        return try LineSource(file, format: input.format)
    }
}

/// The records of one file: lines, or the whole.
private final class LineSource {
    let path: String
    let file: FileByteStream
    private(set) var isLineBased = false
    private let stream: any ByteStream
    private var buffer: [UInt8] = []
    private var position = 0
    private var lineNumber = 0
    private var isAtEnd = false
    private var isStarted = false
    private var format: DocumentFormat

    init(_ input: InputFile, format: DocumentFormat) throws {
        path = input.path
        self.format = format
        file = FileByteStream(input)
        let start = try file.peek(4)
        switch Compression(start: start) {
        case .gzip:
            stream = GzipByteStream(file, path: path)
        case .zstd:
            stream = ZstdByteStream(file, path: path)
        case .none:
            for (ending, kind) in [(".gz", "gzip"), (".zst", "zstd")] {
                if path.lowercased().hasSuffix(ending) && !start.isEmpty {
                    throw DataError.damagedCompression(
                        path: path, reason: "the name ends in \(ending), but it is not \(kind) data"
                    )
                }
            }
            stream = file
        }
    }

    func next() throws -> (bytes: [UInt8], line: Int?)? {
        try start()
        return isLineBased ? try nextLine() : try whole()
    }

    private func start() throws {
        if isStarted { return }
        isStarted = true
        while buffer.count < 3 && !isAtEnd { try fill() }
        if buffer.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
        if format == .auto {
            format =
                position < buffer.count && buffer[position] == UInt8(ascii: "{") ? .jsonl : .text
        }
        isLineBased = format == .jsonl
    }

    private func fill() throws {
        if position > 0 {
            buffer.removeFirst(position)
            position = 0
        }
        let more = try stream.next()
        isAtEnd = more.isEmpty
        buffer += more
    }

    private func whole() throws -> (bytes: [UInt8], line: Int?)? {
        while !isAtEnd {
            try fill()
            try checkSize(buffer.count, line: nil)
        }
        if position == buffer.count { return nil }
        defer {
            buffer = []
            position = 0
        }
        return (Array(buffer[position...]), nil)
    }

    private func nextLine() throws -> (bytes: [UInt8], line: Int?)? {
        var searched = position
        while true {
            if let end = buffer[searched...].firstIndex(of: 0x0A) {
                lineNumber += 1
                let line = buffer[position..<end]
                position = end + 1
                searched = position
                if !isBlank(line) { return (Array(line), lineNumber) }
            } else if isAtEnd {
                let line = buffer[position...]
                if line.isEmpty { return nil }
                position = buffer.count
                lineNumber += 1
                return isBlank(line) ? nil : (Array(line), lineNumber)
            } else {
                searched = buffer.count - position
                try fill()
                try checkSize(buffer.count, line: lineNumber + 1)
            }
        }
    }

    private func isBlank(_ line: ArraySlice<UInt8>) -> Bool {
        line.allSatisfy { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }
    }

    private func checkSize(_ count: Int, line: Int?) throws {
        let limit = DocumentReader.documentLimitBytes
        if count > limit + byteStreamChunk {
            throw DataError.documentTooLarge(path: path, line: line, limitBytes: limit)
        }
    }
}
