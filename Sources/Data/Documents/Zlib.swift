import CZlib

// The only file of the module that calls zlib.

/// Decompresses gzip members.
@safe final class GzipDecompressor: Decompressor {
    // zlib keeps a pointer to this struct, so it needs one address for its whole life.
    private let stream: UnsafeMutablePointer<z_stream>
    private(set) var isInsideMember = false
    private(set) var outputMayWait = false
    /// Tapes are padded.
    let allowsPadding = true

    init() {
        unsafe stream = .allocate(capacity: 1)
        unsafe stream.initialize(to: z_stream())
        // 15 bits of window, plus 16: gzip only. deflateInit2's macro is not visible in Swift.
        let status = unsafe inflateInit2_(
            stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        precondition(status == Z_OK, "GzipDecompressor: zlib cannot start: \(status)")
    }

    deinit {
        unsafe inflateEnd(stream)
        unsafe stream.deallocate()
    }

    func step(
        _ input: inout [UInt8], from position: inout Int
    ) throws(DecompressionFault) -> [UInt8] {
        isInsideMember = true
        let capacity = byteStreamChunk
        var (status, place) = (Z_OK, position)
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
            unsafe input.withUnsafeMutableBufferPointer { bytes in
                let available = bytes.count - place
                unsafe stream.pointee.next_in = bytes.baseAddress.map { unsafe $0 + place }
                unsafe stream.pointee.avail_in = UInt32(available)
                unsafe stream.pointee.next_out = buffer.baseAddress
                unsafe stream.pointee.avail_out = UInt32(capacity)
                status = unsafe inflate(stream, Z_NO_FLUSH)
                unsafe place += available - Int(stream.pointee.avail_in)
                count = unsafe capacity - Int(stream.pointee.avail_out)
            }
        }
        position = place
        outputMayWait = bytes.count == capacity
        switch status {
        case Z_OK, Z_BUF_ERROR: break
        case Z_STREAM_END:
            unsafe inflateReset(stream)
            (isInsideMember, outputMayWait) = (false, false)
        default:
            let reason = unsafe stream.pointee.msg.map { unsafe String(cString: $0) }
            throw DecompressionFault(reason: reason ?? "zlib error \(status)")
        }
        return bytes
    }
}
