import FalconSystem
import Testing

#if canImport(Glibc)
    import Glibc
#endif

/// A folder that is removed when the value goes away.
final class TemporaryFolder {
    let path: String
    private var files: [String] = []

    init() throws {
        var template = Array("/tmp/falcon-recipe-XXXXXX".utf8CString)
        path = try #require(mkdtemp(&template).map { String(cString: $0) })
    }

    deinit {
        for file in files { unlink(file) }
        rmdir(path)
    }

    /// Writes a file and gives its path.
    func write(_ name: String, _ text: String) throws -> String {
        let file = "\(path)/\(name)"
        var writer = try AtomicFile(path: file)
        try writer.write(text)
        try writer.commit()
        files.append(file)
        return file
    }
}
