#if canImport(Glibc)
    import Glibc
#endif

/// An open file that this process alone holds, by a lock of the operating system (flock).
///
/// The lock ends with its process, however that ends; there are no stale locks. On NFS, Linux turns it
/// into a lock of the server. A file system without locks gives the file without one.
final class LockedFile {
    let path: String
    let descriptor: Int32

    /// Opens or creates a file and takes its lock.
    ///
    /// - Parameters:
    ///   - path: the file; its folder must exist.
    ///   - target: the name of the locked thing, for messages.
    /// - Throws: `FileError.held` if another process has the lock; `FileError` if the file cannot be opened.
    init(path: String, for target: String) throws(FileError) {
        var triesLeft = 5
        while true {
            let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
            guard descriptor >= 0 else {
                throw FileError(action: "create", path: path, code: errno)
            }
            guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK else {
                let owner = Self.owner(of: descriptor)
                close(descriptor)
                triesLeft -= 1
                // `isHeld` takes the lock for an instant.
                guard triesLeft > 0 else { throw .held(path: target, owner: owner) }
                usleep(2000)
                continue
            }
            // Between opening and locking, its last owner may have renamed or removed it.
            if Self.isSame(descriptor, path) {
                self.path = path
                self.descriptor = descriptor
                return
            }
            close(descriptor)
        }
    }

    deinit { close(descriptor) }

    /// Replaces the contents by a text that tells others who holds the file.
    func writeOwner() {
        let command = (try? InputFile.contents(of: "/proc/self/cmdline")) ?? []
        let words = command.split(separator: 0).prefix(2).map {
            String(decoding: $0, as: UTF8.self)
        }
        let program = words.first?.split(separator: "/").last.map(String.init) ?? "falcon"
        let text =
            "process \(getpid()) on \(hostName()) (\(([program] + words.dropFirst()).joined(separator: " ")))\n"
        let bytes = Array(text.utf8)
        _ = ftruncate(descriptor, 0)
        _ = unsafe bytes.withUnsafeBytes { unsafe pwrite(descriptor, $0.baseAddress, $0.count, 0) }
    }

    /// Removes the file while the lock is held, so that no process waits for a file that is gone.
    func remove() { unsafe unlink(path) }

    /// The holder of a file, as far as it is known.
    fileprivate static func owner(of descriptor: Int32) -> String {
        var bytes = [UInt8](repeating: 0, count: 400)
        let count = unsafe bytes.withUnsafeMutableBytes {
            unsafe pread(descriptor, $0.baseAddress, $0.count, 0)
        }
        let line = bytes.prefix(max(0, count)).prefix { $0 != 0x0A }
        if line.starts(with: Array("process ".utf8)) {
            return String(decoding: line, as: UTF8.self)
        }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { return "another process" }
        // 1: FLOCK ADVISORY WRITE pid major:minor:inode 0 EOF
        for entry in textLines(ofSystemFile: "/proc/locks") {
            let words = entry.split(separator: " ")
            guard words.count > 5, words[1] == "FLOCK",
                words[5].split(separator: ":").last.flatMap({ UInt64($0) })
                    == UInt64(status.st_ino),
                let pid = Int(words[4]), pid > 0
            else { continue }
            return "process \(pid)"
        }
        return "another process"
    }

    private static func isSame(_ descriptor: Int32, _ path: String) -> Bool {
        var (held, named) = (stat(), stat())
        return unsafe fstat(descriptor, &held) == 0 && lstat(path, &named) == 0
            && held.st_ino == named.st_ino && held.st_dev == named.st_dev
    }
}

/// The one owner of a folder that stays: a run or a sweep.
///
/// Holds `FOLDER/.lock` until the value dies or the process ends.
public final class FolderLock {
    /// The name of the file that is locked.
    public static let fileName = ".lock"
    private let file: LockedFile

    /// Takes the lock.
    ///
    /// - Parameter folder: a folder that exists.
    /// - Throws: `FileError.held` with the process that has it; `FileError` if the lock file cannot be
    ///   created.
    public init(folder: String) throws(FileError) {
        file = try LockedFile(path: folder + "/" + Self.fileName, for: folder)
        file.writeOwner()
    }

    deinit { file.remove() }

    /// Whether a process holds the lock of a folder now.
    ///
    /// - Parameter folder: any path.
    /// - Returns: false also if there is no such folder.
    public static func isHeld(folder: String) -> Bool { owner(ofFolder: folder) != nil }

    /// The process that holds the lock of a folder now.
    ///
    /// - Parameter folder: any path.
    /// - Returns: the process, as far as it is known; nil also if there is no such folder.
    public static func owner(ofFolder folder: String) -> String? {
        let descriptor = unsafe open(folder + "/" + fileName, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        guard flock(descriptor, LOCK_SH | LOCK_NB) != 0, errno == EWOULDBLOCK else { return nil }
        return LockedFile.owner(of: descriptor)
    }
}
