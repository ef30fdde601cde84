import CKernels
import FalconVerification
import Testing

@testable import FalconTensor

/// Products of whole matrices against sums in double.
@Suite struct ProductTests {
    /// A product of one shape and orientation.
    struct Case: CustomTestStringConvertible {
        let m, n, k: Int
        let transposeA, transposeB: Bool
        var testDescription: String {
            "\(m)x\(n)x\(k) \(transposeA ? "T" : "N")\(transposeB ? "T" : "N")"
        }
    }

    private static let shapes = [
        (1, 1, 1), (1, 300, 65), (7, 33, 3), (12, 32, 256), (13, 31, 257), (37, 97, 1),
        (101, 67, 521),
        (300, 70, 1030), (2, 5, 8200),
    ]

    /// More than is packed at a time: several blocks of rows, columns and depth, the last ones short.
    private static let blocks = [(520, 40, 4097), (40, 530, 4096)].map { m, n, k in
        Case(m: m, n: n, k: k, transposeA: false, transposeB: false)
    }

    static let cases =
        shapes.flatMap { m, n, k in
            [(false, false), (false, true), (true, false)].map {
                Case(m: m, n: n, k: k, transposeA: $0.0, transposeB: $0.1)
            }
        } + blocks

    private static func values(_ count: Int, _ name: String, _ precision: Precision) -> [Float] {
        OpCase.normal(count, name).map { precision == .bf16 ? roundedToBFloat16($0) : $0 }
    }

    private static func roundedToBFloat16(_ value: Float) -> Float {
        let bits = value.bitPattern
        return Float(bitPattern: (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF_0000)
    }

    /// Largest error over the largest sum of magnitudes.
    private static func error(_ c: Case, _ precision: Precision, rounds: Bool) -> Double {
        let device = Device(threadCount: 2, precision: precision)
        let a = values(c.m * c.k, "a", rounds ? .f32 : precision)
        let b = values(c.k * c.n, "b", rounds ? .f32 : precision)
        let before = values(c.m * c.n, "c", .f32)
        let y = device.tensor(before, shape: [c.m, c.n])
        device.backend.matmul(
            y, device.tensor(a, shape: c.transposeA ? [c.k, c.m] : [c.m, c.k]),
            device.tensor(b, shape: c.transposeB ? [c.n, c.k] : [c.k, c.n]),
            transposeA: c.transposeA, transposeB: c.transposeB, alpha: 0.5, beta: -2)
        let got = y.toArray()
        var (worst, largest) = (0.0, 1e-9)
        let step = max(1, c.m / 24)
        for i in stride(from: (c.m - 1) % step, to: c.m, by: step) {
            for j in stride(from: 0, to: c.n, by: max(1, c.n / 13)) {
                var (sum, magnitude) = (0.0, 0.0)
                for p in 0..<c.k {
                    let term =
                        Double(a[c.transposeA ? p * c.m + i : i * c.k + p])
                        * Double(b[c.transposeB ? j * c.k + p : p * c.n + j])
                    sum += term
                    magnitude += abs(term)
                }
                let want = 0.5 * sum - 2 * Double(before[i * c.n + j])
                let error = abs(want - Double(got[i * c.n + j]))
                worst = error.isNaN ? .infinity : max(worst, error)
                largest = max(largest, 0.5 * magnitude + 2 * abs(Double(before[i * c.n + j])))
            }
        }
        return worst / largest
    }

    @Test(arguments: cases) func float32IsExactToRounding(_ c: Case) {
        #expect(Self.error(c, .f32, rounds: false) < 3e-7)
    }

    @Test(.enabled(if: Precision.bf16.isAvailable), arguments: cases)
    func bfloat16RoundsFactorsAndNothingElse(_ c: Case) {
        // Factors that bfloat16 holds exactly lose nothing: the sums are float32.
        #expect(Self.error(c, .bf16, rounds: false) < 1e-6)
        // Others lose half a unit of the eighth bit each.
        let rounded = Self.error(c, .bf16, rounds: true)
        #expect(rounded < 0x1p-7)
        #expect(c.m * c.n < 100 || rounded > 1e-6, "nothing was rounded")
    }

    @Test(arguments: Precision.allCases.filter(\.isAvailable))
    func aRowDoesNotDependOnItsPlace(_ precision: Precision) {
        let device = Device(threadCount: 2, precision: precision)
        let (m, n, k) = (61, 45, 700)
        let weight = device.tensor(OpCase.normal(n * k, "w"), shape: [n, k])
        let x = OpCase.normal(m * k, "x")
        func product(_ first: Int) -> [Float] {
            let y = device.empty([m - first, n])
            device.backend.matmul(
                y, device.tensor(Array(x[(first * k)...]), shape: [m - first, k]), weight,
                transposeA: false, transposeB: true, alpha: 1, beta: 0)
            return y.toArray()
        }
        let whole = product(0)
        for first in [1, 5, 12, 40] {
            #expect(product(first) == Array(whole[(first * n)...]), "from row \(first)")
        }
    }

    @Test(arguments: Precision.allCases.filter(\.isAvailable))
    func theBitsDoNotDependOnThreads(_ precision: Precision) {
        func product(_ threadCount: Int) -> [Float] {
            let device = Device(threadCount: threadCount, precision: precision)
            let y = device.zeros([500, 333])
            device.backend.matmul(
                y, device.tensor(OpCase.normal(500 * 129, "a"), shape: [129, 500]),
                device.tensor(OpCase.normal(333 * 129, "b"), shape: [129, 333]),
                transposeA: true, transposeB: false, alpha: 1, beta: 1)
            return y.toArray()
        }
        let one = product(1)
        for threadCount in 2...5 { #expect(product(threadCount) == one, "\(threadCount) threads") }
    }
}
