import FalconSystem
import FalconTokenizer

#if canImport(Glibc)
    import Glibc
#endif

/// Streams documents from files, folders, patterns and standard input, in a fixed order.
///
/// Memory holds one document at a time, however large the files are. Compression (gzip, zstd, bzip2, xz) is
/// recognised by a file's first bytes. In a folder, files are read in the order of their names'
/// bytes; hidden files are left out, and so are links to folders, which are counted.
public final class DocumentReader {
    /// One input file.
    private struct Input {
        /// Nil for standard input.
        let path: RawPath?
        /// The format that was asked for, or `auto`.
        let format: DocumentFormat
        /// The format that the name tells.
        let told: DocumentFormat?
        /// Named on the command line: then it is an error if nothing is in it.
        let isNamed: Bool
    }

    /// The largest document: the longest text that a tokenizer takes.
    public static let documentLimitBytes = longestTextBytes

    private let field: String
    private let separator: [UInt8]?
    private let format: DocumentFormat
    private let skipsBadItems: Bool
    private let documentLimit: Int
    private var inputs: ArraySlice<Input> = []
    private var current: (input: Input, lines: LineSource)?
    private var documentsInCurrent = 0
    private var finishedBytes = 0
    /// The size of all inputs as they lie on disk; nil with standard input or a pipe among them.
    public private(set) var byteCount: Int?
    /// Files in folders that were left out because their names tell no format.
    public private(set) var ignoredFiles = LeftOut()
    /// Links to folders, which were not followed.
    public private(set) var linkedFolders = LeftOut()
    /// The items left out because they cannot be read; only if that was asked for.
    public private(set) var unreadable = LeftOut()
    /// Those since the last `takeRejected`.
    private var rejected: [RejectedItem] = []

    /// Bytes read from disk so far, before decompression.
    public var bytesRead: Int { finishedBytes + (current?.lines.file.byteCount ?? 0) }

    /// Looks up the inputs; nothing is read yet.
    ///
    /// - Parameters:
    ///   - paths: files, folders, patterns, or "-" for standard input; at least one.
    ///   - format: how documents lie in the files.
    ///   - field: the field of a jsonl object that holds the text.
    ///   - separator: the text between the documents of a text file, line breaks on either side of it
    ///     included; nil if the whole file is one.
    ///   - skipsBadItems: whether files, folders and documents that cannot be read are left out and
    ///     counted in `unreadable`, instead of being errors.
    ///   - documentLimit: bytes of the largest document that is read.
    /// - Throws: `FileError.missing` for a path or pattern that names nothing,
    ///   `DataError.invalidOption` for an empty separator, `DataError.noReadableFiles` for a folder without texts, and what is wrong with an entry of a
    ///   folder.
    public init(
        paths: [String], format: DocumentFormat = .auto, field: String = "text",
        separator: String? = nil, skipsBadItems: Bool = false,
        documentLimit: Int = documentLimitBytes
    ) throws {
        if separator?.isEmpty == true {
            throw DataError.invalidOption(name: "--separator", got: "empty", wanted: "a text")
        }
        self.field = field
        self.separator = separator.map { Array($0.utf8) }
        self.format = format
        self.skipsBadItems = skipsBadItems
        self.documentLimit = documentLimit
        var found: [Input] = []
        for path in paths {
            if path == "-" {
                found.append(Input(path: nil, format: format, told: nil, isNamed: true))
                continue
            }
            let raw = RawPath(argument: path)
            let named = raw.kind == .missing ? raw.matches : [raw]
            if named.isEmpty {
                if let target = raw.linkTarget {
                    throw DataError.danglingLink(path: raw.description, target: target.description)
                }
                throw FileError.missing(path: raw.description)
            }
            for path in named {
                if path.kind == .folder {
                    let before = found.count
                    try collect(path, into: &found)
                    if found.count == before && unreadable.count == 0 {
                        throw DataError.noReadableFiles(
                            path: path.description,
                            leftOut: (ignoredFiles.reasons + linkedFolders.reasons).first)
                    }
                } else {
                    found.append(
                        Input(
                            path: path, format: format, told: .ofFile(named: path.description),
                            isNamed: true))
                }
            }
        }
        inputs = found[...]
        byteCount = found.reduce(Int?.some(0)) { total, input in
            total.flatMap { sum in input.path?.byteCount.map { sum + $0 } }
        }
    }

