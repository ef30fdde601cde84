/// A piece of memory that travels from one rank to another.
///
/// - Invariant: one owner at a time: the caller of a link, or the link.
public final class RankMessage: @unchecked Sendable {
    /// The memory, aligned to 64 bytes.
    let memory: UnsafeMutableRawBufferPointer
    /// The bytes in use, from 0 to the room of the message.
    public var byteCount = 0

    /// Where the memory goes when the message is dropped.
    private let store: RankMessageStore

    /// An empty message.
    ///
    /// - Parameter store: gives the memory and takes it back.
    init(from store: RankMessageStore) {
        self.store = store
        memory = unsafe store.take()
    }

    deinit { unsafe store.giveBack(memory) }

    /// The most bytes that it may hold.
    public var room: Int { unsafe memory.count }

    /// Its floats: `byteCount` / 4.
    ///
    /// - Parameter body: reads them.
    /// - Returns: what `body` returns.
    /// - Throws: what `body` throws.
    public func readFloats<Result>(_ body: (Span<Float>) throws -> Result) rethrows -> Result {
        let floats = unsafe UnsafeRawBufferPointer(rebasing: memory[..<byteCount])
            .bindMemory(to: Float.self)
        return try body(unsafe floats.span)
    }

    /// Appends floats.
    ///
    /// - Parameter floats: no more than there is room for.
    public func append(_ floats: Span<Float>) {
        unsafe floats.withUnsafeBytes { unsafe append($0) }
    }

    /// Its bytes.
    public var bytes: [UInt8] { unsafe Array(memory[..<byteCount]) }

    /// Appends bytes.
    ///
    /// - Parameter bytes: no more than there is room for.
    public func append(_ bytes: ArraySlice<UInt8>) {
        unsafe bytes.withUnsafeBytes { unsafe append($0) }
    }

    private func append(_ bytes: UnsafeRawBufferPointer) {
        precondition(
            byteCount + bytes.count <= room,
            "RankMessage: \(byteCount) + \(bytes.count) bytes, room for \(room)")
        if let start = memory.baseAddress, let source = bytes.baseAddress {
            unsafe start.advanced(by: byteCount)
                .copyMemory(from: source, byteCount: bytes.count)
        }
        byteCount += bytes.count
    }
}
