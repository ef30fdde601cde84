import FalconSystem
import Glibc

// libFuzzer is a C library; these are the names that it has and wants.

@_silgen_name("LLVMFuzzerRunDriver")
private func runFuzzer(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ testOneInput: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

@_silgen_name("LLVMFuzzerMutate")
private func mutateBytes(
    _ data: UnsafeMutablePointer<UInt8>, _ count: Int, _ capacity: Int
) -> Int

@_cdecl("LLVMFuzzerCustomMutator")
func customMutator(
    _ data: UnsafeMutablePointer<UInt8>, _ count: Int, _ capacity: Int, _ seed: UInt32
) -> Int {
    let bytes = Array(UnsafeBufferPointer(start: data, count: count))
    var mutator = Mutator(seed: seed) { bytes, limit in
        var room = bytes + [UInt8](repeating: 0, count: max(1, limit - bytes.count))
        let changed = mutateBytes(&room, min(bytes.count, limit), limit)
        return Array(room.prefix(changed))
    }
    let result = mutator.mutated(bytes, as: FuzzReaders.reader.format, limit: capacity).prefix(
        capacity)
    for (place, byte) in result.enumerated() { data[place] = byte }
    return result.count
}

/// Fuzzes one reader of files.
///
///     fuzz-readers READER [option of libFuzzer or folder of inputs]...
///     fuzz-readers seeds TESTS FOLDER
@main enum FuzzReaders {
    fileprivate nonisolated(unsafe) static var reader = Reader.safetensors
    /// Where files are put for readers that take a path.
    fileprivate nonisolated(unsafe) static var scratch = ""

    static func main() throws {
        let words = CommandLine.arguments
        if words.count == 4, words[1] == "seeds" {
            try Seeds(fixtures: words[2], folder: words[3]).write()
            return
        }
        guard words.count > 1, let reader = Reader(rawValue: words[1]) else {
            fatalError("want one of \(Reader.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        Self.reader = reader
        let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(parent)/fuzz-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { fatalError("no folder can be made in \(parent)") }
        scratch = String(
            decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        Bounds.reportAtExit()
        // The reader's name takes the place of the program's.
        var count = CommandLine.argc - 1
        var arguments = CommandLine.unsafeArgv + 1
        exit(runFuzzer(&count, &arguments, testOneInput))
    }
}

private func testOneInput(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: data, count: count))
    Bounds.hold(inputByteCount: count) {
        FuzzReaders.reader.read(bytes, scratch: FuzzReaders.scratch)
    }
    return 0
}

/// Holds this process to what reading a file of a size may take.
enum Bounds {
    /// The fixed part of the memory, in bytes.
    private static let baseByteCount = 64 << 20
    /// Memory for every byte of the file.
    private static let factor = 40
    // libFuzzer's own limit is of the clock, which a busy machine breaks.
    /// Processor time for a file.
    private static let secondLimit = 5.0
    nonisolated(unsafe) private static var slowest = 0.0

    /// Says at the end how long the slowest input took.
    static func reportAtExit() {
        atexit {
            let milliseconds = Int(Bounds.slowest * 1000)
            writeToStandardError("slowest input: \(milliseconds) ms of processor time\n")
        }
    }

    /// Reads an input; memory beyond the bound cannot be had, time beyond it stops the program.
    static func hold(inputByteCount: Int, _ body: () -> Void) {
        let resource = __rlimit_resource_t(RLIMIT_AS.rawValue)
        var limit = rlimit()
        getrlimit(resource, &limit)
        let before = limit.rlim_cur
        let start = clock()
        limit.rlim_cur = rlim_t(addressSpace() + baseByteCount + factor * inputByteCount)
        setrlimit(resource, &limit)
        body()
        limit.rlim_cur = before
        setrlimit(resource, &limit)
        let seconds = Double(clock() - start) / 1e6
        slowest = max(slowest, seconds)
        precondition(seconds < secondLimit, "the input took \(seconds) s")
    }

    /// The size of the address space in bytes; allocates nothing.
    private static func addressSpace() -> Int {
        let descriptor = open("/proc/self/statm", O_RDONLY)
        defer { close(descriptor) }
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 128) { buffer in
            let count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
            var pages = 0
            for byte in buffer.prefix(max(0, count)) {
                guard (0x30...0x39).contains(byte) else { break }
                pages = pages * 10 + Int(byte - 0x30)
            }
            return pages * Int(sysconf(Int32(_SC_PAGESIZE)))
        }
    }
}
