/// What is told of the blocks that an arena hands out, and has room behind them.
package protocol BlockWatch: AnyObject {
    /// Bytes behind every block that are its own.
    var marginByteCount: Int { get }

    /// Told of a block that is handed out.
    ///
    /// - Parameters:
    ///   - block: its first byte.
    ///   - used: the bytes that were asked for.
    ///   - size: all of its bytes, the margin among them.
    ///   - backend: whose memory it is.
    func didTake(
        _ block: UnsafeMutableRawPointer, used: Int, size: Int, of backend: any Backend)

    /// Told of a block that is given back.
    ///
    /// - Parameters:
    ///   - block: its first byte.
    ///   - backend: whose memory it is.
    func willRecycle(_ block: UnsafeMutableRawPointer, of backend: any Backend)
}
