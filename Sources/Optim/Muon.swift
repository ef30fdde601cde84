import FalconRecipeSection
import FalconTensor

/// The published factors of a Muon update.
public enum MuonScale: String, Codable, CaseIterable, Sendable {
    /// sqrt(max(1, rows / columns)) (Jordan et al. 2024).
    case original
    /// 0.2 sqrt(max(rows, columns)): updates of AdamW's size, so that its learning rate and weight
    /// decay fit (Liu et al., arXiv 2502.16982, section 2.2).
    case matchRMSAdamW = "match_rms_adamw"
    /// sqrt(rows / columns): updates of spectral norm sqrt(output / input) (Yang et al., arXiv 2310.17813).
    case spectral

    func factor(rows: Int, columns: Int) -> Double {
        let (rows, columns) = (Double(rows), Double(columns))
        return switch self {
        case .original: max(1, rows / columns).squareRoot()
        case .matchRMSAdamW: 0.2 * max(rows, columns).squareRoot()
        case .spectral: (rows / columns).squareRoot()
        }
    }
}

/// The matrices that Muon forms where projections are stored or used together.
public enum MuonProjections: String, Codable, CaseIterable, Sendable {
    /// Each of q, k, v, and of z, x, B, C, dt, on its own.
    case split
    /// q, k and v together, and in_proj as it is stored.
    case fused
}

/// The `optimizer.muon` part of a recipe.
public struct MuonSection: RecipeSection, Codable, Equatable {
    /// Decay of the momentum, averaging form.
    public var momentum: Double
    /// Whether the update looks one step ahead.
    public var nesterov: Bool
    /// Iterations of Newton and Schulz.
    public var newtonSchulzSteps: Int
    /// The factor of the update.
    public var scale: MuonScale
    /// The matrices formed from projections.
    public var projections: MuonProjections

    /// The key of each field.
    public enum CodingKeys: String, CodingKey, CaseIterable {
        case momentum, nesterov
        case newtonSchulzSteps = "newton_schulz_steps"
        case scale, projections
    }

    /// The problems with the values; empty if there are none.
    public func problems() -> [RecipeProblem] {
        var found: [RecipeProblem] = []
        if !(0..<1).contains(momentum) {
            found.append(
                RecipeProblem(key: "momentum", "got \(momentum), want a number from 0 to below 1"))
        }
        found += [float32RateProblem(CodingKeys.momentum, momentum)].compactMap { $0 }
        if !(1...100).contains(newtonSchulzSteps) {
            found.append(
                RecipeProblem(
                    key: "newton_schulz_steps", "got \(newtonSchulzSteps), want 1 to 100"))
        }
        return found
    }
}

/// Muon's update of one matrix: momentum, made nearly orthogonal.
///
///     B = μB + (1 − μ)G;  U = (1 − μ)G + μB (Nesterov) or B;  X = U / max(‖U‖, 1e-7)
///     steps times:  A = X Xᵀ;  X = aX + (bA + cA²)X      (a, b, c) = (3.4445, −4.7750, 2.0315)
///     W −= η (scale · X + λW)
///
/// A tall X takes A = XᵀX and multiplies from the right, which is the same as transposing it.
///
/// - SeeAlso: Jordan et al., "Muon", 2024; Liu et al., arXiv 2502.16982.
final class MuonUpdate {
    /// A parameter that Muon updates.
    struct Matrix {
        /// Its place in the table.
        let place: Int
        let parameter: Parameter
        let group: OptimizerGroup
        /// Its elements in the flat buffers.
        let elements: Range<Int>
    }

    /// Rows of a parameter that belong to the matrix.
    private struct Part {
        let matrix: Matrix
        let rows: Range<Int>
    }

    /// The coefficients of Jordan et al.: steep at 0; singular values end in about 0.7 to 1.2.
    private static let coefficients: (a: Float, b: Float, c: Float) = (3.4445, -4.7750, 2.0315)
    private static let smallestNorm = 1e-7

    private let parts: [Part]
    private let rows: Int
    private let columns: Int
    private var lastRate = 0.0
    private var lastSquares = DeviceNumber(0)

    var group: OptimizerGroup { parts[0].matrix.group }

    /// The flat buffers' elements from the first to the last parameter with rows in the matrix.
    var elements: Range<Int> {
        parts[0].matrix.elements.lowerBound..<parts[parts.count - 1].matrix.elements.upperBound
    }

