/// The documents of one input file, in order.
protocol DocumentSource: AnyObject {
    /// The file, or "standard input".
    var path: String { get }
    /// Bytes of the file as it lies on disk that are done with so far.
    var byteCount: Int { get }
    /// Whether the file is text, not a list of documents that may have none; known once one was read.
    var isOfText: Bool { get }
    /// Whether a separator stands before the next document.
    var hasSeparator: Bool { get }

    /// The next document; nil after the last one.
    func next() throws -> RawDocument?
}
