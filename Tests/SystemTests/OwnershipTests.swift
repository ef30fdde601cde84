import FalconSystem
import FalconTestSupport
import Foundation
import Testing

/// One writer at a time, and nothing lost.
@Suite struct OwnershipTests {
    private func write(_ text: String, to path: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    }

    private func read(_ path: String) throws -> String {
        String(decoding: try InputFile.contents(of: path), as: UTF8.self)
    }

    @Test func theSecondWriterOfAFileIsToldWhoHasIt() throws {
        try withTemporaryFolder { folder in
            let path = folder + "/result"
            var first = try AtomicFile(path: path)
            try first.write("first")
            let error = #expect(throws: FileError.self) { _ = try AtomicFile(path: path) }
            #expect(error?.exitStatus == .cannotCreate)
            #expect(error?.description.contains("process \(getpid())") == true)
            try first.commit()
            #expect(try read(path) == "first")
            var second = try AtomicFile(path: path)
            try second.write("second")
            try second.commit()
            #expect(try read(path) == "second")
            #expect(try namesInFolder(folder) == ["result"])
        }
    }

    @Test func aFileThatMustNotBeReplacedStays() throws {
        try withTemporaryFolder { folder in
            let path = folder + "/result"
            var file = try AtomicFile(path: path, replacing: false)
            try file.write("late")
            try write("early", to: path)
            var message = ""
            do {
                try file.commit()
            } catch {
                message = "\(error)"
            }
            #expect(message.contains("result exists already"))
            #expect(throws: FileError.self) { _ = try AtomicFile(path: path, replacing: false) }
            #expect(try read(path) == "early")
            #expect(try namesInFolder(folder) == ["result"])
        }
    }

    @Test func devicesAreWrittenToAndLinksAreFollowed() throws {
        try withTemporaryFolder { folder in
            var device = try AtomicFile(path: "/dev/null")
            try device.write("gone")
            try device.commit()
            #expect(
                try FileManager.default.attributesOfItem(atPath: "/dev/null")[.type]
                    as? FileAttributeType
                    == .typeCharacterSpecial)
            try write("old", to: folder + "/target")
            try FileManager.default.createSymbolicLink(
                atPath: folder + "/link", withDestinationPath: "target")
            var file = try AtomicFile(path: folder + "/link")
            try file.write("new")
            try file.commit()
            #expect(isSymbolicLink(folder + "/link"))
            #expect(try read(folder + "/target") == "new")
        }
    }

    @Test func aFolderIsReplacedAsAWhole() throws {
        try withTemporaryFolder { folder in
            let path = folder + "/set"
            for (round, name) in ["a", "b"].enumerated() {
                let new = try AtomicFolder(path: path + "/", replacing: true)
                try write(name, to: new.partialPath + "/" + name)
                #expect(throws: FileError.self) {
                    _ = try AtomicFolder(path: path, replacing: true)
                }
                #expect(
                    try namesInFolder(folder)
                        == (round == 0 ? ["set.partial"] : ["set", "set.partial"]))
                try new.commit()
                #expect(try namesInFolder(folder) == ["set"])
                #expect(try namesInFolder(path) == [name])
            }
        }
    }

    @Test func aFolderThatWasNotFinishedLeavesTheOldOne() throws {
        struct Stop: Error {}
        func fail(_ path: String) throws {
            let new = try AtomicFolder(path: path, replacing: true)
            try write("half", to: new.partialPath + "/half")
            throw Stop()
        }
        try withTemporaryFolder { folder in
            try createFolder(folder + "/set")
            try write("old", to: folder + "/set/old")
            // What a crash left: files, a folder, its lock file.
            try createFolder(folder + "/set.partial/deep")
            try write("x", to: folder + "/set.partial/deep/file")
            try write("", to: folder + "/set.partial/.lock")
            #expect(throws: Stop.self) { try fail(folder + "/set") }
            #expect(try namesInFolder(folder) == ["set"])
            #expect(try namesInFolder(folder + "/set") == ["old"])
            let error = #expect(throws: FileError.self) {
                _ = try AtomicFolder(path: folder + "/set")
            }
            #expect(error?.exitStatus == .cannotCreate)
            #expect(try namesInFolder(folder) == ["set"])
        }
    }

    @Test func aFolderHasOneOwner() throws {
        try withTemporaryFolder { folder in
            #expect(!FolderLock.isHeld(folder: folder))
            do {
                let lock = try FolderLock(folder: folder)
                defer { withExtendedLifetime(lock) {} }
                #expect(FolderLock.isHeld(folder: folder))
                let error = #expect(throws: FileError.self) { _ = try FolderLock(folder: folder) }
                #expect(error?.description.contains("in use by process \(getpid()) on ") == true)
            }
            #expect(!FolderLock.isHeld(folder: folder))
            #expect(try namesInFolder(folder) == [])
        }
    }
}
