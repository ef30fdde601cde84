/// The record of a forward pass, from which the backward pass runs.
///
/// An op appends one closure that adds to the gradients of its inputs, given the gradient of its
/// output. What the closure captures is what is saved for backward; it is released as soon as the
/// closure has run.
public struct Tape: ~Copyable {
    /// Where the ops run.
    public let device: Device
    /// Whether ops save what backward needs.
    public let isRecording: Bool
    private var steps: [(inout Gradients) -> Void] = []

    /// An empty tape.
    ///
    /// - Parameters:
    ///   - device: where the ops run.
    ///   - isRecording: false for evaluation: nothing is saved and `backward` is not possible.
    public init(on device: Device, isRecording: Bool = true) {
        self.device = device
        self.isRecording = isRecording
    }

    package var backend: any Backend { device.backend }

    /// Appends the backward step of an op; without recording the step is dropped.
    ///
    /// - Parameter step: takes the gradient of the op's output from the gradients and adds to those
    ///   of its inputs.
    public mutating func record(_ step: @escaping (inout Gradients) -> Void) {
        if isRecording { steps.append(step) }
    }

    /// Runs the recorded steps from last to first.
    ///
    /// - Parameter gradients: holds the gradient of the last op's output, unless that op is a loss
    ///   that needs none.
    public mutating func backward(_ gradients: inout Gradients) {
        precondition(isRecording, "backward: this tape did not record")
        while let step = steps.popLast() { step(&gradients) }
    }

    /// Runs `block` and saves only its input: backward runs it a second time.
    ///
    /// - Parameters:
    ///   - input: the tensor whose gradient leaves the block.
    ///   - block: a function of `input` alone (and of parameters), the same on both runs.
    /// - Returns: what `block` returns. **Saved**: `input`.
    public mutating func checkpoint(
        _ input: Tensor, _ block: @escaping (Tensor, inout Tape) -> Tensor
    ) -> Tensor {
        let device = device
        var silent = Tape(on: device, isRecording: false)
        let output = block(input, &silent)
        record { gradients in
            guard let gradient = gradients.take(output) else { return }
            var inner = Tape(on: device)
            let again = block(input, &inner)
            gradients.assign(gradient, to: again)
            inner.backward(&gradients)
        }
        return output
    }
}
