import FalconSystem
import FalconTokenizer

#if canImport(Glibc)
    import Glibc
#endif

/// Streams documents from files, folders, patterns and standard input, in a fixed order.
///
/// Memory holds one document at a time, however large the files are; of a Parquet file a page with the dictionary
/// it needs. Parquet and compression (gzip, zstd, bzip2, xz) are
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
        /// Its place among all workers' files, from 0.
        var number = 0
    }

    /// The largest document: the longest text that a tokenizer takes.
    public static let documentLimitBytes = longestTextBytes

    private let field: String
    private let separator: [UInt8]?
    private let format: DocumentFormat
    private let skipsBadItems: Bool
    private let documentLimit: Int
    /// Whether a file may be among the inputs twice: not below one folder.
    private let mayRepeat: Bool
    private var inputs: ArraySlice<Input> = []
    /// All workers' files, those that are read already too.
    private var allInputs: [Input] = []
    private var current: (input: Input, source: any DocumentSource)?
    /// The current file as it was when it was opened.
    private var fingerprint: FileFingerprint?
    private var documentsInCurrent = 0
    private var lastPosition = DocumentPosition(file: -1)
    private var finishedBytes = 0
    /// The size of all inputs as they lie on disk; nil with standard input or a pipe among them.
    public private(set) var byteCount: Int?
    /// Files in folders that were left out because their names tell no format.
    public private(set) var ignoredFiles = LeftOut()
    /// Links to folders, which were not followed.
    public private(set) var linkedFolders = LeftOut()
    /// The items left out because they cannot be read; only if that was asked for.
    public private(set) var unreadable = LeftOut()
    /// Texts in which the separator does not stand.
    public private(set) var unseparated = LeftOut()
    /// Those since the last `takeRejected`.
    private var rejected: [RejectedItem] = []

    /// Bytes of the files as they lie on disk that are done with so far.
    public var bytesRead: Int { finishedBytes + (current?.source.byteCount ?? 0) }

    /// Looks up the inputs; nothing is read yet.
    ///
    /// - Parameters:
    ///   - paths: files, folders, patterns, or "-" for standard input; at least one.
    ///   - format: how documents lie in the files.
    ///   - field: the field of a jsonl object, or the column of a Parquet file, that holds the text.
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
        mayRepeat = paths.count > 1
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
        for number in found.indices { found[number].number = number }
        allInputs = found
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
                do {
                    if let document = try nextOfCurrent() { return document }
                } catch DataError.damagedCompression(let path, let reason) where skipsBadItems {
                    // A pipe cannot be checked before: what came before the damage is used already, and
                    // nobody knows how much of it is right.
                    throw DataError.damagedStream(path: path, reason: reason)
                }
                guard let input = inputs.popFirst() else { return nil }
                documentsInCurrent = 0
                fingerprint = input.path?.fingerprint
                if skipsBadItems { try requireIntact(input) }
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
        return Document(text: try raw.text(), path: raw.path, place: raw.place)
    }

    private func nextOfCurrent() throws -> RawDocument? {
        guard let (input, source) = current else { return nil }
        do {
            if let document = try source.next() {
                documentsInCurrent += 1
                return placed(document, in: input)
            }
        } catch let error as DataError {
            documentsInCurrent += 1
            // Behind one that is too large there are others.
            if case .documentTooLarge = error { throw error }
            close(source)
            throw error
        } catch {
            close(source)
            throw error
        }
        close(source)
        if let fingerprint, fingerprint != input.path?.fingerprint {
            throw DataError.changedInput(path: source.path)
        }
        if separator != nil && source.isOfText && !source.hasSeparator {
            unseparated.add(source.path)
        }
        if documentsInCurrent == 0 {
            if input.isNamed { throw DataError.emptyInput(path: source.path) }
            // An empty text in a folder is an empty document; a list without a line or row is none.
            if source.isOfText {
                return placed(
                    RawDocument(path: source.path, place: nil, bytes: [], field: nil), in: input)
            }
        }
        return nil
    }

    /// A document that knows its position.
    private func placed(_ document: RawDocument, in input: Input) -> RawDocument {
        var document = document
        document.position = lastPosition.next(document.place, file: input.number)
        lastPosition = document.position
        return document
    }

    private func close(_ source: any DocumentSource) {
        finishedBytes += source.byteCount
        current = nil
    }

    /// Decompresses a compressed or Parquet file to its end: its checks stand behind what they are of.
    ///
    /// - Throws: `DataError.damagedCompression`, `DataError.unreadableParquet`; `FileError`.
    private func requireIntact(_ input: Input) throws {
        guard let path = input.path, path.kind == .regularFile else { return }
        let file = try InputFile(path)
        if try ParquetSource.isParquet(file, format: input.format, told: input.told) {
            return try parquet(file).requireIntact()
        }
        let bytes = FileByteStream(file)
        guard let compression = Compression(start: try bytes.peek(6)) else { return }
        let stream = DecompressedStream(
            bytes, compression.makeDecompressor(), path: path.description)
        while try !stream.next().isEmpty {}
    }

    private func open(_ input: Input) throws -> any DocumentSource {
        let file = try input.path.map { try InputFile($0) } ?? InputFile.standardInput()
        if input.path != nil,
            try ParquetSource.isParquet(file, format: input.format, told: input.told)
        {
            return try parquet(file)
        }
        return try LineSource(
            file, format: input.format, told: input.told, field: field, separator: separator,
            documentLimit: documentLimit)
    }

    private func parquet(_ file: InputFile) throws -> ParquetSource {
        try ParquetSource(file, column: field, documentLimit: documentLimit)
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

// The shares of several workers.
extension DocumentReader {
    /// The settings of the reader and all of its files, in short.
    var settings: PartSettings.Input {
        var digest = SHA256()
        for input in inputs {
            digest.update(input.path?.bytes ?? [UInt8(ascii: "-")])
            digest.update("\0\(input.path?.byteCount.map(String.init) ?? "?")\n")
        }
        return PartSettings.Input(
            format: format.rawValue, field: field,
            separator: separator.map { String(decoding: $0, as: UTF8.self) },
            skipsBadItems: skipsBadItems, files: inputs.count, bytes: byteCount,
            digest: digest.finalizeHex())
    }

    /// The places among all inputs of those that are still to be read.
    var fileNumbers: Range<Int> {
        guard let first = inputs.first, let last = inputs.last else { return 0..<0 }
        return first.number..<last.number + 1
    }

    /// Whether a path is that of an input.
    ///
    /// - Parameter path: a file that will be written.
    /// - Returns: also true for another spelling of it.
    public func reads(_ path: String) -> Bool {
        let fingerprint = RawPath(path).fingerprint
        return fingerprint != nil && inputs.contains { $0.path?.fingerprint == fingerprint }
    }

    /// Files that are given more than once, and will be read as often.
    public var repeatedFiles: LeftOut {
        var (seen, repeated): (Set<String>, LeftOut) = ([], LeftOut())
        if !mayRepeat { return repeated }
        for path in inputs.compactMap(\.path?.description)
        where !seen.insert(canonicalPath(path)).inserted {
            repeated.add(path)
        }
        return repeated
    }

    /// The name of one of all workers' files.
    ///
    /// - Parameter number: its place, from 0.
    /// - Returns: its path, or "standard input".
    func fileName(_ number: Int) -> String {
        allInputs[number].path?.description ?? "standard input"
    }

    /// The name of an input that cannot be read a second time; nil if all can.
    public var onceReadable: String? {
        inputs.first { $0.path?.kind != .regularFile }.map {
            $0.path?.description ?? "standard input"
        }
    }

    /// The size of one worker's files as they lie on disk.
    ///
    /// - Parameter share: of which worker.
    /// - Returns: bytes; nil if the size of a file is not known.
    public func byteCount(of share: InputShare) -> Int? { files(of: share)?.bytes }

    private func files(of share: InputShare) -> (range: Range<Int>, bytes: Int)? {
        let sizes = inputs.compactMap { $0.path?.byteCount }
        guard sizes.count == inputs.count else { return nil }
        let range = share.range(ofFilesWith: sizes)
        return (range, sizes[range].reduce(0, +))
    }

    /// Leaves the files of other workers out; only before anything is read.
    ///
    /// What was left out while the files were looked up is told by the first worker alone.
    ///
    /// - Parameter share: of which worker.
    /// - Throws: `PartError.cannotShare` if the size of a file is not known.
    func keep(_ share: InputShare) throws(PartError) {
        precondition(current == nil, "DocumentReader: a share is chosen before reading")
        if share.count == 1 { return }
        guard let (range, bytes) = files(of: share) else {
            let unsized = inputs.first { $0.path?.byteCount == nil }
            throw .cannotShare(
                share: share,
                reason: "\(unsized?.path?.description ?? "standard input") has no size by which it "
                    + "could be shared; write it to files, or read it with one worker, without --shard"
            )
        }
        inputs = Array(inputs)[range]
        byteCount = bytes
        guard share.number > 1 else { return }
        (ignoredFiles, linkedFolders, unreadable) = (LeftOut(), LeftOut(), LeftOut())
        rejected = []
    }
}

extension FileError {
    /// Whether the error is about one file among others, not about the disk.
    var isOfOneItem: Bool {
        guard case .failed(_, _, let code) = self else { return true }
        return ![EIO, ENOSPC, ENOMEM, EMFILE, ENFILE, ENODEV].contains(code)
    }
}
