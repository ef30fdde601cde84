import CBzip2

// The only file that calls libbz2.

/// Decompresses bzip2 streams.
@safe final class Bzip2Decompressor: Decompressor {
    // libbz2 keeps a pointer to this struct, so it needs one address for its whole life.
    private let stream: UnsafeMutablePointer<bz_stream>
    private(set) var isInsideMember = false
    private(set) var outputMayWait = false
    let allowsPadding = false

    init() {
        unsafe stream = .allocate(capacity: 1)
        unsafe stream.initialize(to: bz_stream())
    }

    deinit {
        if isInsideMember { unsafe BZ2_bzDecompressEnd(stream) }
        unsafe stream.deallocate()
    }

    func step(
        _ input: inout [UInt8], from position: inout Int
    ) throws(DecompressionFault) -> [UInt8] {
        if !isInsideMember {
            unsafe stream.pointee = bz_stream()
            let status = unsafe BZ2_bzDecompressInit(stream, 0, 0)
            precondition(status == BZ_OK, "Bzip2Decompressor: libbz2 cannot start: \(status)")
            isInsideMember = true
        }
        let capacity = byteStreamChunk
        var (status, place) = (BZ_OK, position)
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
            unsafe input.withUnsafeMutableBytes { bytes in
                let available = bytes.count - place
                let first = unsafe bytes.baseAddress.map { unsafe $0 + place }
                unsafe stream.pointee.next_in = first?.assumingMemoryBound(to: CChar.self)
                unsafe stream.pointee.avail_in = UInt32(available)
                let output = UnsafeMutableRawPointer(buffer.baseAddress)
                unsafe stream.pointee.next_out = output?.assumingMemoryBound(to: CChar.self)
                unsafe stream.pointee.avail_out = UInt32(capacity)
                status = unsafe BZ2_bzDecompress(stream)
                unsafe place += available - Int(stream.pointee.avail_in)
                count = unsafe capacity - Int(stream.pointee.avail_out)
            }
        }
        position = place
        outputMayWait = bytes.count == capacity
        switch status {
        case BZ_OK: break
        case BZ_STREAM_END:
            unsafe BZ2_bzDecompressEnd(stream)
            (isInsideMember, outputMayWait) = (false, false)
        case BZ_DATA_ERROR_MAGIC:
            throw DecompressionFault(reason: "what follows is not bzip2 data")
        case BZ_DATA_ERROR: throw DecompressionFault(reason: "a check does not match")
        default: throw DecompressionFault(reason: "bzip2 error \(status)")
        }
        return bytes
    }
}
