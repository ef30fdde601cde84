import FalconSystem
import Foundation

/// The folder that holds the folders of all test targets.
package let testsFolder = String(#filePath.dropLast("/Support/TemporaryFolder.swift".count))

/// A folder that lives as long as a test.
package final class TemporaryFolder: Sendable {
    /// Its path.
    package let path: String

    /// A new folder: empty, or with the contents of another.
    package init(copying original: String? = nil) throws {
        path = FileManager.default.temporaryDirectory.path + "/falcon-test-\(UUID().uuidString)"
        if let original {
            try FileManager.default.copyItem(atPath: original, toPath: path)
        } else {
            try createFolder(path)
        }
    }

    deinit { remove() }

    /// Removes it early.
    package func remove() { try? FileManager.default.removeItem(atPath: path) }

    /// The path of a file in it.
    package func file(_ name: String) -> String { path + "/" + name }

    /// Writes a file, creating missing folders, and returns its path.
    @discardableResult
    package func write(_ name: String, _ bytes: [UInt8]) throws -> String {
        let file = file(name)
        if let slash = file.lastIndex(of: "/") { try createFolder(String(file[..<slash])) }
        try store(bytes, at: file)
        return file
    }

    /// Writes a text file and returns its path.
    @discardableResult
    package func write(_ name: String, _ text: String) throws -> String {
        try write(name, Array(text.utf8))
    }
}

/// Runs `body` with a new folder that is removed afterwards.
@discardableResult
package func withTemporaryFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
    let folder = try TemporaryFolder()
    return try withExtendedLifetime(folder) { try body(folder.path) }
}

/// Writes bytes to a file.
package func store(_ bytes: [UInt8], at path: String) throws {
    try Data(bytes).write(to: URL(fileURLWithPath: path))
}

/// The bytes of a file.
package func load(_ path: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
}
