extension SHA256 {
    /// Appends bytes.
    ///
    /// - Parameter bytes: any number of bytes.
    public mutating func update(_ bytes: [UInt8]) {
        update(bytes.span.bytes)
    }

    /// The digest of some bytes.
    ///
    /// - Parameter bytes: any number of bytes.
    /// - Returns: 64 lower-case hexadecimal digits.
    public static func hex(of bytes: [UInt8]) -> String {
        hex(of: bytes.span.bytes)
    }
}

extension AtomicFile {
    /// Appends bytes.
    ///
    /// - Parameter bytes: any number of bytes.
    /// - Throws: `FileError`, for instance when the disk is full.
    public mutating func write(_ bytes: [UInt8]) throws(FileError) {
        try write(bytes.span.bytes)
    }
}
