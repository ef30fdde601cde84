import FalconModel
import FalconSystem
import FalconTensor

/// The speed of reading a context and writing after it, and the memory that this takes.
public struct GenerationReport: Encodable, Sendable {
    /// One length of context.
    public struct Line: Encodable, Sendable {
        /// Tokens read before the first is written.
        public let context: Int
        /// Tokens read per second.
        public let promptTokensPerSecond: Double
        /// The median time of a written token.
        public let secondsPerToken: Double
        /// Bytes of keys, values, states and rows of the convolution after the context.
        public let stateBytes: Int
        /// The most bytes of tensors at one time besides the weights: the state, working tensors,
        /// and with bf16 the packed copies of the weights.
        public let workingBytes: Int

        /// The key of each field in JSON.
        public enum CodingKeys: String, CodingKey {
            case context
            case promptTokensPerSecond = "prompt_tokens_per_second"
            case secondsPerToken = "seconds_per_token"
            case stateBytes = "state_bytes"
            case workingBytes = "working_bytes"
        }
    }

    /// Weights of the model.
    public let parameters: Int
    /// One line per context, in the order asked for.
    public let lines: [Line]
}

/// Times generation with one model.
public struct GenerationBenchmark {
    private let model: any LanguageModel
    private let device: Device
    private let weightBytes: Int

    /// A benchmark of a model.
    ///
    /// - Parameters:
    ///   - model: with weights.
    ///   - device: the device that holds the model.
    public init(_ model: any LanguageModel, on device: Device) {
        self.model = model
        self.device = device
        weightBytes = model.table.flatCount * MemoryLayout<Float>.stride
    }

    /// A benchmark of a model with newly drawn weights.
    ///
    /// - Parameters:
    ///   - configuration: the sizes.
    ///   - device: the device that will hold the model.
    public init(_ configuration: ModelConfiguration, on device: Device) {
        let model = configuration.makeModel()
        model.allocate(on: device, withGradients: false)
        model.table.initialize(seed: 0)
        self.init(model, on: device)
    }

    /// Reads each context from scratch and writes after it.
    ///
    /// - Parameters:
    ///   - contexts: lengths, at least 1.
    ///   - tokens: tokens to write after each, at least 1.
    ///   - onLine: takes each result.
    /// - Returns: the results.
    public func run(
        contexts: [Int], tokens: Int, onLine: (GenerationReport.Line) -> Void = { _ in }
    ) -> GenerationReport {
        let vocabulary = model.configuration.vocabSize
        // Prepares kernels, tables, memory and packed weights before anything is timed.
        _ = model.prefill([0, 1 % Int32(vocabulary)], model.makeState(on: device), on: device)
        let lines = contexts.map { context in
            device.resetPeak()
            let state = model.makeState(on: device)
            let prompt = (0..<context).map { Int32(($0 * 31 + 7) % vocabulary) }
            let start = monotonicSeconds()
            _ = model.prefill(prompt, state, on: device)
            let read = monotonicSeconds() - start
            let stateBytes = state.byteCount
            let times = (0..<tokens).map { count in
                let start = monotonicSeconds()
                _ = model.prefill([Int32((count * 17 + 3) % vocabulary)], state, on: device)
                return monotonicSeconds() - start
            }
            let line = GenerationReport.Line(
                context: context, promptTokensPerSecond: Double(context) / read,
                secondsPerToken: times.sorted()[tokens / 2], stateBytes: stateBytes,
                workingBytes: device.peakByteCount - weightBytes)
            onLine(line)
            return line
        }
        return GenerationReport(parameters: model.table.parameterCount, lines: lines)
    }
}
