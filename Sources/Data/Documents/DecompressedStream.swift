/// The reason why compressed bytes are damaged.
struct DecompressionFault: Error {
    let reason: String
}

/// Turns the compressed bytes of one format into plain ones, piece by piece.
///
/// A file is any number of members (streams, frames), one behind the other.
protocol Decompressor: AnyObject {
    /// Whether a member has begun and not ended.
    var isInsideMember: Bool { get }
    /// Whether there may be output without more input.
    var outputMayWait: Bool { get }
    /// Whether zeros may stand between members: padding.
    var allowsPadding: Bool { get }

    /// Decompresses as much as fits into one piece, and no farther than the end of a member.
    ///
    /// - Parameters:
    ///   - input: compressed bytes; there is one at `position`, or output waits.
    ///   - position: the first byte that was not taken; moved.
    /// - Returns: plain bytes, at most `byteStreamChunk`.
    /// - Throws: `DecompressionFault` for bytes that are not of the format.
    func step(
        _ input: inout [UInt8], from position: inout Int
    ) throws(DecompressionFault) -> [UInt8]
}

/// The plain bytes of a compressed stream.
final class DecompressedStream: ByteStream {
    private let source: any ByteStream
    private let decompressor: any Decompressor
    private let path: String
    private var input: [UInt8] = []
    private var position = 0
    /// Whether a member has ended, and the next one has given nothing yet.
    private var isBehindMember = false

    /// - Parameters:
    ///   - source: compressed bytes.
    ///   - decompressor: a new one.
    ///   - path: the name for errors.
    init(_ source: any ByteStream, _ decompressor: any Decompressor, path: String) {
        self.source = source
        self.decompressor = decompressor
        self.path = path
    }

    func next() throws -> [UInt8] {
        while true {
            if position == input.count && !decompressor.outputMayWait {
                input = try source.next()
                position = 0
                if input.isEmpty {
                    guard decompressor.isInsideMember else { return [] }
                    throw damaged("cut short")
                }
            }
            if decompressor.allowsPadding && !decompressor.isInsideMember {
                while position < input.count && input[position] == 0 { position += 1 }
                if position == input.count { continue }
            }
            do throws(DecompressionFault) {
                let bytes = try decompressor.step(&input, from: &position)
                if !bytes.isEmpty || !decompressor.isInsideMember {
                    isBehindMember = !decompressor.isInsideMember
                }
                if !bytes.isEmpty { return bytes }
            } catch {
                throw damaged(error.reason)
            }
        }
    }

    private func damaged(_ reason: String) -> DataError {
        .damagedCompression(
            path: path,
            reason: isBehindMember
                ? "something else follows the end of the compressed data" : reason)
    }
}
