import FalconModel

/// The forms of an architecture's models in the files of other programs, as
/// `ArchitectureConfiguration` describes the models themselves.
protocol ForeignArchitecture: ArchitectureConfiguration {
    /// The classes of transformers that its models are written and read as.
    static var huggingFaceClasses: [any HuggingFaceClass.Type] { get }
    /// The graphs of llama.cpp that its models are written and read as.
    static var graphs: [any GGUFGraph.Type] { get }

    /// The class that computes the function of a model of these sizes.
    ///
    /// - Returns: one of `huggingFaceClasses`.
    /// - Throws: `InterchangeError.model` if there is none.
    func huggingFaceClass() throws(InterchangeError) -> any HuggingFaceClass.Type

    /// The graph that computes the function of a model of these sizes.
    ///
    /// - Returns: one of `graphs`.
    /// - Throws: `InterchangeError.model` if there is none.
    func graph() throws(InterchangeError) -> any GGUFGraph.Type
}

extension Architecture {
    /// Every class of transformers that is written and read.
    static var huggingFaceClasses: [any HuggingFaceClass.Type] {
        foreign.flatMap { $0.huggingFaceClasses }
    }

    /// Every graph of llama.cpp that is written and read.
    static var graphs: [any GGUFGraph.Type] { foreign.flatMap { $0.graphs } }

    private static var foreign: [any ForeignArchitecture.Type] {
        allCases.map { architecture in
            guard let type = architecture.configurationType as? any ForeignArchitecture.Type else {
                preconditionFailure("\(architecture.rawValue) is no ForeignArchitecture")
            }
            return type
        }
    }
}

extension ModelConfiguration {
    /// The class of transformers that computes the model's function.
    ///
    /// - Returns: one of the architecture's classes.
    /// - Throws: `InterchangeError.model` if there is none.
    func huggingFaceClass() throws(InterchangeError) -> any HuggingFaceClass.Type {
        try foreign.huggingFaceClass()
    }

    /// The graph of llama.cpp that computes the model's function.
    ///
    /// - Returns: one of the architecture's graphs.
    /// - Throws: `InterchangeError.model` if there is none.
    func graph() throws(InterchangeError) -> any GGUFGraph.Type { try foreign.graph() }

    private var foreign: any ForeignArchitecture {
        guard let foreign = sizes as? any ForeignArchitecture else {
            preconditionFailure("\(architecture.rawValue) is no ForeignArchitecture")
        }
        return foreign
    }
}
