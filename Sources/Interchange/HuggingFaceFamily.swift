import FalconCheckpoint
import FalconModel

/// The model classes of Hugging Face transformers that are read and written.
enum HuggingFaceFamily: String, CaseIterable {
    /// The raw value is `model_type`.
    case falconH1 = "falcon_h1"
    case falconMamba = "falcon_mamba"
    case llama

    /// The class of the weights, in `architectures`.
    var className: String {
        switch self {
        case .falconH1: "FalconH1ForCausalLM"
        case .falconMamba: "FalconMambaForCausalLM"
        case .llama: "LlamaForCausalLM"
        }
    }

    /// The class that computes what a model computes.
    ///
    /// - Parameter model: any configuration.
    /// - Throws: `InterchangeError.model` if there is none.
    init(of model: ModelConfiguration) throws(InterchangeError) {
        switch model {
        case .falconMamba: self = .falconMamba
        case .falconH1(let sizes):
            switch sizes.mixers {
            case .parallel: self = .falconH1
            case .attention: self = .llama
            case .ssm:
                throw .model(
                    reason: "no class of transformers has blocks of Mamba-2 and an MLP alone, as "
                        + "`mixers: ssm` makes them",
                    advice: "export a model with `mixers: parallel` or `attention`")
            }
        }
    }

    /// The name of a parameter in the files of this class.
    ///
    /// - Parameter name: this program's name.
    /// - Returns: the class's.
    func name(of name: String) -> String {
        self == .llama ? FalconH1Configuration.llamaName(of: name) : name
    }

    /// The configuration whose function the written tensors compute.
    ///
    /// - Parameter model: of a model of this class.
    /// - Returns: `model`, without multipliers where the class has none.
    func configuration(of model: ModelConfiguration) -> ModelConfiguration {
        guard self == .llama, case .falconH1(let sizes) = model else { return model }
        return .falconH1(FoldedMultipliers(sizes).configuration)
    }

    /// The tensors of a file of this class.
    ///
    /// - Parameter model: of a model of this class.
    /// - Returns: each with the parameter that it is made from.
    func tensors(of model: ModelConfiguration) -> [ForeignTensor] {
        guard self == .llama, case .falconH1(let sizes) = model else {
            return model.tensors().map { ForeignTensor($0.name, from: $0) }
        }
        let folded = FoldedMultipliers(sizes)
        let own = Dictionary(uniqueKeysWithValues: model.tensors().map { ($0.name, $0) })
        return ModelConfiguration.falconH1(folded.configuration).tensors().compactMap { tensor in
            // The head of a tied model is made of its embedding.
            guard let source = own[tensor.name] ?? own["model.embed_tokens.weight"] else {
                return nil
            }
            return ForeignTensor(
                name(of: tensor.name), from: source,
                folded.change(of: tensor.name, rowCount: tensor.shape[0]))
        }
    }
}
