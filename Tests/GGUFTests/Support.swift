import FalconGGUF
import FalconTestSupport
import FoundationEssentials
import Testing

/// The folder of this target's fixtures.
let fixtures = testsFolder + "/GGUFTests/Fixtures"

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
