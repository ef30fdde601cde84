import FalconTensor

/// Attention, convolution and the state-space scan. A backward pass has twice the forward's FLOPs:
/// one product for each factor of each product.
extension ProfiledBackend {
    package func attentionForward(_ y: Tensor, logSumExp: Tensor, _ inputs: AttentionInputs) {
        let cost = KernelCost(
            flops: inputs.forwardFLOPs, reads: inputs.tensors, writes: [y, logSumExp])
        call("attention forward", cost) {
            $0.attentionForward(y, logSumExp: logSumExp, inputs)
        }
    }

    package func attentionBackward(
        dQuery: GradientTarget, dKey: GradientTarget, dValue: GradientTarget, dy: Tensor, y: Tensor,
        logSumExp: Tensor, _ inputs: AttentionInputs
    ) {
        let cost = KernelCost(
            flops: 2 * inputs.forwardFLOPs,
            reads: inputs.tensors + [dy, y, logSumExp],
            targets: [dQuery, dKey, dValue])
        call("attention backward", cost) {
            $0.attentionBackward(
                dQuery: dQuery, dKey: dKey, dValue: dValue, dy: dy, y: y, logSumExp: logSumExp,
                inputs)
        }
    }

    package func convolutionForward(_ y: Tensor, _ inputs: ConvolutionInputs) {
        let cost = KernelCost(
            flops: inputs.forwardFLOPs,
            reads: [inputs.x, inputs.weight, inputs.bias, inputs.scale] + inputs.histories,
            writes: [y])
        call("convolution forward", cost) { $0.convolutionForward(y, inputs) }
    }

    package func convolutionBackward(
        dx: GradientTarget, dWeight: Tensor, dBias: Tensor, dy: Tensor, _ inputs: ConvolutionInputs
    ) {
        let cost = KernelCost(
            flops: 2 * inputs.forwardFLOPs,
            reads: [dy, inputs.x, inputs.weight, inputs.bias, inputs.scale],
            updates: [dWeight, dBias], targets: [dx])
        call("convolution backward", cost) {
            $0.convolutionBackward(dx: dx, dWeight: dWeight, dBias: dBias, dy: dy, inputs)
        }
    }

    package func ssdRoom(_ inputs: SSDInputs, forBackward: Bool) -> [[Int]] {
        base.ssdRoom(inputs, forBackward: forBackward)
    }

    package func ssdForward(_ y: Tensor, room: [Tensor], _ inputs: SSDInputs) {
        let cost = KernelCost(
            flops: inputs.forwardFLOPs, reads: inputs.tensors + inputs.states.map(\.before),
            writes: room + [y] + inputs.states.map(\.after))
        let name = room.isEmpty ? "scan of one row" : "scan forward"
        call(name, cost) { $0.ssdForward(y, room: room, inputs) }
    }

    package func ssdBackward(
        _ gradients: SSDGradients, dy: Tensor, room: [Tensor], _ inputs: SSDInputs
    ) {
        let cost = KernelCost(
            flops: 2 * inputs.forwardFLOPs, reads: inputs.tensors + room + [dy],
            updates: [gradients.dtBias, gradients.aLog, gradients.d],
            targets: [gradients.x, gradients.b, gradients.c, gradients.dt])
        call("scan backward", cost) { $0.ssdBackward(gradients, dy: dy, room: room, inputs) }
    }

    package func selectiveScanRoom(_ inputs: SelectiveScanInputs, forBackward: Bool) -> [[Int]] {
        base.selectiveScanRoom(inputs, forBackward: forBackward)
    }

    package func selectiveScanForward(_ y: Tensor, room: [Tensor], _ inputs: SelectiveScanInputs) {
        let cost = KernelCost(
            flops: inputs.forwardFLOPs, reads: inputs.tensors + inputs.states.map(\.before),
            writes: room + [y] + inputs.states.map(\.after))
        call("selective scan forward", cost) {
            $0.selectiveScanForward(y, room: room, inputs)
        }
    }

    package func selectiveScanBackward(
        _ gradients: SelectiveScanGradients, dy: Tensor, room: [Tensor],
        _ inputs: SelectiveScanInputs
    ) {
        let cost = KernelCost(
            flops: 2 * inputs.forwardFLOPs, reads: inputs.tensors + room + [dy],
            updates: [gradients.deltaBias, gradients.aLog, gradients.d],
            targets: [gradients.x, gradients.delta, gradients.b, gradients.c])
        call("selective scan backward", cost) {
            $0.selectiveScanBackward(gradients, dy: dy, room: room, inputs)
        }
    }
}
