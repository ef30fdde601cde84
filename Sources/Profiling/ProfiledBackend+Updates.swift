import FalconTensor

/// Update rules and learnable multipliers.
extension ProfiledBackend {
    package func adamWUpdateSquares(
        firstMoment: Tensor, secondMoment: Tensor, step: AdamWStep
    ) -> Double {
        call("update norm", KernelCost(reads: [firstMoment, secondMoment])) {
            $0.adamWUpdateSquares(firstMoment: firstMoment, secondMoment: secondMoment, step: step)
        }
    }

    package func muonMomentum(
        _ buffer: Tensor, update: Tensor, gradient: Tensor, momentum: Float, nesterov: Bool,
        clip: Float
    ) {
        call("Muon", KernelCost(reads: [gradient], writes: [update, gradient], updates: [buffer])) {
            $0.muonMomentum(
                buffer, update: update, gradient: gradient, momentum: momentum,
                nesterov: nesterov, clip: clip)
        }
    }

    package func decayedStep(_ weights: Tensor, update: Tensor, keep: Float, rate: Float) {
        call("Muon", KernelCost(reads: [update], updates: [weights])) {
            $0.decayedStep(weights, update: update, keep: keep, rate: rate)
        }
    }

    package func scaleRowsColumns(
        _ values: Tensor, of masters: Tensor, rows: Tensor?, columns: Tensor?
    ) {
        let cost = KernelCost(reads: [masters, rows, columns], writes: [values])
        call("materialise", cost) {
            $0.scaleRowsColumns(values, of: masters, rows: rows, columns: columns)
        }
    }

    package func splitScaledGradient(
        _ gradient: Tensor, dRows: Tensor?, dColumns: Tensor?, masters: Tensor, rows: Tensor?,
        columns: Tensor?
    ) {
        let cost = KernelCost(
            reads: [masters, rows, columns], updates: [gradient, dRows, dColumns])
        call("split gradient", cost) {
            $0.splitScaledGradient(
                gradient, dRows: dRows, dColumns: dColumns, masters: masters, rows: rows,
                columns: columns)
        }
    }

    package func adamW(
        weights: Tensor, firstMoment: Tensor, secondMoment: Tensor, gradient: Tensor,
        step: AdamWStep
    ) {
        let cost = KernelCost(reads: [gradient], updates: [weights, firstMoment, secondMoment])
        call("AdamW", cost) {
            $0.adamW(
                weights: weights, firstMoment: firstMoment, secondMoment: secondMoment,
                gradient: gradient, step: step)
        }
    }
}
