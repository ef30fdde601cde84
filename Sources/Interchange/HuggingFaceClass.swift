import FalconJSON
import FalconModel
import FalconSystem
import FalconTensor

/// A model class of Hugging Face transformers: its `config.json` and its files of weights.
protocol HuggingFaceClass {
    /// The sizes of the models written as this class.
    associatedtype Sizes: ArchitectureConfiguration
    /// `model_type`.
    static var modelType: String { get }
    /// The class of the weights, in `architectures`.
    static var name: String { get }
    /// The names of parameters in its files.
    static var names: ParameterNames { get }

    /// The fields of `config.json` that are particular to this class.
    ///
    /// - Parameter sizes: of a model of this class.
    /// - Returns: every field that the class reads, explicit.
    static func fields(of sizes: Sizes) -> [String: JSONValue]

    /// Sizes from `config.json`; a field that is missing takes the default of transformers 5.
    ///
    /// - Parameter fields: the file's; every wrong or unsupported field is reported to it.
    /// - Returns: nil if a problem was reported.
    static func read(_ fields: inout ConfigurationFields) -> ModelConfiguration?

    /// The sizes whose function the written tensors compute.
    ///
    /// - Parameter sizes: of a model of this class.
    /// - Returns: the sizes, without multipliers if the class has none.
    static func written(_ sizes: Sizes) -> Sizes

    /// The tensors of a file.
    ///
    /// - Parameters:
    ///   - sizes: of a model of this class.
    ///   - parameters: the model's, by place.
    /// - Returns: each with the parameter that it is made from.
    static func tensors(
        of sizes: Sizes, from parameters: [(place: ParameterPlace, parameter: Parameter)]
    ) -> [ForeignTensor]
}

// The defaults, for a class whose models are exactly those here.
extension HuggingFaceClass {
    /// The names here.
    static var names: ParameterNames { Sizes.parameterNames }

    /// The sizes as they are.
    static func written(_ sizes: Sizes) -> Sizes { sizes }

    /// The parameters as they are.
    static func tensors(
        of sizes: Sizes, from parameters: [(place: ParameterPlace, parameter: Parameter)]
    ) -> [ForeignTensor] {
        parameters.map { ForeignTensor($0.parameter.name, from: $0.parameter) }
    }
}

extension HuggingFaceClass {
    /// The fields of `config.json` that are particular to this class; the model is of this class.
    static func fields(of model: ModelConfiguration) -> [String: JSONValue] {
        fields(of: model.sizes(as: Sizes.self))
    }

    /// The configuration whose function the written tensors compute; the model is of this class.
    static func written(_ model: ModelConfiguration) -> ModelConfiguration {
        ModelConfiguration(written(model.sizes(as: Sizes.self)))
    }

    /// The tensors of a file, each with the parameter that it is made from; the model is of this class.
    static func tensors(of model: ModelConfiguration) -> [ForeignTensor] {
        tensors(of: model.sizes(as: Sizes.self), from: model.parameters)
    }
}

extension ModelConfiguration {
    /// The sizes, known to be of an architecture.
    func sizes<Sizes: ArchitectureConfiguration>(as type: Sizes.Type) -> Sizes {
        guard let sizes = sizes as? Sizes else {
            preconditionFailure("\(architecture.rawValue), want \(Sizes.recipeName)")
        }
        return sizes
    }
}
