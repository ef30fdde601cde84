import Glibc

/// Several files in one input.
///
/// For each: the place of its name in a list (a byte), its size (UInt32, little-endian), its bytes. Any
/// bytes are a set.
struct FileSet {
    var files: [(name: Int, bytes: [UInt8])] = []

    init() {}

    init(_ input: [UInt8], nameCount: Int) {
        var rest = input[...]
        while rest.count > 5, files.count < nameCount {
            let name = Int(rest.removeFirst()) % nameCount
            let size = rest.prefix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
            rest = rest.dropFirst(4)
            files.append((name, Array(rest.prefix(size))))
            rest = rest.dropFirst(size)
        }
    }

    /// The input that is this set.
    var serialized: [UInt8] {
        files.flatMap { file in
            let size = (0..<4).map { UInt8(truncatingIfNeeded: file.bytes.count >> (8 * $0)) }
            return [UInt8(file.name)] + size + file.bytes
        }
    }
}

/// Writes a file, or the one before it over.
func store(_ bytes: [UInt8], at path: String) {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    precondition(descriptor >= 0, "cannot write \(path)")
    defer { close(descriptor) }
    precondition(write(descriptor, bytes, bytes.count) == bytes.count, "cannot write \(path)")
}
