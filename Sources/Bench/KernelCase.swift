import FalconModel
import FalconTensor

/// One op at a shape of a quoted size, forward and backward.
struct KernelCase {
    /// The op; for products, the weight.
    let name: String
    /// The sizes that matter, for the table.
    let shape: String
    /// The number of elements by which the time is divided.
    let elementCount: Int
    /// The rows of a profile to report.
    let kernels: [String]
    /// Allocates and fills memory on a device; the returned function runs every kernel once.
    let prepare: (Device) -> () -> Void

    /// The names in tables and filters.
    var titles: [String] {
        kernels.map { kernels.count == 1 && $0 == name ? $0 : "\(name): \($0)" }
    }

    private static let products = ["product forward NT", "product gradients NN, TN"]
    private static let headProducts = [
        "product forward NT", "product input gradient NN", "product weight gradient TN",
    ]
    /// The most weights on which AdamW and the gradient norm are timed: 64 MiB per array.
    private static let flatLimit = 1 << 24

    /// The kernels of one size.
    ///
    /// - Parameters:
    ///   - model: the geometry.
    ///   - parameterCount: all weights.
    ///   - rows: tokens per step.
    ///   - length: tokens per sequence.
    /// - Returns: the kernels in the order of the model.
    static func all(
        of model: FalconH1Configuration, parameterCount: Int, rows: Int, length: Int
    ) -> [KernelCase] {
        let segments = Segments(offsets: Array(stride(from: 0, through: rows, by: length)))
        return products(model, rows) + sequences(model, rows, segments)
            + elementwise(model, rows, segments)
            + [
                head(model, rows), tokens(model, rows),
                updates(min(parameterCount, flatLimit)),
            ]
    }

    /// The product with each kind of weight.
    private static func products(_ model: FalconH1Configuration, _ rows: Int) -> [KernelCase] {
        let width = model.hiddenSize
        let query = model.numAttentionHeads * model.headDim
        let key = model.numKeyValueHeads * model.headDim
        let weights: [(name: String, outputs: Int, inputs: Int)] = [
            ("in_proj", model.inProjRows, width), ("out_proj", width, model.mambaDSsm),
            ("q_proj", query, width), ("k_proj", key, width), ("o_proj", width, query),
            ("gate_proj", model.intermediateSize, width),
            ("down_proj", width, model.intermediateSize),
        ]
        return weights.map { weight in
            KernelCase(
                name: weight.name, shape: "\(rows) x \(weight.outputs) x \(weight.inputs)",
                elementCount: rows * weight.outputs, kernels: products
            ) { device in
                let x = random([rows, weight.inputs], on: device)
                let dy = random([rows, weight.outputs], on: device)
                let w = parameter([weight.outputs, weight.inputs], on: device)
                return { forwardAndBackward(dy, device) { linear(x, w, on: &$0) } }
            }
        }
    }

