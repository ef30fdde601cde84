import CKernels

/// Update rules on flat buffers.
extension CPUBackend {
    package func adamW(
        weights: Tensor, firstMoment: Tensor, secondMoment: Tensor, gradient: Tensor,
        step: AdamWStep
    ) {
        let (w, m, v, g) = (
            weights.pointer, firstMoment.pointer, secondMoment.pointer, gradient.pointer
        )
        pool.ranges(weights.count, grain: Self.flatGrain) { _, range in
            let i = range.lowerBound
            fk_adamw(w + i, m + i, v + i, g + i, range.count, step.kernelStep)
        }
    }

    package func adamWUpdateSquares(
        firstMoment: Tensor, secondMoment: Tensor, step: AdamWStep
    ) -> Double {
        let (m, v) = (firstMoment.pointer, secondMoment.pointer)
        return sumOverPieces(firstMoment.count) { range in
            fk_adamw_update_squares(
                m + range.lowerBound, v + range.lowerBound, range.count, step.kernelStep)
        }
    }

    package func muonMomentum(
        _ buffer: Tensor, update: Tensor, gradient: Tensor, momentum: Float, nesterov: Bool,
        clip: Float
    ) {
        let (m, u, g) = (buffer.pointer, update.pointer, gradient.pointer)
        pool.ranges(buffer.count, grain: Self.flatGrain) { _, range in
            let i = range.lowerBound
            fk_muon_momentum(m + i, u + i, g + i, range.count, clip, momentum, nesterov ? 1 : 0)
        }
    }

    package func decayedStep(_ weights: Tensor, update: Tensor, keep: Float, rate: Float) {
        let (w, u) = (weights.pointer, update.pointer)
        pool.ranges(weights.count, grain: Self.flatGrain) { _, range in
            fk_decayed_step(
                w + range.lowerBound, u + range.lowerBound, range.count, keep, rate)
        }
    }
}

extension AdamWStep {
    /// The step as kernels take it.
    fileprivate var kernelStep: fk_adamw_step {
        fk_adamw_step(
            clip: clip, rate: learningRate, decay: weightDecay, beta1: beta1, beta2: beta2,
            epsilon: epsilon, correction1: correction1, correction2: correction2)
    }
}
