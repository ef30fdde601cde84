import CLzma

// The only file that calls liblzma.

/// Decompresses xz streams.
@safe final class XzDecompressor: Decompressor {
    /// The most memory that a stream's dictionary may take: that of `xz -9`, eight times.
    private static let memoryLimit: UInt64 = 1 << 29

    // liblzma keeps a pointer to this struct, so it needs one address for its whole life.
    private let stream: UnsafeMutablePointer<lzma_stream>
    private(set) var isInsideMember = false
    private(set) var outputMayWait = false
    /// Streams are padded to multiples of four bytes.
    let allowsPadding = true

    init() {
        unsafe stream = .allocate(capacity: 1)
        unsafe stream.initialize(to: lzma_stream())
    }

    deinit {
        unsafe lzma_end(stream)
        unsafe stream.deallocate()
    }

    func step(
        _ input: inout [UInt8], from position: inout Int
    ) throws(DecompressionFault) -> [UInt8] {
        if !isInsideMember {
            let status = unsafe lzma_stream_decoder(stream, Self.memoryLimit, 0)
            precondition(status == LZMA_OK, "XzDecompressor: liblzma cannot start: \(status)")
            isInsideMember = true
        }
        let capacity = byteStreamChunk
        var (status, place) = (LZMA_OK, position)
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
            unsafe input.withUnsafeBufferPointer { bytes in
                let available = bytes.count - place
                unsafe stream.pointee.next_in = bytes.baseAddress.map { unsafe $0 + place }
                unsafe stream.pointee.avail_in = available
                unsafe stream.pointee.next_out = buffer.baseAddress
                unsafe stream.pointee.avail_out = capacity
                status = unsafe lzma_code(stream, LZMA_RUN)
                unsafe place += available - stream.pointee.avail_in
                count = unsafe capacity - stream.pointee.avail_out
            }
        }
        position = place
        outputMayWait = bytes.count == capacity
        switch status {
        case LZMA_OK, LZMA_BUF_ERROR: break
        case LZMA_STREAM_END: (isInsideMember, outputMayWait) = (false, false)
        case LZMA_FORMAT_ERROR: throw DecompressionFault(reason: "what follows is not xz data")
        case LZMA_MEMLIMIT_ERROR:
            throw DecompressionFault(
                reason: "it needs more than \(Self.memoryLimit >> 20) MiB to be decompressed")
        case LZMA_DATA_ERROR: throw DecompressionFault(reason: "a check does not match")
        default: throw DecompressionFault(reason: "xz error \(status.rawValue)")
        }
        return bytes
    }
}