    /// The places of its parameters in the table, which follow each other.
    var places: ClosedRange<Int> { parts[0].matrix.place...parts[parts.count - 1].matrix.place }

    /// Floating-point operations of an update: three products a step.
    func work(_ section: MuonSection) -> Double {
        let (side, length) = (Double(min(rows, columns)), Double(max(rows, columns)))
        return Double(section.newtonSchulzSteps)
            * (4 * side * side * length + 2 * side * side * side)
    }

    private init(_ parts: [Part]) {
        self.parts = parts
        rows = parts.reduce(0) { $0 + $1.rows.count }
        columns = parts[0].matrix.parameter.shape[1]
    }

    /// The matrices of some parameters, with parts of rows split and stacks joined as asked.
    static func all(_ matrices: [Matrix], _ projections: MuonProjections) -> [MuonUpdate] {
        var updates: [MuonUpdate] = []
        var stack: [Part] = []
        for (index, matrix) in matrices.enumerated() {
            let parameter = matrix.parameter
            let whole = Part(matrix: matrix, rows: 0..<parameter.shape[0])
            switch projections {
            case .split:
                var start = 0
                let counts = parameter.rowParts.map(\.rowCount)
                for count in counts.isEmpty ? [parameter.shape[0]] : counts {
                    let part = Part(matrix: matrix, rows: start..<start + count)
                    updates.append(MuonUpdate([part]))
                    start += count
                }
            case .fused:
                stack.append(whole)
                let next = index + 1 < matrices.count ? matrices[index + 1] : nil
                let goesOn =
                    parameter.stack != nil && next?.parameter.stack == parameter.stack
                    && next?.group == matrix.group
                if !goesOn {
                    updates.append(MuonUpdate(stack))
                    stack = []
                }
            }
        }
        return updates
    }

    /// Updates the matrix; `momentum` returns the momentum of a parameter, in its shape.
    func apply(
        _ section: MuonSection, learningRate: Double, weightDecay: Double, gradientScale: Double,
        on device: Device, momentum: (Matrix) -> Tensor
    ) {
        let backend = device.backend
        var x = device.empty([rows, columns])
        var start = 0
        for part in parts {
            backend.muonMomentum(
                momentum(part.matrix).rows(part.rows),
                update: x.rows(start..<start + part.rows.count),
                gradient: part.matrix.parameter.summedGradient.rows(part.rows),
                momentum: Float(section.momentum), nesterov: section.nesterov,
                clip: Float(gradientScale))
            start += part.rows.count
        }
        let (a, b, c) = Self.coefficients
        var next = device.empty([rows, columns])
        backend.normalize(
            x.reshaped([x.count]), to: next.reshaped([x.count]), floor: Self.smallestNorm)
        swap(&x, &next)
        let isTall = rows > columns
        let side = min(rows, columns)
        let (gram, polynomial) = (device.empty([side, side]), device.empty([side, side]))
        for _ in 0..<section.newtonSchulzSteps {
            backend.matmul(
                gram, x, x, transposeA: isTall, transposeB: !isTall, alpha: 1, beta: 0)
            backend.copy(from: gram, to: polynomial, scale: 1)
            backend.matmul(
                polynomial, gram, gram, transposeA: false, transposeB: false, alpha: c, beta: b)
            backend.copy(from: x, to: next, scale: 1)
            backend.matmul(
                next, isTall ? x : polynomial, isTall ? polynomial : x, transposeA: false,
                transposeB: false, alpha: 1, beta: a)
            swap(&x, &next)
        }
        let rate = learningRate * section.scale.factor(rows: rows, columns: columns)
        lastRate = rate
        lastSquares = backend.sumOfSquares(x.reshaped([x.count]))
        start = 0
        for part in parts {
            backend.decayedStep(
                part.matrix.parameter.master.rows(part.rows),
                update: x.rows(start..<start + part.rows.count),
                keep: Float(1 - learningRate * weightDecay), rate: Float(rate))
            start += part.rows.count
        }
    }

    /// The sum of squares of the last update over the rows of a parameter.
    func updateSquares(ofParameter place: Int) -> Double {
        let count = parts.filter { $0.matrix.place == place }.reduce(0) { $0 + $1.rows.count }
        return count == 0
            ? 0 : lastRate * lastRate * lastSquares.value * Double(count) / Double(rows)
    }
}