    /// Reads the next document without checking it.
    ///
    /// - Returns: nil after the last one. Blank lines of jsonl are not documents.
    /// - Throws: `FileError` or `DataError` for an item that cannot be read; the next call
    ///   continues behind it.
    public func nextRaw() throws -> RawDocument? {
        while true {
            do {
                if let document = try nextOfCurrent() { return document }
                guard let input = inputs.popFirst() else { return nil }
                documentsInCurrent = 0
                current = (input, try open(input))
            } catch let error as DataError where skipsBadItems && error.isOfOneItem {
                reject(RejectedItem(error))
            } catch let error as FileError where skipsBadItems && error.isOfOneItem {
                reject(RejectedItem(error))
            }
        }
    }

    private func reject(_ item: RejectedItem) {
        unreadable.add(item.reason)
        rejected.append(item)
    }

    /// The items left out since the last call.
    func takeRejected() -> [RejectedItem] {
        defer { rejected = [] }
        return rejected
    }

    /// Reads the next document.
    ///
    /// - Returns: nil after the last one.
    /// - Throws: `FileError` or `DataError`; after `DataError.invalidDocument` the next call
    ///   continues behind the bad document.
    public func next() throws -> Document? {
        guard let raw = try nextRaw() else { return nil }
        return Document(text: try raw.text(), path: raw.path, line: raw.line)
    }

    private func nextOfCurrent() throws -> RawDocument? {
        guard let (input, lines) = current else { return nil }
        do {
            if let record = try lines.next() {
                documentsInCurrent += 1
                return RawDocument(
                    path: lines.path, line: record.line, bytes: record.bytes,
                    field: lines.isLineBased ? field : nil, isGuessed: lines.isGuessed)
            }
        } catch let error as DataError {
            documentsInCurrent += 1
            // Behind a line that is too large there are others.
            if case .documentTooLarge = error { throw error }
            close(lines)
            throw error
        } catch {
            close(lines)
            throw error
        }
        close(lines)
        if documentsInCurrent == 0 && input.isNamed {
            throw DataError.emptyInput(path: lines.path)
        }
        return nil
    }

    private func close(_ lines: LineSource) {
        finishedBytes += lines.file.byteCount
        current = nil
    }

    private func open(_ input: Input) throws -> LineSource {
        let file = try input.path.map { try InputFile($0) } ?? InputFile.standardInput()
        return try LineSource(
            file, format: input.format, told: input.told, separator: separator,
            documentLimit: documentLimit)
    }
}

// The contents of folders.
extension DocumentReader {
    private func collect(_ folder: RawPath, into found: inout [Input]) throws {
        let names: [[UInt8]]
        do throws(FileError) {
            names = try folder.names()
        } catch {
            try leaveOut(error, RejectedItem(error))
            return
        }
        for name in names where name.first != UInt8(ascii: ".") {
            let path = folder.appending(name)
            if path.kind == .folder {
                if path.linkTarget == nil {
                    try collect(path, into: &found)
                } else {
                    linkedFolders.add(path.description)
                }
                continue
            }
            let told = DocumentFormat.ofFile(named: String(decoding: name, as: UTF8.self))
            guard format != .auto || told != nil else {
                ignoredFiles.add(path.description)
                continue
            }
            switch path.kind {
            case .regularFile, .folder:
                found.append(Input(path: path, format: format, told: told, isNamed: false))
            case .other:
                let error = DataError.notAFile(path: path.description)
                try leaveOut(error, RejectedItem(error))
            case .missing:
                let error = DataError.danglingLink(
                    path: path.description, target: (path.linkTarget ?? path).description)
                try leaveOut(error, RejectedItem(error))
            }
        }
    }

