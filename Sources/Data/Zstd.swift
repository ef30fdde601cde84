import CZstd

// The only file that calls libzstd.

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

/// Decompresses a stream of any number of zstd frames, piece by piece.
@safe final class ZstdByteStream: ByteStream {
    private let source: any ByteStream
    private let context: OpaquePointer
    private var input: [UInt8] = []
    private var inputPosition = 0
    private var isInsideFrame = false
    private var outputMayWait = false
    private let path: String

    /// - Parameters:
    ///   - source: compressed bytes.
    ///   - path: the name for errors.
    init(_ source: any ByteStream, path: String) {
        guard let context = unsafe ZSTD_createDCtx() else {
            preconditionFailure("ZstdByteStream: out of memory")
        }
        // Up to 2 GiB windows (zstd --long=31); memory is used only as a file asks for it.
        unsafe ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, 31)
        unsafe self.context = context
        self.source = source
        self.path = path
    }

    deinit { unsafe ZSTD_freeDCtx(context) }

    func next() throws -> [UInt8] {
        while true {
            if inputPosition == input.count && !outputMayWait {
                input = try source.next()
                inputPosition = 0
                if input.isEmpty {
                    if isInsideFrame {
                        throw DataError.damagedCompression(path: path, reason: "cut short")
                    }
                    return []
                }
            }
            let bytes = try step()
            if !bytes.isEmpty { return bytes }
        }
    }

    private func step() throws(DataError) -> [UInt8] {
        let capacity = byteStreamChunk
        var status = 0
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
            unsafe input.withUnsafeBytes { bytes in
                var source = unsafe ZSTD_inBuffer(
                    src: bytes.baseAddress, size: bytes.count, pos: inputPosition)
                var target = unsafe ZSTD_outBuffer(
                    dst: buffer.baseAddress, size: capacity, pos: 0)
                status = unsafe ZSTD_decompressStream(context, &target, &source)
                unsafe inputPosition = source.pos
                unsafe count = target.pos
            }
        }
        if ZSTD_isError(status) != 0 {
            throw DataError.damagedCompression(path: path, reason: zstdReason(status))
        }
        isInsideFrame = status != 0
        // After the last byte of a frame nothing waits, and a call without input would start another.
        outputMayWait = bytes.count == capacity && isInsideFrame
        return bytes
    }
}
