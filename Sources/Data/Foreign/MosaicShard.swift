import FalconSystem

/// Reads the samples of one shard of MosaicML's `streaming` from its first byte to its last.
final class MosaicShard {
    /// The largest sample: tokens of 8 bytes, and as much again of other columns.
    private static let sampleLimitBytes = 16 * ForeignTokenReader.tokenLimit

    private let shard: MosaicIndex.Shard
    private let stream: any ByteStream
    private var digest: SHA256? = SHA256()
    private var piece: ArraySlice<UInt8> = []
    private var place = 0
    /// Where samples begin, and where the last one ends.
    private var starts: [UInt32] = []
    private var sample = 0

    /// Opens a shard.
    ///
    /// - Parameter shard: as the index tells of it.
    /// - Throws: `FileError`; `DataError.unreadableText` if it cannot be right.
    init(_ shard: MosaicIndex.Shard) throws {
        self.shard = shard
        let file = FileByteStream(try InputFile(path: shard.path))
        if let compression = shard.compression {
            guard let found = Compression(start: try file.peek(6)) else {
                throw DataError.unreadableText(
                    path: shard.path,
                    reason: "not compressed with \(compression), which its index names")
            }
            stream = DecompressedStream(file, found.makeDecompressor(), path: shard.path)
        } else {
            stream = file
        }
        let count = Int(littleEndianUInt32(try take(4), at: 0))
        guard count == shard.samples else {
            throw invalid("it tells of \(count) samples, and its index of \(shard.samples)")
        }
        let tableBytes = 4 * (count + 1)
        guard 4 + tableBytes <= shard.byteCount else {
            throw invalid("\(shard.byteCount) bytes do not hold the places of \(count) samples")
        }
        let table = try take(tableBytes)
        starts = (0...count).map { littleEndianUInt32(table, at: 4 * $0) }
        guard Int(starts[0]) >= place, Int(starts[count]) == shard.byteCount,
            zip(starts, starts.dropFirst()).allSatisfy({ $0 <= $1 })
        else { throw invalid("the places of its samples contradict each other or its size") }
        try skip(to: Int(starts[0]))
    }

    private func invalid(_ reason: String) -> DataError {
        .unreadableText(path: shard.path, reason: reason)
    }

    /// The bytes of a column in the next sample.
    ///
    /// - Parameter column: its place among the columns.
    /// - Returns: nil after the last sample; the whole shard was then checked.
    /// - Throws: `FileError`; `DataError` if the shard cannot be right.
    func next(column: Int) throws -> ArraySlice<UInt8>? {
        guard sample + 1 < starts.count else {
            try requireEnd()
            return nil
        }
        let count = Int(starts[sample + 1] - starts[sample])
        guard count <= Self.sampleLimitBytes else {
            throw invalid(
                "sample \(sample) has \(count) bytes, want at most \(Self.sampleLimitBytes)")
        }
        let bytes = try take(count)
        defer { sample += 1 }
        var head = 0
        var sizes: [Int] = []
        for column in shard.columns {
            if let size = column.byteCount {
                sizes.append(size)
            } else {
                guard head + 4 <= count else { throw invalid("sample \(sample) is too short") }
                sizes.append(Int(littleEndianUInt32(bytes, at: head)))
                head += 4
            }
        }
        guard head + sizes.reduce(0, +) == count else {
            throw invalid(
                "sample \(sample) has \(count) bytes, and its columns \(head + sizes.reduce(0, +))"
            )
        }
        let first = head + sizes[..<column].reduce(0, +)
        return bytes[first..<first + sizes[column]]
    }

    private func requireEnd() throws {
        while piece.isEmpty {
            let more = try stream.next()
            if more.isEmpty { break }
            piece = more[...]
        }
        guard piece.isEmpty else {
            throw invalid("it goes on behind the \(shard.byteCount) bytes that its index tells of")
        }
        if let wanted = shard.digest, let found = digest.take()?.finalizeHex(), found != wanted {
            throw invalid(
                "its SHA-256 is \(found), and its index tells of \(wanted): it is damaged")
        }
    }

    private func skip(to wanted: Int) throws {
        while place < wanted { _ = try take(min(byteStreamChunk, wanted - place)) }
    }

    private func take(_ count: Int) throws -> [UInt8] {
        var taken: [UInt8] = []
        while taken.count < count {
            if piece.isEmpty {
                piece = try stream.next()[...]
                guard !piece.isEmpty else {
                    throw invalid(
                        "it ends after \(place + taken.count) bytes, want \(shard.byteCount)")
                }
            }
            let part = piece.prefix(count - taken.count)
            taken += part
            piece = piece.dropFirst(part.count)
        }
        place += count
        digest?.update(taken)
        return taken
    }
}
