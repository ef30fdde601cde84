import CZlib

// The only file that calls zlib.

/// Decompresses a stream of any number of gzip members, piece by piece.
@safe final class GzipByteStream: ByteStream {
    private let source: any ByteStream
    private let path: String
    // zlib keeps a pointer to this struct, so it needs one address for its whole life.
    private let stream: UnsafeMutablePointer<z_stream>
    private var input: [UInt8] = []
    private var inputPosition = 0
    private var isInsideMember = false
    private var outputMayWait = false

    /// - Parameters:
    ///   - source: compressed bytes.
    ///   - path: the name for errors.
    init(_ source: any ByteStream, path: String) {
        self.source = source
        self.path = path
        unsafe stream = .allocate(capacity: 1)
        unsafe stream.initialize(to: z_stream())
        // 15 bits of window, plus 16: gzip only. deflateInit2's macro is not visible in Swift.
        let status = unsafe inflateInit2_(
            stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        precondition(status == Z_OK, "GzipByteStream: zlib cannot start: \(status)")
    }

    deinit {
        unsafe inflateEnd(stream)
        unsafe stream.deallocate()
    }

    func next() throws -> [UInt8] {
        while true {
            if inputPosition == input.count && !outputMayWait {
                input = try source.next()
                inputPosition = 0
                if input.isEmpty {
                    if isInsideMember {
                        throw DataError.damagedCompression(path: path, reason: "cut short")
                    }
                    return []
                }
            }
            if !isInsideMember {
                // Between members: gzip allows padding with zeros (tapes).
                while inputPosition < input.count && input[inputPosition] == 0 {
                    inputPosition += 1
                }
                if inputPosition == input.count { continue }
                isInsideMember = true
            }
            let bytes = try step()
            if !bytes.isEmpty { return bytes }
        }
    }

    private func step() throws(DataError) -> [UInt8] {
        let capacity = byteStreamChunk
        var status = Z_OK
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
            unsafe input.withUnsafeMutableBufferPointer { bytes in
                let available = bytes.count - inputPosition
                unsafe stream.pointee.next_in = bytes.baseAddress.map { unsafe $0 + inputPosition }
                unsafe stream.pointee.avail_in = UInt32(available)
                unsafe stream.pointee.next_out = buffer.baseAddress
                unsafe stream.pointee.avail_out = UInt32(capacity)
                status = unsafe inflate(stream, Z_NO_FLUSH)
                unsafe inputPosition += available - Int(stream.pointee.avail_in)
                count = unsafe capacity - Int(stream.pointee.avail_out)
            }
        }
        outputMayWait = bytes.count == capacity
        switch status {
        case Z_OK, Z_BUF_ERROR:
            break
        case Z_STREAM_END:
            unsafe inflateReset(stream)
            isInsideMember = false
            outputMayWait = false
        default:
            let reason = unsafe stream.pointee.msg.map { unsafe String(cString: $0) }
            throw DataError.damagedCompression(path: path, reason: reason ?? "zlib error \(status)")
        }
        return bytes
    }
}
