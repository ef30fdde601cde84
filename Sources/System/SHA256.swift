import CCrypto

/// A running SHA-256 digest (libcrypto).
public struct SHA256: ~Copyable {
    private let context: OpaquePointer

    /// Starts an empty digest.
    public init() {
        guard let context = unsafe EVP_MD_CTX_new(),
            unsafe EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1
        else { preconditionFailure("SHA256: libcrypto cannot start a digest") }
        unsafe self.context = context
    }

    deinit { unsafe EVP_MD_CTX_free(context) }

    /// Appends bytes.
    ///
    /// - Parameter bytes: any number of bytes.
    public mutating func update(_ bytes: RawSpan) {
        unsafe bytes.withUnsafeBytes { buffer in
            _ = unsafe EVP_DigestUpdate(context, buffer.baseAddress, buffer.count)
        }
    }

    /// Appends the UTF-8 bytes of a text.
    ///
    /// - Parameter text: any text.
    public mutating func update(_ text: String) {
        update(Array(text.utf8).span.bytes)
    }

    /// Ends the digest.
    ///
    /// - Returns: 32 bytes.
    public consuming func finalize() -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 32)
        unsafe digest.withUnsafeMutableBufferPointer { buffer in
            _ = unsafe EVP_DigestFinal_ex(context, buffer.baseAddress, nil)
        }
        return digest
    }

    /// Ends the digest.
    ///
    /// - Returns: 64 lower-case hexadecimal digits.
    public consuming func finalizeHex() -> String {
        hexadecimal(finalize())
    }

    /// The digest of some bytes.
    ///
    /// - Parameter bytes: any number of bytes.
    /// - Returns: 64 lower-case hexadecimal digits.
    public static func hex(of bytes: RawSpan) -> String {
        var digest = SHA256()
        digest.update(bytes)
        return digest.finalizeHex()
    }

    /// The digest of a whole file, read in pieces.
    ///
    /// - Parameter path: the file.
    /// - Returns: 64 lower-case hexadecimal digits.
    /// - Throws: `FileError` if the file cannot be read.
    public static func hex(ofFile path: String) throws(FileError) -> String {
        try MappedFile(path: path).sha256Hex()
    }
}

/// Bytes as lower-case hexadecimal digits.
///
/// - Parameter bytes: any number of bytes.
/// - Returns: two digits per byte.
public func hexadecimal(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    text.reserveCapacity(2 * bytes.count)
    for byte in bytes {
        text.append(digits[Int(byte >> 4)])
        text.append(digits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
}
