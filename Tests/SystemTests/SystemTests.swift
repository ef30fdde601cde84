import FalconSystem
import FalconTestSupport
import Foundation
import Testing

@Suite struct SHA256Tests {
    /// Longer than one piece, with a ragged end, read before and after.
    @Test func aForgottenFileCanBeReadAgain() throws {
        try withTemporaryFolder { folder in
            let bytes = (0..<(8 << 20) + 12_345).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 7) }
            try Data(bytes).write(to: URL(fileURLWithPath: folder + "/file"))
            let file = try MappedFile(path: folder + "/file")
            #expect(file.sha256Hex() == SHA256.hex(of: bytes))
            file.forget(1..<bytes.count - 1)
            #expect(file.withBytes { SHA256.hex(of: $0) } == SHA256.hex(of: bytes))
        }
    }

    /// FIPS 180-4 examples and NIST's empty message.
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
    ]) func knownMessagesHaveKnownDigests(_ message: String, _ digest: String) throws {
        #expect(SHA256.hex(of: Array(message.utf8)) == digest)
        try withTemporaryFolder { folder in
            try Data(message.utf8).write(to: URL(fileURLWithPath: folder + "/message"))
            #expect(try SHA256.hex(ofFile: folder + "/message") == digest)
        }
    }

    @Test func aMillionBytesInUnevenPieces() {
        var digest = SHA256()
        var left = 1_000_000
        for size in [1, 63, 64, 65, 999_807] {
            digest.update([UInt8](repeating: UInt8(ascii: "a"), count: size))
            left -= size
        }
        #expect(left == 0)
        #expect(
            digest.finalizeHex()
                == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
    }

    @Test func hexadecimalKeepsLeadingZeros() {
        #expect(hexadecimal([0, 1, 0xAB, 0xFF]) == "0001abff")
    }
}

@Suite struct AtomicFileTests {
    @Test func aFileAppearsOnlyWhenItIsCommitted() throws {
        try withTemporaryFolder { folder in
            let path = folder + "/result"
            var file = try AtomicFile(path: path)
            try file.write("abc")
            #expect(try namesInFolder(folder) == ["result.partial"])
            #expect(file.byteCount == 3)
            let digest = try file.commit()
            #expect(try namesInFolder(folder) == ["result"])
            #expect(digest == SHA256.hex(of: Array("abc".utf8)))
            #expect(try readBytes(ofFile: path) == Array("abc".utf8))
        }
    }

    @Test func withoutCommitNothingIsLeftAndTheOldFileStays() throws {
        struct Stop: Error {}
        func fail(_ path: String) throws {
            var file = try AtomicFile(path: path)
            try file.write("half")
            throw Stop()
        }
        try withTemporaryFolder { folder in
            #expect(throws: Stop.self) { try fail(folder + "/new") }
            #expect(try namesInFolder(folder) == [])
            try Data("old".utf8).write(to: URL(fileURLWithPath: folder + "/kept"))
            #expect(throws: Stop.self) { try fail(folder + "/kept") }
            #expect(try namesInFolder(folder) == ["kept"])
            #expect(try readBytes(ofFile: folder + "/kept") == Array("old".utf8))
        }
    }

    @Test func whatACrashLeftIsReplaced() throws {
        try withTemporaryFolder { folder in
            try Data("a longer text".utf8).write(
                to: URL(fileURLWithPath: folder + "/result.partial"))
            var file = try AtomicFile(path: folder + "/result")
            try file.write("new")
            try file.commit()
            #expect(try namesInFolder(folder) == ["result"])
            #expect(try readBytes(ofFile: folder + "/result") == Array("new".utf8))
        }
    }

    @Test func aFolderThatIsMissingIsAnError() throws {
        try withTemporaryFolder { folder in
            let error = #expect(throws: FileError.self) {
                _ = try AtomicFile(path: folder + "/gone/result")
            }
            #expect(error?.exitStatus == .cannotCreate)
        }
    }
}

@Suite struct FileTests {
    @Test func anEmptyFileCanBeMapped() throws {
        try withTemporaryFolder { folder in
            try Data().write(to: URL(fileURLWithPath: folder + "/empty"))
            let file = try MappedFile(path: folder + "/empty")
            #expect(file.byteCount == 0)
            #expect(file.withBytes { $0.byteCount } == 0)
            #expect(try readBytes(ofFile: folder + "/empty") == [])
        }
    }

    @Test func mappedBytesAreThoseOfTheFile() throws {
        try withTemporaryFolder { folder in
            let bytes = (0..<10_007).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            try Data(bytes).write(to: URL(fileURLWithPath: folder + "/bytes"))
            #expect(try readBytes(ofFile: folder + "/bytes") == bytes)
            let file = try InputFile(path: folder + "/bytes")
            #expect(try file.bytes(at: 9_000, count: 2_000) == Array(bytes[9_000...]))
            #expect(try InputFile.contents(of: folder + "/bytes") == bytes)
        }
    }

    @Test func aFolderAndAMissingFileAreToldApart() throws {
        try withTemporaryFolder { folder in
            let missing = #expect(throws: FileError.self) {
                _ = try MappedFile(path: folder + "/gone")
            }
            #expect(missing == .missing(path: folder + "/gone"))
            let isFolder = #expect(throws: FileError.self) { _ = try MappedFile(path: folder) }
            #expect(isFolder?.description == "cannot read \(folder): Is a directory")
            #expect(fileKind(of: folder) == .folder && fileKind(of: folder + "/gone") == .missing)
        }
    }

    @Test(arguments: [
        (
            FileError(action: "open", path: "a", code: ENOENT),
            "a: no such file or folder; check the path", FalconSystem.ExitStatus.missingInput
        ),
        (
            FileError(action: "create", path: "a/b", code: ENOENT),
            "cannot create a/b: No such file or directory", .cannotCreate
        ),
        (
            FileError(action: "write", path: "a", code: ENOSPC),
            "cannot write a: No space left on device; free some space on that disk and run again",
            .inputOutput
        ),
        (
            FileError(action: "create", path: "a", code: ENOSPC),
            "cannot create a: No space left on device; free some space on that disk and run again",
            .inputOutput
        ),
        (
            FileError(action: "create", path: "a", code: EACCES),
            "cannot create a: Permission denied; check the permissions", .cannotCreate
        ),
        (
            FileError(action: "read", path: "a", code: EIO),
            "cannot read a: Input/output error", .inputOutput
        ),
        (
            FileError.exists(path: "a", advice: "remove it"), "a exists already; remove it",
            .cannotCreate
        ),
    ]) func errorsSayWhatFailedAndWhatToDo(
        _ error: FileError, _ text: String, _ status: FalconSystem.ExitStatus
    ) {
        #expect(error.description == text)
        #expect(error.exitStatus == status)
    }
}