    /// Attention, convolution and scan, with the views that the model gives them.
    private static func sequences(
        _ model: FalconH1Configuration, _ rows: Int, _ segments: Segments
    ) -> [KernelCase] {
        let (heads, keyHeads) = (model.numAttentionHeads, model.numKeyValueHeads)
        let (width, state) = (model.mambaDSsm, model.mambaNGroups * model.mambaDState)
        let channels = model.convChannels
        let attention = KernelCase(
            name: "attention", shape: "\(rows) x \(heads)/\(keyHeads) x \(model.headDim)",
            elementCount: rows * heads * model.headDim,
            kernels: ["attention forward", "attention backward"]
        ) { device in
            let q = random([rows, heads * model.headDim], on: device)
            let k = random([rows, keyHeads * model.headDim], on: device)
            let (v, dy) = (random(k.shape, on: device), random(q.shape, on: device))
            return {
                forwardAndBackward(dy, device) {
                    causalAttention(
                        query: q, key: k, value: v, heads: heads, keyValueHeads: keyHeads,
                        segments: segments, scale: 1 / Float(model.headDim).squareRoot(), on: &$0)
                }
            }
        }
        let convolution = KernelCase(
            name: "convolution", shape: "\(rows) x \(channels) x \(model.mambaDConv)",
            elementCount: rows * channels,
            kernels: ["convolution forward", "convolution backward"]
        ) { device in
            let projected = random([rows, model.inProjRows], on: device)
            let x = projected.columns(width..<width + channels)
            let weight = parameter([channels, 1, model.mambaDConv], on: device)
            let bias = parameter([channels], on: device)
            let (scale, dy) = (
                random([channels], on: device), random([rows, channels], on: device)
            )
            return {
                forwardAndBackward(dy, device) {
                    causalConv1d(
                        x, weight: weight, bias: bias, scale: scale, segments: segments, on: &$0)
                }
            }
        }
        let shape = SSDShape(
            heads: model.mambaNHeads, headDimension: model.mambaDHead, groups: model.mambaNGroups,
            stateSize: model.mambaDState, chunkLength: model.mambaChunkSize)
        let scan = KernelCase(
            name: "scan",
            shape:
                "\(rows) x \(model.mambaNHeads) x \(model.mambaDHead), state \(model.mambaDState)",
            elementCount: rows * width, kernels: ["scan forward", "scan backward"]
        ) { device in
            let mixed = random([rows, channels], on: device)
            let projected = random([rows, model.inProjRows], on: device)
            let (dtBias, aLog, d) = (
                parameter([model.mambaNHeads], on: device),
                parameter([model.mambaNHeads], on: device),
                parameter([model.mambaNHeads], on: device)
            )
            let dy = random([rows, width], on: device)
            return {
                forwardAndBackward(dy, device) {
                    ssdScan(
                        x: mixed.columns(0..<width), b: mixed.columns(width..<width + state),
                        c: mixed.columns(width + state..<channels),
                        dt: projected.columns(width + channels..<model.inProjRows),
                        dtBias: dtBias, aLog: aLog, d: d, stepScale: 1, shape: shape,
                        segments: segments, on: &$0)
                }
            }
        }
        return [attention, scan, convolution]
    }

    /// Norms, gates, rotary positions and the residual sum.
    private static func elementwise(
        _ model: FalconH1Configuration, _ rows: Int, _ segments: Segments
    ) -> [KernelCase] {
        let (width, inner, queries) = (
            model.hiddenSize, model.mambaDSsm, model.numAttentionHeads * model.headDim
        )
        /// An op on a few inputs of one shape and a gain.
        func op(
            _ name: String, _ columns: Int, _ kernels: [String],
            _ body: @escaping ([Tensor], Parameter, inout Tape) -> Tensor
        ) -> KernelCase {
            KernelCase(
                name: name, shape: "\(rows) x \(columns)", elementCount: rows * columns,
                kernels: kernels
            ) { device in
                let inputs = (0..<3).map { _ in random([rows, columns], on: device) }
                let (gain, dy) = (
                    parameter([columns], on: device), random([rows, columns], on: device)
                )
                return { forwardAndBackward(dy, device) { body(inputs, gain, &$0) } }
            }
        }
        let names = ["gated norm forward", "gated norm backward"]
        func gate(_ name: String, withGain: Bool) -> KernelCase {
            op(name, inner, names) { inputs, gain, tape in
                gatedRMSNorm(
                    inputs[0], gate: inputs[1], gain: withGain ? gain : nil,
                    groups: model.mambaNGroups, gateScale: 1, epsilon: 1e-5, on: &tape)
            }
        }
        let turned = KernelCase(
            name: "rotary", shape: "\(rows) x \(queries)", elementCount: rows * queries,
            kernels: ["rotary forward", "rotary backward"]
        ) { device in
            let (x, dy) = (
                random([rows, queries], on: device), random([rows, queries], on: device)
            )
            let positions = device.indices(segments.positions())
            let table = RotaryTable(
                positionCount: rows, headDimension: model.headDim, theta: model.ropeTheta,
                on: device)
            return {
                forwardAndBackward(dy, device) {
                    rotary(x, positions: positions, table: table, on: &$0)
                }
            }
        }
        return [
            op("norm", width, ["norm forward", "norm backward"]) { inputs, gain, tape in
                rmsNorm(inputs[0], gain: gain, epsilon: 1e-5, on: &tape)
            }, gate("gated norm", withGain: true), gate("plain gate", withGain: false),
            op("SwiGLU", model.intermediateSize, ["SwiGLU forward", "SwiGLU backward"]) {
                inputs, _, tape in swiGLU(gate: inputs[0], up: inputs[1], on: &tape)
            }, turned,
            op("residual sum", width, ["residual sum"]) { inputs, _, tape in
                sum(inputs[0], inputs[1], inputs[2], on: &tape)
            },
        ]
    }

