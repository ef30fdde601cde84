import CZstd

// The only file of the module that calls libzstd.

/// Compresses bytes to one zstd frame with a content checksum.
@safe final class ZstdFrameEncoder {
    private let context: OpaquePointer

    /// - Parameter level: zstd's compression level, 1 to 19.
    init(level: Int32) {
        guard let context = unsafe ZSTD_createCCtx() else {
            preconditionFailure("ZstdFrameEncoder: out of memory")
        }
        unsafe ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level)
        unsafe ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)
        unsafe self.context = context
    }

    deinit { unsafe ZSTD_freeCCtx(context) }

    /// - Parameter bytes: the content, not empty.
    /// - Returns: a whole frame; its last 4 bytes are the low half of the content's XXH64.
    func frame(of bytes: [UInt8]) -> [UInt8] {
        let bound = ZSTD_compressBound(bytes.count)
        return unsafe [UInt8](unsafeUninitializedCapacity: bound) { output, count in
            let size = unsafe bytes.withUnsafeBytes { input in
                unsafe ZSTD_compress2(
                    context, output.baseAddress, bound, input.baseAddress, input.count)
            }
            precondition(ZSTD_isError(size) == 0, "ZstdFrameEncoder: \(zstdReason(size))")
            count = size
        }
    }
}

/// Decompresses whole frames; checksums in the frames are verified.
@safe final class ZstdFrameDecoder {
    private let context: OpaquePointer

    init() {
        guard let context = unsafe ZSTD_createDCtx() else {
            preconditionFailure("ZstdFrameDecoder: out of memory")
        }
        unsafe self.context = context
    }

    deinit { unsafe ZSTD_freeDCtx(context) }

    /// - Parameters:
    ///   - frame: one whole frame.
    ///   - byteCount: the number of bytes it must hold.
    /// - Returns: the content.
    /// - Throws: `ZstdFailure` if the frame is damaged or of another size.
    func content(of frame: [UInt8], byteCount: Int) throws(ZstdFailure) -> [UInt8] {
        var size = 0
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: byteCount) { output, count in
            size = unsafe frame.withUnsafeBytes { input in
                unsafe ZSTD_decompressDCtx(
                    context, output.baseAddress, byteCount, input.baseAddress, input.count)
            }
            count = ZSTD_isError(size) == 0 ? size : 0
        }
        if ZSTD_isError(size) != 0 { throw ZstdFailure(reason: zstdReason(size)) }
        if size != byteCount {
            throw ZstdFailure(reason: "the frame holds \(size) bytes, want \(byteCount)")
        }
        return bytes
    }
}

/// The reason why libzstd refused a frame.
struct ZstdFailure: Error {
    let reason: String
}

private func zstdReason(_ code: Int) -> String {
    unsafe String(cString: ZSTD_getErrorName(code))
}

/// Decompresses zstd frames.
@safe final class ZstdDecompressor: Decompressor {
    private let context: OpaquePointer
    private(set) var isInsideMember = false
    private(set) var outputMayWait = false
    let allowsPadding = false

    init() {
        guard let context = unsafe ZSTD_createDCtx() else {
            preconditionFailure("ZstdDecompressor: out of memory")
        }
        // Up to 2 GiB windows (zstd --long=31); memory is used only as a file asks for it.
        unsafe ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, 31)
        unsafe self.context = context
    }

    deinit { unsafe ZSTD_freeDCtx(context) }

    func step(
        _ input: inout [UInt8], from position: inout Int
    ) throws(DecompressionFault) -> [UInt8] {
        let capacity = byteStreamChunk
        var (status, place) = (0, position)
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
            unsafe input.withUnsafeBytes { bytes in
                var source = unsafe ZSTD_inBuffer(
                    src: bytes.baseAddress, size: bytes.count, pos: place)
                var target = unsafe ZSTD_outBuffer(
                    dst: buffer.baseAddress, size: capacity, pos: 0)
                status = unsafe ZSTD_decompressStream(context, &target, &source)
                unsafe place = source.pos
                unsafe count = target.pos
            }
        }
        position = place
        if ZSTD_isError(status) != 0 { throw DecompressionFault(reason: zstdReason(status)) }
        isInsideMember = status != 0
        // After the last byte of a frame nothing waits, and a call without input would start another.
        outputMayWait = bytes.count == capacity && isInsideMember
        return bytes
    }
}
