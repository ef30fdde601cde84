import FalconModel
import FalconTensor

/// The model graphs of llama.cpp that are written and read; the raw value is `general.architecture`.
///
/// None of them has multipliers: those of a Falcon-H1 are folded into its weights.
enum GGUFArchitecture: String, CaseIterable {
    case falconH1 = "falcon-h1"
    case mamba
    /// A Falcon-H1 with attention alone.
    case llama

    /// The graph that computes what a model computes.
    ///
    /// - Parameter model: any configuration.
    /// - Throws: `InterchangeError.model` if there is none.
    init(of model: ModelConfiguration) throws(InterchangeError) {
        switch model {
        case .falconMamba(let sizes):
            guard sizes.intermediateSize == 2 * sizes.hiddenSize else {
                throw .model(
                    reason: "the mixers have \(sizes.intermediateSize) channels, but llama.cpp's "
                        + "mamba wants 2 * hidden_size = \(2 * sizes.hiddenSize)",
                    advice: "export for Hugging Face, or train a model of that shape")
            }
            self = .mamba
        case .falconH1(let sizes):
            switch sizes.mixers {
            case .parallel: self = .falconH1
            case .attention: self = .llama
            case .ssm:
                throw .model(
                    reason: "llama.cpp has no graph of Mamba-2 and an MLP alone, as `mixers: ssm` "
                        + "makes them",
                    advice: "export a model with `mixers: parallel` or `attention`")
            }
        }
    }

    /// The tensors of a file.
    ///
    /// - Parameter model: of a model of this graph.
    /// - Returns: each with the parameter that it is made from; a head of its own wherever the model's
    ///   embedding and head differ once multipliers are folded in.
    func tensors(of model: ModelConfiguration) -> [ForeignTensor] {
        let own = Dictionary(uniqueKeysWithValues: model.parameters)
        switch model {
        case .falconMamba(let sizes): return Self.mamba(sizes, own)
        case .falconH1(let sizes):
            return Self.outer(sizes, own, writesHead: self == .falconH1)
                + (0..<sizes.numHiddenLayers).flatMap {
                    Self.block($0, sizes, own, interleavesHeads: self == .llama)
                }
        }
    }

    /// Embedding, final norm and head.
    private static func outer(
        _ sizes: FalconH1Configuration, _ own: [ParameterPlace: Parameter], writesHead: Bool
    ) -> [ForeignTensor] {
        let folded = FoldedMultipliers(sizes)
        let (embeddingPlace, headPlace) = (
            ParameterPlace(.embedding, .matrix), ParameterPlace(.head, .matrix)
        )
        let embedding = own[embeddingPlace]
        let head = own[headPlace] ?? embedding
        var tensors = [
            embedding.map {
                ForeignTensor(
                    "token_embd.weight", from: $0,
                    folded.change(at: embeddingPlace, rowCount: $0.shape[0]))
            },
            own[ParameterPlace(.finalNorm, .gain)].map {
                ForeignTensor("output_norm.weight", from: $0)
            },
        ]
        // The graph of falcon-h1 would scale a head that is the embedding as the embedding.
        if writesHead || !folded.configuration.tieWordEmbeddings {
            tensors.append(
                head.map {
                    ForeignTensor(
                        "output.weight", from: $0,
                        folded.change(at: headPlace, rowCount: $0.shape[0]))
                })
        }
        return tensors.compactMap { $0 }
    }

    private static func block(
        _ index: Int, _ sizes: FalconH1Configuration, _ own: [ParameterPlace: Parameter],
        interleavesHeads: Bool
    ) -> [ForeignTensor] {
        let folded = FoldedMultipliers(sizes)
        let heads = sizes.mambaNHeads
        let names: [(foreign: String, part: ModelPart, kind: ParameterPlace.Kind, shape: [Int]?)] =
            [
                ("attn_norm.weight", .inputNorm, .gain, nil),
                ("attn_q.weight", .attention, .query, nil),
                ("attn_k.weight", .attention, .key, nil),
                ("attn_v.weight", .attention, .value, nil),
                ("attn_output.weight", .attention, .outputProjection, nil),
                ("ssm_in.weight", .mamba, .inputProjection, nil),
                (
                    "ssm_conv1d.weight", .mamba, .convolution,
                    [sizes.convChannels, sizes.mambaDConv]
                ),
                ("ssm_conv1d.bias", .mamba, .convolutionBias, nil),
                ("ssm_dt.bias", .mamba, .stepBias, nil),
                ("ssm_a", .mamba, .decay, [heads, 1]), ("ssm_d", .mamba, .skip, [heads, 1]),
                (
                    "ssm_norm.weight", .mamba, .gain,
                    [sizes.mambaNGroups, sizes.mambaDSsm / sizes.mambaNGroups]
                ),
                ("ssm_out.weight", .mamba, .outputProjection, nil),
                // Without ".weight" in falcon-h1, with it in llama.
                (interleavesHeads ? "ffn_norm.weight" : "ffn_norm", .feedForwardNorm, .gain, nil),
                ("ffn_gate.weight", .feedForward, .gate, nil),
                ("ffn_up.weight", .feedForward, .up, nil),
                ("ffn_down.weight", .feedForward, .down, nil),
            ]
        return names.compactMap { entry in
            let place = ParameterPlace(block: index, entry.part, entry.kind)
            guard let parameter = own[place] else { return nil }
            let change: ForeignTensor.Change =
                switch entry.kind {
                case .decay: .negativeExponential
                case .query where interleavesHeads, .key where interleavesHeads:
                    .interleaved(headRows: sizes.headDim, scale: folded.scale(at: place))
                default: folded.change(at: place, rowCount: parameter.shape[0])
                }
            return ForeignTensor(
                "blk.\(index).\(entry.foreign)", shape: entry.shape, from: parameter, change)
        }
    }

    private static func mamba(
        _ sizes: FalconMambaConfiguration, _ own: [ParameterPlace: Parameter]
    ) -> [ForeignTensor] {
        let names: [(foreign: String, part: ModelPart, kind: ParameterPlace.Kind)] = [
            ("attn_norm.weight", .inputNorm, .gain), ("ssm_in.weight", .mamba, .inputProjection),
            ("ssm_conv1d.weight", .mamba, .convolution),
            ("ssm_conv1d.bias", .mamba, .convolutionBias),
            ("ssm_x.weight", .mamba, .selectionProjection),
            ("ssm_dt.weight", .mamba, .stepProjection), ("ssm_dt.bias", .mamba, .stepBias),
            ("ssm_a", .mamba, .decay), ("ssm_d", .mamba, .skip),
            ("ssm_out.weight", .mamba, .outputProjection),
        ]
        let outside: [(foreign: String, place: ParameterPlace)] = [
            ("token_embd.weight", ParameterPlace(.embedding, .matrix)),
            ("output_norm.weight", ParameterPlace(.finalNorm, .gain)),
            ("output.weight", ParameterPlace(.head, .matrix)),
        ]
        let outer = outside.compactMap { foreign, place in
            own[place].map { ForeignTensor(foreign, from: $0) }
        }
        let blocks = (0..<sizes.numHiddenLayers).flatMap { index in
            names.compactMap { foreign, part, kind in
                own[ParameterPlace(block: index, part, kind)].map {
                    ForeignTensor(
                        "blk.\(index).\(foreign)",
                        shape: kind == .convolution
                            ? [sizes.intermediateSize, sizes.convKernel] : nil,
                        from: $0, kind == .decay ? .negativeExponential : .none)
                }
            }
        }
        return outer + blocks
    }
}