    /// Counts an entry that cannot be read, or throws the error.
    private func leaveOut(_ error: any Error, _ item: RejectedItem) throws {
        guard skipsBadItems else { throw error }
        reject(item)
    }
}

extension FileError {
    /// Whether the error is about one file among others, not about the disk.
    var isOfOneItem: Bool {
        guard case .failed(_, _, let code) = self else { return true }
        return ![EIO, ENOSPC, ENOMEM, EMFILE, ENFILE, ENODEV].contains(code)
    }
}

/// The records of one file: lines, or the whole.
private final class LineSource {
    let path: String
    let file: FileByteStream
    private(set) var isLineBased = false
    private(set) var isGuessed = false
    private let stream: any ByteStream
    private var buffer: [UInt8] = []
    private var position = 0
    private var lineNumber = 0
    private var isAtEnd = false
    private var isStarted = false
    private var isBehindBadLine = false
    /// Whether a separator stands before the next record.
    private var hasSeparator = false
    private let format: DocumentFormat
    private let told: DocumentFormat?
    private let separator: [UInt8]?
    private let documentLimit: Int

    /// - Parameters:
    ///   - input: an open file.
    ///   - format: the format asked for, or `auto`.
    ///   - told: the format that the name tells.
    ///   - separator: bytes between the documents of a text; nil if it is one.
    ///   - documentLimit: bytes of the largest document.
    /// - Throws: `FileError` if it cannot be read; `DataError` if its name says that it is compressed, and it
    ///   is not.
    init(
        _ input: InputFile, format: DocumentFormat, told: DocumentFormat?, separator: [UInt8]?,
        documentLimit: Int
    ) throws {
        self.separator = separator
        self.documentLimit = documentLimit
        path = input.path
        self.format = format
        self.told = told
        file = FileByteStream(input)
        let start = try file.peek(6)
        if let compression = Compression(start: start) {
            stream = DecompressedStream(file, compression.makeDecompressor(), path: path)
            return
        }
        for kind in Compression.allCases
        where path.lowercased().hasSuffix(kind.ending) && !start.isEmpty {
            throw DataError.damagedCompression(
                path: path, reason: "the name ends in \(kind.ending), but it is not \(kind) data")
        }
        stream = file
    }

    func next() throws -> (bytes: [UInt8], line: Int?)? {
        try start()
        if isLineBased { return try nextRecord(endingIn: [0x0A]) }
        return try separator.map(nextRecord) ?? whole()
    }

    private func start() throws {
        if isStarted { return }
        isStarted = true
        while !isAtEnd && FileStart.isUndecided(buffer[...]) { try fill() }
        if buffer.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
        let mayHaveZeros = format != .auto || told != nil
        if let kind = ForeignFile.told(by: buffer[position...], mayHaveZeros: mayHaveZeros) {
            throw DataError.notText(path: path, kind: kind.name, advice: kind.advice)
        }
        isLineBased = try decided() == .jsonl
    }

