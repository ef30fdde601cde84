import FalconSystem
import FalconTensor
import FalconTestSupport
import Testing

/// Tensors of bfloat16: half the bytes, the nearest numbers.
@Suite struct ElementKindTests {
    private let device = Device(threadCount: 2)
    private let values = (0..<77).map { Float($0 * $0) / 7 - 300 }

    @Test func theNearestNumbersComeBack() {
        let tensor = device.empty([7, 11], of: .bfloat16)
        tensor.upload(values)
        let wanted = values.map { floatFromBFloat16(bfloat16Bits($0)) }
        #expect(tensor.toArray() == wanted)
        #expect(largestDifference(tensor.toArray(), values) > 0)
        // Rows and columns are views of the same two bytes an element.
        #expect(tensor.rows(2..<5).toArray() == Array(wanted[22..<55]))
        #expect(
            tensor.columns(3..<4).toArray() == stride(from: 3, to: 77, by: 11).map { wanted[$0] })
        #expect(tensor.reshaped([77]).columns(70..<77).toArray() == Array(wanted[70..<77]))
        tensor.rows(6..<7).upload([Float](repeating: .infinity, count: 11))
        #expect(tensor.toArray() == Array(wanted[..<66]) + [Float](repeating: .infinity, count: 11))
    }

    /// Pieces of a transfer are cut by elements.
    @Test func longTensorsAreCutAlike() {
        let count = 3 * (1 << 18) + 5
        let tensor = device.empty([count], of: .bfloat16)
        tensor.upload { elements, piece in
            for (place, element) in elements.enumerated() { piece[place] = Float(element % 251) }
        }
        var next = 0
        tensor.download { piece in
            for place in piece.indices {
                if piece[place] != Float(next % 251) { next = -count }
                next += 1
            }
        }
        #expect(next == count)
    }

    @Test func elementsTakeTwoBytes() {
        let (narrow, wide) = (Device(threadCount: 1), Device(threadCount: 1))
        let kept = [
            narrow.empty([64, 33], of: .bfloat16), wide.empty([64, 33]),
        ]
        #expect(2 * narrow.peakByteCount == wide.peakByteCount)
        #expect(kept.map(\.count) == [64 * 33, 64 * 33])
    }
}
