import CBrotli
import CZlib
import CZstd

// The only file of the module that decompresses with zlib, libzstd and libbrotlidec.

/// Decompresses gzip members, or zlib streams.
///
/// - Parameters:
///   - bytes: all of them.
///   - byteCount: the size that they must have.
/// - Returns: at most so many bytes.
/// - Throws: `ParquetFault` for other bytes, and for more of them.
func gzipPlain(_ bytes: ArraySlice<UInt8>, byteCount: Int) throws(ParquetFault) -> [UInt8] {
    // zlib keeps a pointer to this struct.
    let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    unsafe stream.initialize(to: z_stream())
    // 15 bits of window, plus 32: gzip or zlib, told by the first bytes.
    let started = unsafe inflateInit2_(
        stream, 15 + 32, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    defer {
        unsafe inflateEnd(stream)
        unsafe stream.deallocate()
    }
    guard started == Z_OK else { throw ParquetFault("zlib cannot start: \(started)") }
    return try unsafe bytes.withUnsafeBufferPointer { (input) throws(ParquetFault) in
        unsafe stream.pointee.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
        unsafe stream.pointee.avail_in = UInt32(input.count)
        var isInside = true
        return try collected(byteCount: byteCount, from: input.count) { () throws(ParquetFault) in
            while isInside {
                var status = Z_OK
                let piece = unsafe inflated(stream, &status)
                switch status {
                case Z_STREAM_END:
                    isInside = unsafe stream.pointee.avail_in > 0
                    if isInside { unsafe inflateReset(stream) }
                case Z_OK: break
                case Z_BUF_ERROR: throw .cutShort("the gzip data")
                default: throw ParquetFault("its bytes are not gzip's: zlib error \(status)")
                }
                if !piece.isEmpty { return piece }
            }
            return []
        }
    }
}

private func inflated(
    _ stream: UnsafeMutablePointer<z_stream>, _ status: inout Int32
) -> [UInt8] {
    unsafe [UInt8](unsafeUninitializedCapacity: pieceByteCount) { output, count in
        unsafe stream.pointee.next_out = output.baseAddress
        unsafe stream.pointee.avail_out = UInt32(pieceByteCount)
        unsafe status = inflate(stream, Z_NO_FLUSH)
        count = unsafe pieceByteCount - Int(stream.pointee.avail_out)
    }
}

/// Decompresses zstd frames.
///
/// - Parameters:
///   - bytes: all of them.
///   - byteCount: the size that they must have.
/// - Returns: at most so many bytes.
/// - Throws: `ParquetFault` for other bytes, and for more of them.
func zstdPlain(_ bytes: ArraySlice<UInt8>, byteCount: Int) throws(ParquetFault) -> [UInt8] {
    guard let context = unsafe ZSTD_createDCtx() else { throw ParquetFault("libzstd cannot start") }
    defer { unsafe ZSTD_freeDCtx(context) }
    return try unsafe bytes.withUnsafeBufferPointer { (input) throws(ParquetFault) in
        var source = unsafe ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
        var (status, mayWait) = (1, false)
        return try collected(byteCount: byteCount, from: input.count) { () throws(ParquetFault) in
            while unsafe source.pos < source.size || mayWait {
                let piece = unsafe [UInt8](unsafeUninitializedCapacity: pieceByteCount) {
                    output, count in
                    var target = unsafe ZSTD_outBuffer(
                        dst: output.baseAddress, size: pieceByteCount, pos: 0)
                    unsafe status = ZSTD_decompressStream(context, &target, &source)
                    unsafe count = target.pos
                }
                guard ZSTD_isError(status) == 0 else {
                    let reason = unsafe String(cString: ZSTD_getErrorName(status))
                    throw ParquetFault("its bytes are not zstd's: \(reason)")
                }
                mayWait = piece.count == pieceByteCount && status != 0
                if !piece.isEmpty { return piece }
            }
            guard status == 0 else { throw .cutShort("the zstd data") }
            return []
        }
    }
}

/// Decompresses a brotli stream.
///
/// - Parameters:
///   - bytes: all of it.
///   - byteCount: the size that it must have.
/// - Returns: at most so many bytes.
/// - Throws: `ParquetFault` for other bytes, and for more of them.
func brotliPlain(_ bytes: ArraySlice<UInt8>, byteCount: Int) throws(ParquetFault) -> [UInt8] {
    guard let state = unsafe BrotliDecoderCreateInstance(nil, nil, nil) else {
        throw ParquetFault("libbrotlidec cannot start")
    }
    defer { unsafe BrotliDecoderDestroyInstance(state) }
    return try unsafe bytes.withUnsafeBufferPointer { (input) throws(ParquetFault) in
        var (next, available) = (input.baseAddress, input.count)
        var isInside = true
        return try collected(byteCount: byteCount, from: input.count) { () throws(ParquetFault) in
            while isInside {
                var result = BROTLI_DECODER_RESULT_ERROR
                let piece = unsafe [UInt8](unsafeUninitializedCapacity: pieceByteCount) {
                    output, count in
                    var (target, room) = (output.baseAddress, pieceByteCount)
                    unsafe result = BrotliDecoderDecompressStream(
                        state, &available, &next, &room, &target, nil)
                    count = pieceByteCount - room
                }
                switch result {
                case BROTLI_DECODER_RESULT_SUCCESS: isInside = false
                case BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT: break
                case BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT: throw .cutShort("the brotli data")
                default: throw ParquetFault("its bytes are not brotli's")
                }
                if !piece.isEmpty { return piece }
            }
            guard available == 0 else {
                throw ParquetFault("something else follows the end of the brotli data")
            }
            return []
        }
    }
}
