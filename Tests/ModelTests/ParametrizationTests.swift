import FalconModel
import FalconTensor
import FalconTestSupport
import Foundation
import Testing

/// Whole models with learnable multipliers.
@Suite struct ParametrizationTests {
    private func trained(
        _ golden: Golden, _ placement: MultiplierPlacement, tied: Bool, on device: Device
    ) -> any LanguageModel {
        var sizes = golden.model.configuration.sizes
        sizes.tieWordEmbeddings = tied
        let model = ModelConfiguration(sizes).makeModel(multipliers: placement)
        model.allocate(on: device, withGradients: true)
        model.table.initialize(seed: 5)
        for (number, parameter) in model.table.multipliers.enumerated() {
            parameter.master.upload(
                (0..<parameter.count).map { 0.8 + 0.1 * Float((3 * $0 + number) % 5) })
        }
        model.table.materialise()
        return model
    }

    private let tokens: [Int32] = (0..<23).map { 1 + ($0 * 7 + $0 * $0) % 60 }

    private func loss(_ model: any LanguageModel, on device: Device, backward: Bool = false)
        -> Double
    {
        var tape = Tape(on: device, isRecording: backward)
        let hidden = model.hidden(
            device.indices(tokens), segments: Segments(offsets: [0, 9, tokens.count]), on: &tape)
        let losses = model.losses(
            hidden, targets: device.indices(tokens.dropFirst() + [-1]), on: &tape)
        if backward {
            var gradients = Gradients(on: device)
            tape.backward(&gradients)
            model.table.splitGradients()
        }
        return losses.total()
    }

    /// Every multiplier along a random direction, and every master: dL = gradient · direction.
    @Test(
        arguments: goldenModelNames,
        [MultiplierPlacement.scalar, .redundant, .symmetryFree])
    func gradientsAgreeWithFiniteDifferences(
        _ name: String, placement: MultiplierPlacement
    ) throws {
        let golden = try Golden(name)
        let device = Device(threadCount: 2)
        var worst = 0.0
        for tied in [false, true] {
            let model = trained(golden, placement, tied: tied, on: device)
            let table = model.table
            device.backend.fill(table.gradients, with: 0)
            _ = loss(model, on: device, backward: true)
            var kinds: [String: [Parameter]] = [:]
            for parameter in table.multipliers {
                let words = parameter.name.split(separator: ".")
                let kind = words.first { $0.contains("multiplier") } ?? "?"
                kinds[String(kind), default: []].append(parameter)
            }
            kinds["masters"] = table.multipliedMatrices.map(\.matrix)
            for (kind, parameters) in kinds {
                var predicted = 0.0
                let start = parameters.map { $0.master.toArray() }
                func move(_ step: Float) {
                    for (number, parameter) in parameters.enumerated() {
                        parameter.master.upload(
                            start[number].enumerated().map { place, value in
                                value + step * Self.direction(place + 17 * number)
                            })
                    }
                    table.materialise()
                }
                for (number, parameter) in parameters.enumerated() {
                    for (place, gradient) in parameter.gradient.toArray().enumerated() {
                        predicted += Double(gradient) * Double(Self.direction(place + 17 * number))
                    }
                }
                // Five points: f' = (8 (f(h) - f(-h)) - (f(2h) - f(-2h))) / 12h, so that h can be large
                // against rounding; what rounding is left falls in the mean over several h.
                let largest = kind == "masters" ? 1e-3 : 8e-3
                let shares = [0.6, 0.7, 0.8, 0.9, 1]
                let measured =
                    shares.reduce(0.0) { sum, share in
                        let step = share * largest
                        let values = [-2, -1, 1, 2].map { (multiple: Double) -> Double in
                            move(Float(multiple * step))
                            return loss(model, on: device)
                        }
                        let difference =
                            8 * (values[2] - values[1]) - (values[3] - values[0])
                        return sum + difference / (12 * step)
                    } / Double(shares.count)
                move(0)
                let error = abs(measured - predicted) / max(abs(predicted), 1)
                #expect(error <= 1e-3, "\(kind): \(measured) against \(predicted)")
                worst = max(worst, error)
            }
        }
        print("Multipliers, \(placement), \(name): finite differences within \(worst)")
    }

    private static func direction(_ place: Int) -> Float { Float((place * 37 + 11) % 19) / 9 - 1 }

    /// y = r (W (c x)) written out gives the logits of the model with V, to 1e-6 of the largest.
    @Test func materialisedWeightsActLikeExplicitMultipliers() throws {
        let device = Device(threadCount: 2)
        let model = trained(try Golden("rms_g2_untied"), .redundant, tied: false, on: device)
        var worstShare = 0.0
        for multiplied in model.table.multipliedMatrices {
            let matrix = multiplied.matrix
            let (rows, columns) = (matrix.shape[0], matrix.shape[1])
            let x = (0..<columns).map { Self.direction(3 * $0) }
            let c = multiplied.columns?.master.toArray() ?? Array(repeating: 1, count: columns)
            var r = [Float](repeating: 1, count: rows)
            for part in multiplied.rows {
                let values = part.multiplier.master.toArray()
                for row in part.range { r[row] = values[row - part.range.lowerBound] }
            }
            let w = matrix.master.toArray()
            var tape = Tape(on: device, isRecording: false)
            let y = linear(
                device.tensor(x, shape: [1, columns]), matrix, scale: 1, on: &tape
            ).toArray()
            var (worst, largest) = (0.0, 0.0)
            for i in 0..<rows {
                var sum = 0.0
                for j in 0..<columns { sum += Double(w[i * columns + j]) * Double(c[j] * x[j]) }
                let want = Double(r[i]) * sum
                let error = abs(Double(y[i]) - want)
                worst = error.isNaN ? .infinity : max(worst, error)
                largest = max(largest, abs(want))
            }
            #expect(worst <= 1e-6 * largest, "\(matrix.name)")
            worstShare = max(worstShare, worst / largest)
        }
        print("Multipliers written out against materialised weights: within \(worstShare)")
    }

    /// Without multipliers and with the exported configuration and weights: the same model.
    @Test(arguments: [MultiplierPlacement.scalar, .redundant, .symmetryFree], [false, true])
    func theExportedModelIsTheTrainedOne(_ placement: MultiplierPlacement, tied: Bool) throws {
        let device = Device(threadCount: 2)
        let model = trained(try Golden("rms_g2_untied"), placement, tied: tied, on: device)
        let exported = model.exportedConfiguration.makeModel()
        exported.allocate(on: device, withGradients: false)
        #expect(exported.table.parameters.map(\.name) == model.table.modelParameters.map(\.name))
        for (to, from) in zip(exported.table.parameters, model.table.modelParameters) {
            device.backend.copy(from: from.value, to: to.value, scale: 1)
        }
        let (a, b) = (loss(model, on: device), loss(exported, on: device))
        #expect(abs(a - b) <= 1e-6 * abs(a))
        #expect(tied == (model.exportedConfiguration != model.configuration))
    }
}
