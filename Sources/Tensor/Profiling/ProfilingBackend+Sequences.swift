/// Attention, convolution and the state-space scan. A backward pass has twice the forward's FLOPs:
/// one product for each factor of each product.
extension ProfilingBackend {
    package func attentionForward(_ y: Tensor, logSumExp: Tensor, _ inputs: AttentionInputs) {
        let cost = KernelCost(
            flops: inputs.forwardFLOPs, reads: [inputs.query, inputs.key, inputs.value],
            writes: [y, logSumExp])
        timed("attention forward", cost) {
            $0.attentionForward(y, logSumExp: logSumExp, inputs)
        }
    }

    package func attentionBackward(
        dQuery: GradientTarget, dKey: GradientTarget, dValue: GradientTarget, dy: Tensor, y: Tensor,
        logSumExp: Tensor, _ inputs: AttentionInputs
    ) {
        let cost = KernelCost(
            flops: 2 * inputs.forwardFLOPs,
            reads: [dy, y, logSumExp, inputs.query, inputs.key, inputs.value],
            targets: [dQuery, dKey, dValue])
        timed("attention backward", cost) {
            $0.attentionBackward(
                dQuery: dQuery, dKey: dKey, dValue: dValue, dy: dy, y: y, logSumExp: logSumExp,
                inputs)
        }
    }

    package func convolutionForward(_ y: Tensor, _ inputs: ConvolutionInputs) {
        let cost = KernelCost(
            flops: inputs.forwardFLOPs,
            reads: [inputs.x, inputs.weight, inputs.bias, inputs.scale, inputs.history],
            writes: [y])
        timed("convolution forward", cost) { $0.convolutionForward(y, inputs) }
    }

    package func convolutionBackward(
        dx: GradientTarget, dWeight: Tensor, dBias: Tensor, dy: Tensor, _ inputs: ConvolutionInputs
    ) {
        let cost = KernelCost(
            flops: 2 * inputs.forwardFLOPs,
            reads: [dy, inputs.x, inputs.weight, inputs.bias, inputs.scale],
            updates: [dWeight, dBias], targets: [dx])
        timed("convolution backward", cost) {
            $0.convolutionBackward(dx: dx, dWeight: dWeight, dBias: dBias, dy: dy, inputs)
        }
    }

    package func ssdForward(
        _ y: Tensor, saved: SSDSaved, chunks: SSDChunks, initialState: Tensor?, finalState: Tensor?,
        _ inputs: SSDInputs
    ) {
        let cost = KernelCost(
            flops: inputs.forwardFLOPs(chunks), reads: inputs.tensors + [initialState],
            writes: saved.tensors + [y, finalState])
        timed("scan forward", cost) {
            $0.ssdForward(
                y, saved: saved, chunks: chunks, initialState: initialState,
                finalState: finalState, inputs)
        }
    }

    package func ssdBackward(
        _ gradients: SSDGradients, dStates: Tensor, dy: Tensor, saved: SSDSaved, chunks: SSDChunks,
        _ inputs: SSDInputs
    ) {
        let cost = KernelCost(
            flops: 2 * inputs.forwardFLOPs(chunks), reads: inputs.tensors + saved.tensors + [dy],
            updates: [gradients.dtBias, gradients.aLog, gradients.d],
            targets: [gradients.x, gradients.b, gradients.c, gradients.dt])
        timed("scan backward", cost) {
            $0.ssdBackward(
                gradients, dStates: dStates, dy: dy, saved: saved, chunks: chunks, inputs)
        }
    }

    package func ssdStep(
        _ y: Tensor, state: Tensor, initialState: Tensor?, _ inputs: SSDInputs
    ) {
        // The state takes in x Bᵀ and is read with C.
        let flops = 4 * Double(state.count)
        let cost = KernelCost(
            flops: flops, reads: inputs.tensors + [initialState], writes: [y, state])
        timed("scan of one row", cost) {
            $0.ssdStep(y, state: state, initialState: initialState, inputs)
        }
    }

    package func selectiveScanForward(
        _ y: Tensor, states: Tensor?, runs: SelectiveScanRuns, initialState: Tensor?,
        finalState: Tensor?, _ inputs: SelectiveScanInputs
    ) {
        let cost = KernelCost(
            flops: inputs.forwardFLOPs, reads: inputs.tensors + [initialState],
            writes: [y, states, finalState])
        timed("selective scan forward", cost) {
            $0.selectiveScanForward(
                y, states: states, runs: runs, initialState: initialState, finalState: finalState,
                inputs)
        }
    }

    package func selectiveScanBackward(
        _ gradients: SelectiveScanGradients, dy: Tensor, states: Tensor, runs: SelectiveScanRuns,
        _ inputs: SelectiveScanInputs
    ) {
        let cost = KernelCost(
            flops: 2 * inputs.forwardFLOPs, reads: inputs.tensors + [dy, states],
            updates: [gradients.deltaBias, gradients.aLog, gradients.d],
            targets: [gradients.x, gradients.delta, gradients.b, gradients.c])
        timed("selective scan backward", cost) {
            $0.selectiveScanBackward(gradients, dy: dy, states: states, runs: runs, inputs)
        }
    }
}
