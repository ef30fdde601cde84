/// An observer of the blocks that an arena hands out, with room of its own behind each.
package protocol BlockWatch: AnyObject {
    /// Bytes behind every block that belong to the observer.
    var marginByteCount: Int { get }

    /// Called when a block has been handed out.
    ///
    /// - Parameters:
    ///   - block: its first byte.
    ///   - used: the bytes that were asked for.
    ///   - size: all of its bytes, the margin among them.
    ///   - backend: the owner of the memory.
    func didTake(
        _ block: UnsafeMutableRawPointer, used: Int, size: Int, of backend: any Backend)

    /// Called when a block is given back, before its memory serves others.
    ///
    /// - Parameters:
    ///   - block: its first byte.
    ///   - backend: the owner of the memory.
    func willRecycle(_ block: UnsafeMutableRawPointer, of backend: any Backend)
}
