import FalconSystem

#if canImport(Glibc)
    import Glibc
#endif

/// The documents of one file of text: its lines, parts between separators, or the whole.
final class LineSource: DocumentSource {
    let path: String
    private let file: FileByteStream
    private var isLineBased = false
    private var isGuessed = false
    private let stream: any ByteStream
    private var buffer: [UInt8] = []
    private var position = 0
    private var lineNumber = 0
    private var isAtEnd = false
    private var isStarted = false
    private var isBehindBadLine = false
    /// Whether a separator stands before the next record.
    private(set) var hasSeparator = false
    private let format: DocumentFormat
    private let told: DocumentFormat?
    private let separator: [UInt8]?
    private let field: String
    private let documentLimit: Int

    var byteCount: Int { file.byteCount }
    var isOfText: Bool { !isLineBased }

    /// - Parameters:
    ///   - input: an open file.
    ///   - format: the format asked for, or `auto`.
    ///   - told: the format that the name tells.
    ///   - field: the field of a jsonl object that holds the text.
    ///   - separator: bytes between the documents of a text; nil if it is one.
    ///   - documentLimit: bytes of the largest document.
    /// - Throws: `FileError` if it cannot be read; `DataError` if its name says that it is compressed, and it
    ///   is not.
    init(
        _ input: InputFile, format: DocumentFormat, told: DocumentFormat?, field: String,
        separator: [UInt8]?, documentLimit: Int
    ) throws {
        self.field = field
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

    func next() throws -> RawDocument? {
        try nextRecord().map { record in
            RawDocument(
                path: path, place: record.line.map { .line($0) }, bytes: record.bytes,
                field: isLineBased ? field : nil, isGuessed: isGuessed)
        }
    }

    private func nextRecord() throws -> (bytes: [UInt8], line: Int?)? {
        try start()
        if isLineBased { return try nextRecord(endingIn: [0x0A]) }
        return try separator.map(nextRecord) ?? whole()
    }

    private func start() throws {
        if isStarted { return }
        isStarted = true
        while !isAtEnd && FileStart.isUndecided(buffer[...]) { try fill() }
        if buffer.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
        try refuseParquet()
        let mayHaveZeros = format != .auto || told != nil
        if let kind = ForeignFile.told(by: buffer[position...], mayHaveZeros: mayHaveZeros) {
            throw DataError.notText(path: path, kind: kind.name, advice: kind.advice)
        }
        isLineBased = try decided() == .jsonl
    }

    /// A Parquet file is read here only where it cannot be read as such.
    private func refuseParquet() throws(DataError) {
        let isNamed = format == .parquet || format == .auto && told == .parquet
        guard isNamed || ParquetSource.isBegun(by: buffer[position...]) else { return }
        let advice =
            if stream !== file {
                "decompress it: its pages are compressed already, and it is read from its end"
            } else if format == .text || format == .jsonl {
                "leave --format out, or say --format parquet"
            } else {
                "give the file itself by its name: it is read from its end, which a pipe has not yet"
            }
        throw .notText(path: path, kind: "a Parquet file", advice: advice)
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
                } else if let found = trimmed(record, line, isBehind, isBefore: true) {
                    return found
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
                return trimmed(record, lineNumber, hasSeparator, isBefore: false)
            } else {
                // The start of an ending may be there already.
                let kept = ending.count - 1
                if isBehindBadLine {
                    take(to: max(position, buffer.count - kept))
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
    ///
    /// - Returns: nil for a blank line, and for nothing before the first or behind the last separator.
    private func trimmed(
        _ record: ArraySlice<UInt8>, _ line: Int, _ isBehind: Bool, isBefore: Bool
    ) -> (bytes: [UInt8], line: Int?)? {
        if isLineBased { return isBlank(record) ? nil : (Array(record), line) }
        var (record, line) = (record, line)
        if isBehind, record.starts(with: [0x0D, 0x0A]) || record.first == 0x0A {
            record.removeFirst(record.first == 0x0D ? 2 : 1)
            line += 1
        }
        if isBefore, record.last == 0x0A {
            record.removeLast()
            if record.last == 0x0D { record.removeLast() }
        }
        if record.isEmpty && !(isBehind && isBefore) { return nil }
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
        line.allSatisfy { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }
    }

    private func tooLarge(line: Int?) -> DataError {
        .documentTooLarge(path: path, place: line.map { .line($0) }, limitBytes: documentLimit)
    }
}
