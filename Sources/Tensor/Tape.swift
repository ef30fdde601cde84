/// The record of a forward pass, from which the backward pass runs.
///
/// An op appends one closure that adds to the gradients of its inputs, given the gradient of its
/// output. The values that the closure captures are saved for backward and released as soon as the
/// closure has run. Where only the gradient of a tensor matters, a closure captures its `place`.
public struct Tape: ~Copyable {
    /// The backward of one op.
    private struct Step {
        /// The places of the gradients of the outputs; none for the root of the backward pass.
        let outputs: [TensorPlace]
        /// The tensors that the step reads, to be made again first if they were discarded.
        let inputs: [Tensor]
        let run: ([Tensor?], inout Gradients) -> Void
    }

    /// The device that the ops run on.
    public let device: Device
    /// Whether ops save what backward needs.
    public let isRecording: Bool
    private var steps: [Step] = []
    private var remakes = Remakes()
    /// Whether outputs that are cheap to compute are discarded at the end of the current block.
    private var remembersCalls = false

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

    /// Appends the backward step of an op with several outputs; without recording the step is dropped.
    ///
    /// - Parameters:
    ///   - outputs: the results of the op; the step does not run if nothing depends on any of them.
    ///   - inputs: every tensor whose elements the step reads, gradients and parameters aside.
    ///   - step: takes the gradients of the outputs, nil where nothing depends on one, and adds to
    ///     those of the op's inputs.
    package mutating func record(
        _ outputs: [Tensor], reading inputs: [Tensor],
        _ step: @escaping (_ gradients: [Tensor?], inout Gradients) -> Void
    ) {
        guard isRecording else { return }
        steps.append(Step(outputs: outputs.map(\.place), inputs: inputs, run: step))
    }

    /// Appends the backward step of an op; without recording the step is dropped.
    ///
    /// - Parameters:
    ///   - output: the result of the op; the step does not run if nothing depends on it.
    ///   - inputs: every tensor whose elements the step reads, gradients and parameters aside.
    ///   - step: takes the gradient of the output and adds to those of the op's inputs.
    package mutating func record(
        _ output: Tensor, reading inputs: [Tensor],
        _ step: @escaping (_ gradient: Tensor, inout Gradients) -> Void
    ) {
        record([output], reading: inputs) { gradient, gradients in
            if let gradient = gradient[0] { step(gradient, &gradients) }
        }
    }

    /// Appends the first step of the backward pass, which needs no gradient.
    ///
    /// - Parameter step: adds to the gradients of the op's inputs.
    package mutating func recordRoot(_ step: @escaping (inout Gradients) -> Void) {
        guard isRecording else { return }
        steps.append(Step(outputs: [], inputs: []) { _, gradients in step(&gradients) })
    }

    /// Has the backward pass say when it comes here: everything recorded later is then done.
    ///
    /// - Parameters:
    ///   - stage: the stage that is over then.
    ///   - call: takes it; nil for nobody.
    public mutating func mark(_ stage: BackwardStage, _ call: ((BackwardStage) -> Void)?) {
        if let call { recordRoot { _ in call(stage) } }
    }

    /// Runs a kernel that is cheap enough to run again in backward.
    ///
    /// - Parameters:
    ///   - outputs: whole tensors that the kernel writes.
    ///   - inputs: every tensor that it reads, parameters aside.
    ///   - kernel: writes the same bits whenever it runs.
    mutating func run(
        writing outputs: [Tensor], reading inputs: [Tensor], _ kernel: @escaping () -> Void
    ) {
        kernel()
        if remembersCalls { remakes.append(writing: outputs, reading: inputs, kernel) }
    }

    /// Runs the recorded steps from last to first.
    ///
    /// - Parameter gradients: holds the gradient of the last op's output, unless that op is a loss
    ///   that needs none.
    public mutating func backward(_ gradients: inout Gradients) {
        precondition(isRecording, "backward: this tape did not record")
        while let step = steps.popLast() {
            let taken = step.outputs.map { gradients.take($0) }
            let isNeeded = taken.contains { $0 != nil } || step.outputs.isEmpty
            if isNeeded { for input in step.inputs { remakes.restore(input) } }
            // All others that read the outputs have run.
            for output in step.outputs { remakes.remove(output.identity) }
            if isNeeded { step.run(taken, &gradients) }
        }
    }

    /// Runs a part of the model and keeps for backward the activations that `recompute` says.
    ///
    /// - Parameters:
    ///   - input: the only tensor that enters the part.
    ///   - recompute: the activations to keep; the gradients are the same bits in every case.
    ///   - body: a function of `input` alone (and of parameters), the same on every run.
    /// - Returns: what `body` returns. **Saved**: the activations that `recompute` keeps.
    public mutating func block(
        _ input: Tensor, recompute: Recompute, _ body: @escaping (Tensor, inout Tape) -> Tensor
    ) -> Tensor {
        guard isRecording else { return body(input, &self) }
        switch recompute {
        case .none: return body(input, &self)
        case .cheap:
            remembersCalls = true
            let output = body(input, &self)
            remembersCalls = false
            remakes.discard(except: output)
            return output
        case .block: return checkpoint(input, body)
        }
    }

    /// Runs `body` and saves only its input: backward runs it a second time.
    private mutating func checkpoint(
        _ input: Tensor, _ body: @escaping (Tensor, inout Tape) -> Tensor
    ) -> Tensor {
        let device = device
        var silent = Tape(on: device, isRecording: false)
        let output = body(input, &silent)
        record(output, reading: [input]) { gradient, gradients in
            var inner = Tape(on: device)
            let again = body(input, &inner).place
            gradients.assign(gradient, to: again)
            inner.backward(&gradients)
        }
        return output
    }
}