    private func decided() throws(DataError) -> DocumentFormat {
        if format != .auto { return format }
        switch (FileStart(buffer[position...]), told) {
        case (.blank, _): return told ?? .text
        case (.text, _), (.nearlyJSONLine, .text): return told ?? .text
        case (.jsonLine, .text):
            throw .undecidedFormat(
                path: path, found: "the name is that of a text, but it begins with a JSON object",
                remedy:
                    "--format jsonl if every line is a document, or --format text if the whole is")
        case (.jsonLine, _), (.nearlyJSONLine, _):
            isGuessed = told == nil
            return .jsonl
        case (.otherJSON(let kind), _):
            let command = kind.contains("list") ? "jq -c '.[]'" : "jq -c ."
            throw .undecidedFormat(
                path: path, found: "it is \(kind), want one object per line",
                remedy: "--format text if the whole is one document, or rewrite it with \(command)")
        }
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
            guard buffer.count - position > documentLimit else { continue }
            // The rest is read only for its size on disk.
            while !isAtEnd {
                buffer = []
                position = 0
                try fill()
            }
            buffer = []
            position = 0
            throw tooLarge(line: nil)
        }
        if position == buffer.count { return nil }
        if position > 0 { buffer.removeFirst(position) }
        defer {
            buffer = []
            position = 0
        }
        return (buffer, nil)
    }

    /// The next record that is not blank, with the line at which it begins.
    private func nextRecord(endingIn ending: [UInt8]) throws -> (bytes: [UInt8], line: Int?)? {
        var searched = position
        while true {
            if let end = place(of: ending, from: searched) {
                let (line, isBehind) = (lineNumber + 1, hasSeparator)
                let record = take(to: end, behind: end + ending.count)
                searched = position
                if isBehindBadLine {
                    isBehindBadLine = false
                } else if record.count > documentLimit {
                    throw tooLarge(line: line)
                } else if !isBlank(record) {
                    return trimmed(record, line, behindSeparator: isBehind, before: true)
                }
            } else if isAtEnd {
                let record = buffer[position...]
                if record.isEmpty { return nil }
                position = buffer.count
                lineNumber += 1
                if isBehindBadLine { return nil }
                if record.count > documentLimit {
                    throw tooLarge(line: lineNumber)
                }
                return isBlank(record)
                    ? nil
                    : trimmed(
                        record, lineNumber, behindSeparator: hasSeparator, before: false)
            } else {
                // The start of an ending may be there already.
                let kept = ending.count - 1
                if isBehindBadLine {
                    _ = take(to: max(position, buffer.count - kept))
                }
                searched = max(0, buffer.count - position - kept)
                try fill()
                if !isBehindBadLine && buffer.count > documentLimit + byteStreamChunk {
                    isBehindBadLine = true
                    throw tooLarge(line: lineNumber + 1)
                }
            }
        }
    }

    /// Moves behind a record and counts its lines.
    @discardableResult
    private func take(to end: Int, behind next: Int? = nil) -> ArraySlice<UInt8> {
        let (record, next) = (buffer[position..<end], next ?? end)
        lineNumber +=
            isLineBased ? (next > end ? 1 : 0) : buffer[position..<next].count { $0 == 0x0A }
        position = next
        if next > end { hasSeparator = true }
        return record
    }

    /// A record with its line; one of a text without the line breaks that belong to the separators beside it.
    private func trimmed(
        _ record: ArraySlice<UInt8>, _ line: Int, behindSeparator isBehind: Bool,
        before isBefore: Bool
    ) -> (bytes: [UInt8], line: Int?) {
        if isLineBased { return (Array(record), line) }
        var (record, line) = (record, line)
        if isBehind, record.starts(with: [0x0D, 0x0A]) || record.first == 0x0A {
            record.removeFirst(record.first == 0x0D ? 2 : 1)
            line += 1
        }
        if isBefore, record.last == 0x0A {
            record.removeLast()
            if record.last == 0x0D { record.removeLast() }
        }
        return (Array(record), line)
    }

    private func place(of ending: [UInt8], from start: Int) -> Int? {
        guard let first = ending.first else { return nil }
        var start = start
        return unsafe buffer.withUnsafeBytes { bytes -> Int? in
            guard let base = bytes.baseAddress else { return nil }
            while bytes.count - start >= ending.count,
                let found = unsafe memchr(
                    base + start, Int32(first), bytes.count - start - ending.count + 1)
            {
                let place = unsafe UnsafeRawPointer(found) - base
                if unsafe memcmp(found, ending, ending.count) == 0 { return place }
                start = place + 1
            }
            return nil
        }
    }

    private func isBlank(_ line: ArraySlice<UInt8>) -> Bool {
        line.allSatisfy { $0 == 0x20 || $0 == 0x09 || $0 == 0x0A || $0 == 0x0D }
    }

    private func tooLarge(line: Int?) -> DataError {
        .documentTooLarge(path: path, line: line, limitBytes: documentLimit)
    }
}
