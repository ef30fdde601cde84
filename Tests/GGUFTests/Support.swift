import FalconGGUF
import FoundationEssentials
import Testing

/// The folder of this target's fixtures.
let fixtures = String(#filePath.dropLast("Support.swift".count)) + "Fixtures"

/// Runs `body` with a fresh folder that is removed afterwards.
@discardableResult
func withTemporaryFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
    let folder =
        FileManager.default.temporaryDirectory.path
        + "/falcon-gguf-\(UInt64.random(in: 0 ... .max))"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    return try body(folder)
}

/// Writes bytes without ceremony.
func store(_ bytes: [UInt8], at path: String) throws {
    try Data(bytes).write(to: URL(filePath: path))
}

/// The bytes of a file.
func load(_ path: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: URL(filePath: path)))
}

/// Whether a folder holds nothing.
func isEmpty(folder: String) -> Bool {
    (try? FileManager.default.contentsOfDirectory(atPath: folder)) == []
}

/// The float32 values of a fixture.
func floats(ofFixture name: String) throws -> [Float] {
    let bytes = try load(fixtures + "/" + name)
    return stride(from: 0, to: bytes.count, by: 4).map { start in
        Float(
            bitPattern: (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[start + $1]) << (8 * $1) })
    }
}

/// The lines of a fixture.
func lines(ofFixture name: String) throws -> [String] {
    String(decoding: try load(fixtures + "/" + name), as: UTF8.self)
        .split(separator: "\n").map(String.init)
}

/// The FNV-1a hash of the bytes of some floats.
func hash(_ values: [Float]) -> UInt64 {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for value in values {
        for shift in stride(from: 0, to: 32, by: 8) {
            hash = (hash ^ UInt64(value.bitPattern >> shift & 255)) &* 0x100_0000_01B3
        }
    }
    return hash
}

extension GGMLType {
    /// The stored bytes of some values.
    func bytes(of values: [Float]) -> [UInt8] {
        var bytes = [UInt8](repeating: 0xA5, count: byteCount(elements: values.count))
        var span = bytes.mutableSpan
        quantize(values.span, into: &span)
        return bytes
    }

    /// The values of some stored bytes, read from an odd address.
    func values(of bytes: [UInt8]) -> [Float] {
        let count = bytes.count / blockByteCount * blockLength
        var values = [Float](repeating: .nan, count: count)
        var span = values.mutableSpan
        let shifted = [0] + bytes
        dequantize(shifted.span.bytes.extracting(1..<shifted.count), into: &span)
        return values
    }
}

/// The problem that `body` reports; an issue and nil if it reports none.
func problem(of body: () throws -> Void) -> GGUFProblem? {
    do {
        try body()
        Issue.record("no error")
    } catch let error as GGUFError {
        return error.problem
    } catch {
        Issue.record("another error: \(error)")
    }
    return nil
}

/// Repeatable numbers about as normal as weights: sums of twelve uniform ones.
struct SampleValues {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func nextBits() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state >> 32
    }

    mutating func next() -> Float {
        (0..<12).reduce(-6) { sum, _ in sum + Float(nextBits()) * 0x1p-32 }
    }

    mutating func array(_ count: Int) -> [Float] { (0..<count).map { _ in next() } }
}

/// Writes tensors given as whole arrays.
@discardableResult
func write(
    _ tensors: [(tensor: GGUFTensor, values: [Float])], metadata: GGUFMetadata = GGUFMetadata(),
    to path: String, threads: Int = 1
) throws -> GGUFWrittenFile {
    let writer = GGUFWriter(metadata: metadata, tensors: tensors.map(\.tensor))
    let file = try writer.write(to: path, threads: threads) { number, rows, destination in
        let (tensor, values) = tensors[number]
        let start = rows.lowerBound * tensor.rowLength
        for index in destination.indices { destination[index] = values[start + index] }
    }
    #expect(file.byteCount == writer.byteCount)
    return file
}