    /// The output head with its loss.
    private static func head(_ model: FalconH1Configuration, _ rows: Int) -> KernelCase {
        KernelCase(
            name: "head", shape: "\(rows) x \(model.vocabSize) x \(model.hiddenSize)",
            elementCount: rows * model.vocabSize,
            kernels: headProducts + ["cross-entropy", "loss sum"]
        ) { device in
            let x = random([rows, model.hiddenSize], on: device)
            let weight = parameter([model.vocabSize, model.hiddenSize], on: device)
            let targets = device.indices((0..<rows).map { Int32($0 * 31 % model.vocabSize) })
            return {
                var tape = Tape(on: device)
                let losses = headCrossEntropy(
                    x, weight, targets: targets, scale: 1, zLoss: 1e-4, on: &tape)
                _ = device.backend.total(losses.losses).value
            }
        }
    }

    /// The embedding.
    private static func tokens(_ model: FalconH1Configuration, _ rows: Int) -> KernelCase {
        KernelCase(
            name: "embedding", shape: "\(rows) x \(model.hiddenSize)",
            elementCount: rows * model.hiddenSize,
            kernels: ["embedding forward", "embedding backward"]
        ) { device in
            let table = parameter([model.vocabSize, model.hiddenSize], on: device)
            let tokens = device.indices((0..<rows).map { Int32($0 * 31 % model.vocabSize) })
            let dy = random([rows, model.hiddenSize], on: device)
            return {
                forwardAndBackward(dy, device) { embedding(tokens, table, scale: 1, on: &$0) }
            }
        }
    }

    /// The update rule and the norm of all gradients.
    private static func updates(_ count: Int) -> KernelCase {
        KernelCase(
            name: "update", shape: "\(count) weights", elementCount: count,
            kernels: ["AdamW", "gradient norm"]
        ) { device in
            let (weights, gradient) = (random([count], on: device), random([count], on: device))
            let (first, second) = (device.zeros([count]), device.zeros([count]))
            let step = AdamWStep(
                clip: 1, learningRate: 1e-3, weightDecay: 0.1, beta1: 0.9, beta2: 0.95,
                epsilon: 1e-8, correction1: 0.1, correction2: 0.05)
            return {
                device.backend.adamW(
                    weights: weights, firstMoment: first, secondMoment: second,
                    gradient: gradient, step: step)
                _ = device.backend.sumOfSquares(gradient).value
            }
        }
    }

    /// Runs an op and its backward pass with a given gradient of its output.
    private static func forwardAndBackward(
        _ dy: Tensor, _ device: Device, _ op: (inout Tape) -> Tensor
    ) {
        var tape = Tape(on: device)
        let y = op(&tape)
        var gradients = Gradients(on: device)
        gradients.assign(dy, to: y)
        tape.backward(&gradients)
    }

    /// A weight with a gradient.
    private static func parameter(_ shape: [Int], on device: Device) -> Parameter {
        let builder = ParameterBuilder()
        let parameter = builder.parameter(
            "weight", shape, role: .hiddenMatrix, initialization: .normal(deviation: 0.1))
        let table = ParameterTable(builder.parameters)
        table.allocate(on: device, withGradients: true)
        table.initialize(seed: 0)
        return parameter
    }

    /// An activation.
    private static func random(_ shape: [Int], on device: Device) -> Tensor {
        let builder = ParameterBuilder()
        let parameter = builder.parameter(
            "input", shape, role: .vector, initialization: .normal(deviation: 1))
        let table = ParameterTable(builder.parameters)
        table.allocate(on: device, withGradients: false)
        table.initialize(seed: 0)
        return parameter.value
    }
}
