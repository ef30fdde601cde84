import FalconTensor

/// The names of the parameters of a family of models, by place: the only code that knows them.
///
///     STEM.PART.KIND   STEM.layers.BLOCK.PART.KIND   HEAD.KIND
public struct ParameterNames: Sendable {
    /// The name of a part, and the names of its parameters.
    public struct Part: Sendable {
        let name: String
        let kinds: [ParameterPlace.Kind: String]

        /// A part with its parameters.
        ///
        /// - Parameters:
        ///   - name: such as `self_attn`.
        ///   - kinds: the rest of each parameter's name, such as `q_proj.weight`.
        public init(_ name: String, _ kinds: [ParameterPlace.Kind: String]) {
            (self.name, self.kinds) = (name, kinds)
        }
    }

    private let stem: String
    private let parts: [ModelPart: Part]
    /// Places by `PART.KIND`, which no two parameters of a block share.
    private let places: [String: (part: ModelPart, kind: ParameterPlace.Kind)]

    /// The names of a family.
    ///
    /// - Parameters:
    ///   - stem: the first word of all names but the head's.
    ///   - parts: every part of the family's models.
    public init(stem: String, _ parts: [ModelPart: Part]) {
        self.stem = stem
        self.parts = parts
        var places: [String: (part: ModelPart, kind: ParameterPlace.Kind)] = [:]
        for (part, names) in parts {
            for (kind, name) in names.kinds {
                places[names.name + "." + name] = (part, kind)
            }
        }
        self.places = places
    }

    /// The name of a parameter.
    ///
    /// - Parameter place: a place in models of the family.
    /// - Returns: such as `model.layers.0.mamba.in_proj.weight`.
    public func name(of place: ParameterPlace) -> String {
        guard let part = parts[place.part], let kind = part.kinds[place.kind] else {
            preconditionFailure("ParameterNames: no name for \(place)")
        }
        let start = place.part == .head ? "" : stem + "."
        return start + (place.block.map { "layers.\($0)." } ?? "") + part.name + "." + kind
    }

    /// The place of a parameter.
    ///
    /// - Parameter name: any text.
    /// - Returns: the place; nil if the family has no such name.
    public func place(of name: String) -> ParameterPlace? {
        var rest = name[...]
        var block: Int?
        if rest.hasPrefix(stem + ".") { rest = rest.dropFirst(stem.count + 1) }
        if rest.hasPrefix("layers.") {
            rest = rest.dropFirst("layers.".count)
            let digits = rest.prefix { $0 != "." }
            rest = rest.dropFirst(digits.count + 1)
            block = Int(digits)
        }
        guard let found = places[String(rest)], found.part.isInBlocks == (block != nil),
            block ?? 0 >= 0
        else { return nil }
        let place = ParameterPlace(block: block, found.part, found.kind)
        // Another stem, or a number with other digits.
        return self.name(of: place) == name ? place : nil
    }

    /// The words for a part and a parameter in it, such as `self_attn` and `q_proj`, or "".
    fileprivate func words(of place: ParameterPlace) -> (part: String, matrix: String) {
        guard let part = parts[place.part], let kind = part.kinds[place.kind] else {
            preconditionFailure("ParameterNames: no name for \(place)")
        }
        let words = kind.split(separator: ".").filter { $0 != "weight" }
        return (part.name, words.joined(separator: "."))
    }
}

/// A parameter's name, taken apart.
public struct ParameterName: Hashable, Sendable {
    /// The place of the parameter.
    public let place: ParameterPlace
    /// The number of its block, from 0; nil outside of blocks.
    public var block: Int? { place.block }
    /// The word for its part, such as `self_attn`.
    public let part: String
    /// The word for it in its part, such as `q_proj`; "" for the only one there.
    public let matrix: String
    /// The common name of it and its counterparts in other blocks, such as `self_attn.q_proj`.
    public var label: String { matrix.isEmpty ? part : part + "." + matrix }

    /// Takes a name apart.
    ///
    /// - Parameter name: of a parameter of any architecture; the result is nil for others.
    public init?(_ name: String) {
        for architecture in Architecture.allCases {
            let names = architecture.parameterNames
            guard let place = names.place(of: name) else { continue }
            self.place = place
            (part, matrix) = names.words(of: place)
            return
        }
        return nil
    }
}
