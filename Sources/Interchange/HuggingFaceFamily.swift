import FalconModel
import FalconTensor

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

    /// The names of parameters in the files of this class.
    var names: ParameterNames {
        switch self {
        case .falconH1: Architecture.falconH1.parameterNames
        case .falconMamba: Architecture.falconMamba.parameterNames
        case .llama: .llama
        }
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
            return model.parameters.map { ForeignTensor($0.parameter.name, from: $0.parameter) }
        }
        let folded = FoldedMultipliers(sizes)
        let own = Dictionary(uniqueKeysWithValues: model.parameters)
        return ModelConfiguration.falconH1(folded.configuration).parameters.compactMap { place, _ in
            // The head of a tied model is made of its embedding.
            guard let source = own[place] ?? own[ParameterPlace(.embedding, .matrix)] else {
                return nil
            }
            return ForeignTensor(
                names.name(of: place), from: source,
                folded.change(at: place, rowCount: source.shape[0]))
        }
    }
}
