/// The role of a tensor for the choice of its type: the only code that knows names.
///
/// - SeeAlso: `llama_model_quantize` in llama.cpp, src/llama-quant.cpp.
enum GGUFTensorRole: Equatable {
    case embedding, output
    case attentionValue(layer: Int)
    case feedForwardDown(layer: Int)
    /// Any other matrix.
    case matrix
    /// Gains, filters of the short convolution, biases and state-space numbers: few, and float32.
    case small

    private static let smallNames: Set = [
        "attn_norm.weight", "ffn_norm", "ffn_norm.weight", "ssm_norm.weight", "ssm_conv1d.weight",
        "ssm_conv1d.bias", "ssm_dt.bias", "ssm_a", "ssm_d",
    ]

    /// The role of a name.
    ///
    /// - Parameter name: of a tensor in a file.
    init(name: String) {
        switch name {
        case "token_embd.weight": self = .embedding
        case "output.weight": self = .output
        case "output_norm.weight": self = .small
        default:
            // blk.LAYER.NAME
            let parts = name.split(separator: ".", maxSplits: 2)
            guard parts.count == 3, parts[0] == "blk", let layer = Int(parts[1]) else {
                self = .matrix
                return
            }
            switch String(parts[2]) {
            case "attn_v.weight": self = .attentionValue(layer: layer)
            case "ffn_down.weight": self = .feedForwardDown(layer: layer)
            case let own: self = Self.smallNames.contains(own) ? .small : .matrix
            }
        }
    }
}
