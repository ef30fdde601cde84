import CMPI
import FalconSystem

#if canImport(Glibc)
    import Glibc
#endif

/// The library between the program and an MPI, opened.
///
/// It stays open until the process ends: an MPI cannot be started twice.
final class MPILibrary: @unchecked Sendable {
    // - Invariant: `calls` never changes; only `MPIMover`'s thread calls what it holds.

    /// The variable that names the library's file.
    static let variable = "FALCON_MPI_LIBRARY"
    private static let fileName = "libfalcon-mpi.so"

    /// The path of its file.
    let path: String
    /// The name and version of the MPI.
    let name: String
    let calls: falcon_mpi

    /// Opens the file that `FALCON_MPI_LIBRARY` names, or the one beside the program.
    ///
    /// - Parameter environment: the variables of the process.
    /// - Throws: `MPIError` if there is none, or none that works.
    init(environment: [String: String]) throws(MPIError) {
        let given = environment[Self.variable].flatMap { $0.isEmpty ? nil : $0 }
        let path = given ?? Self.pathBesideProgram()
        guard unsafe access(path, F_OK) == 0 else {
            throw .noLibrary(path: path, isGiven: given != nil)
        }
        // Open MPI opens parts of its own, which look for it among the global names.
        guard let handle = unsafe dlopen(path, RTLD_NOW | RTLD_GLOBAL) else {
            let reason = unsafe dlerror().map { unsafe String(cString: $0) } ?? "unknown"
            throw .cannotOpen(path: path, reason: reason)
        }
        guard let symbol = unsafe dlsym(handle, FALCON_MPI_SYMBOL) else {
            throw .foreign(path: path)
        }
        typealias Calls = @convention(c) () -> UnsafePointer<falcon_mpi>
        let table = unsafe unsafeBitCast(symbol, to: Calls.self)()
        // Of another version only this field is known.
        let version = unsafe UnsafeRawPointer(table).load(as: UInt32.self)
        guard version == UInt32(FALCON_MPI_VERSION) else {
            throw .otherVersion(
                path: path, found: Int(version), wanted: Int(FALCON_MPI_VERSION))
        }
        calls = unsafe table.pointee
        self.path = path
        name = Self.text { [calls] in unsafe calls.describe($0, $1) }
    }

    /// Lets the launcher learn the status with which this process will end after a failure.
    func leaveAtExit() {
        on_exit(
            { status, library in
                // What was printed comes first: the others, and this process, may end in the call.
                fflush(nil)
                if let library = unsafe library {
                    unsafe Unmanaged<MPILibrary>.fromOpaque(library).takeUnretainedValue()
                        .calls.leave(status)
                }
            }, unsafe Unmanaged.passRetained(self).toOpaque())
    }

    /// The message of an error.
    func message(of code: Int32) -> String {
        let text = Self.text { unsafe calls.explain(code, $0, $1) }
        return text.isEmpty ? "error \(code) of \(name)" : text
    }

    /// Starts MPI, and asks every rank where it runs.
    ///
    /// - Returns: this rank, and the places of all.
    func start() -> Result<(Int, [RankPlace]), MPIError> {
        var (rank, count): (Int32, Int32) = (0, 0)
        var code = unsafe calls.start(&rank, &count)
        var places: [RankPlace] = []
        if code == 0 {
            let mine = RankPlace.own().bytes
            var all = [UInt8](repeating: 0, count: mine.count * Int(count))
            code = unsafe mine.withUnsafeBytes { mine in
                unsafe all.withUnsafeMutableBytes { all in
                    guard let source = mine.baseAddress, let target = all.baseAddress else {
                        return 0
                    }
                    return unsafe calls.gather(source, target, Int32(mine.count))
                }
            }
            places = stride(from: 0, to: all.count, by: mine.count).map {
                RankPlace(bytes: all[$0..<$0 + mine.count])
            }
        }
        return code == 0
            ? .success((Int(rank), places))
            : .failure(.noStart(library: name, reason: message(of: code)))
    }

    private static func pathBesideProgram() -> String {
        let program = (try? runningProgramPath()) ?? ""
        return program.split(separator: "/").dropLast().map { "/" + $0 }.joined() + "/" + fileName
    }

    private static func text(_ write: (UnsafeMutablePointer<CChar>, Int32) -> Void) -> String {
        var text = [CChar](repeating: 0, count: 1024)
        unsafe text.withUnsafeMutableBufferPointer {
            if let start = $0.baseAddress { unsafe write(start, Int32($0.count)) }
        }
        return String(
            decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
