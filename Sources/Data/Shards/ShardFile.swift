import FalconSystem

/// An open shard: finds and checks its frames.
///
/// Several threads may read one at the same time.
final class ShardFile: Sendable {
    let path: String
    private let file: InputFile
    private let shard: DatasetIndex.Shard
    private let tokensPerFrame: Int
    private let tokenType: TokenType
    /// The start of each frame in the file, and the end of the last one.
    private let frameOffsets: [Int]
    /// The checksum of each frame in the seek table.
    private let checksums: [UInt32]

    /// - Parameters:
    ///   - shard: its entry in the index.
    ///   - index: the index.
    ///   - folder: where the shards lie.
    /// - Throws: `FileError` if it cannot be read, `DataError` if its size or seek table is wrong.
    init(_ shard: DatasetIndex.Shard, of index: DatasetIndex, in folder: String) throws {
        self.shard = shard
        path = "\(folder)/\(shard.name)"
        tokensPerFrame = index.tokensPerFrame
        tokenType = index.tokenType
        file = try InputFile(path: path)
        guard file.byteCount == shard.bytes else {
            throw DataError.wrongShardSize(
                path: path, got: file.byteCount ?? 0, wanted: shard.bytes)
        }
        let frames = (shard.tokens + tokensPerFrame - 1) / tokensPerFrame
        let tableBytes = SeekTable.byteCount(frames: frames)
        let tableStart = shard.bytes - tableBytes
        let tableRange = max(0, tableStart)..<shard.bytes
        guard tableStart > 0 else {
            throw DataError.damagedShard(
                path: path, bytes: tableRange, reason: "too short for \(frames) frames")
        }
        let table = try file.bytes(at: tableStart, count: tableBytes)
        let seekTable: SeekTable
        do throws(SeekTable.Malformed) {
            seekTable = try SeekTable(serialized: table)
        } catch {
            throw DataError.damagedShard(path: path, bytes: tableRange, reason: error.reason)
        }
        var end = 0
        let ends = seekTable.entries.map { entry in
            end += Int(entry.compressedBytes)
            return end
        }
        frameOffsets = [0] + ends
        checksums = seekTable.entries.map(\.checksum)
        let sizesAgree = seekTable.entries.enumerated().allSatisfy { frame, entry in
            let first = frame * index.tokensPerFrame
            let count = min(index.tokensPerFrame, shard.tokens - first)
            return Int(entry.contentBytes) == count * index.tokenType.byteCount
        }
        guard sizesAgree, end == tableStart else {
            throw DataError.damagedShard(
                path: path, bytes: tableRange,
                reason: "the seek table does not describe the frames of the index")
        }
    }

    var frameCount: Int { checksums.count }

    /// The place of a frame in the file.
    func byteRange(ofFrame frame: Int) -> Range<Int> {
        frameOffsets[frame]..<frameOffsets[frame + 1]
    }

    /// Reads and checks one frame.
    ///
    /// - Parameters:
    ///   - frame: from 0 to `frameCount - 1`.
    ///   - decoder: of the calling thread.
    /// - Returns: the tokens as they are stored.
    /// - Throws: `DataError.damagedShard` that names the bytes of the frame.
    func frame(_ frame: Int, _ decoder: ZstdFrameDecoder) throws -> [UInt8] {
        let range = byteRange(ofFrame: frame)
        let tokenCount = min(tokensPerFrame, shard.tokens - frame * tokensPerFrame)
        func damaged(_ reason: String) -> DataError {
            .damagedShard(path: path, bytes: range, reason: reason)
        }
        let compressed = try file.bytes(at: range.lowerBound, count: range.count)
        guard compressed.count == range.count else { throw damaged("the file was cut short") }
        let content: [UInt8]
        do throws(ZstdFailure) {
            content = try decoder.content(
                of: compressed, byteCount: tokenCount * tokenType.byteCount)
        } catch {
            throw damaged("frame \(frame): \(error.reason)")
        }
        guard littleEndianUInt32(compressed, at: range.count - 4) == checksums[frame] else {
            // The frame agrees with its own checksum, so it is the table that changed.
            throw DataError.damagedShard(
                path: path, bytes: (frameOffsets.last ?? 0)..<shard.bytes,
                reason: "the seek table has another checksum for frame \(frame)")
        }
        return content
    }

    /// Compares the whole file with the index.
    ///
    /// - Throws: `DataError.damagedShard` that names the first bad frame.
    func verify() throws {
        var digest = SHA256()
        var offset = 0
        while offset < shard.bytes {
            let piece = try file.bytes(at: offset, count: min(1 << 20, shard.bytes - offset))
            if piece.isEmpty { break }
            digest.update(piece)
            offset += piece.count
        }
        let got = digest.finalizeHex()
        if got == shard.sha256 { return }
        let decoder = ZstdFrameDecoder()
        for index in 0..<frameCount { _ = try frame(index, decoder) }
        throw DataError.damagedShard(
            path: path, bytes: 0..<shard.bytes,
            reason: "SHA-256 is \(got), want \(shard.sha256), though every frame can be read")
    }
}
