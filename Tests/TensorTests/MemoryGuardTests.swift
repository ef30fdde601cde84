import Foundation
import Testing

@testable import FalconTensor

/// A device whose memory the host cannot touch finds code that touches it.
@Suite struct MemoryGuardTests {
    private static func device() -> Device {
        Device(threadCount: 2, precision: .f32, isGuarded: true)
    }

    @Test func transfersGoThroughTheBackend() {
        let device = Self.device()
        // More than one piece, and a ragged one.
        let values = (0..<700_001).map { Float($0 % 1013) }
        let tensor = device.tensor(values, shape: [values.count])
        #expect(tensor.toArray() == values)
        tensor.set(3, to: .nan)
        var read: [Float] = []
        tensor.download { for place in $0.indices { read.append($0[place]) } }
        #expect(read[3].isNaN && read[4...] == values[4...] && read[..<3] == values[..<3])
        tensor.upload { elements, piece in
            for (place, element) in elements.enumerated() { piece[place] = -Float(element % 7) }
        }
        #expect(tensor.toArray() == values.indices.map { -Float($0 % 7) })
        let rows = tensor.columns(0..<700_000).reshaped([1000, 700]).columns(3..<5)
        #expect(rows.toArray().prefix(4) == [-3, -4, -3, -4])
    }

    @Test func aReadByTheHostEndsTheProcess() async {
        await #expect(processExitsWith: .signal(SIGSEGV)) {
            let tensor = Self.device().zeros([4])
            print(tensor.pointer.pointee)
        }
    }

    @Test func aWriteByTheHostEndsTheProcess() async {
        await #expect(processExitsWith: .signal(SIGSEGV)) {
            let indices = Self.device().indices([1, 2, 3])
            indices.pointer[1] = 5
        }
    }
}
