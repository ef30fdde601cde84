import FalconCheckpoint
import FalconModel

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
        let own = Dictionary(uniqueKeysWithValues: model.tensors().map { ($0.name, $0) })
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
        _ sizes: FalconH1Configuration, _ own: [String: TensorDescription], writesHead: Bool
    ) -> [ForeignTensor] {
        let folded = FoldedMultipliers(sizes)
        let embedding = own["model.embed_tokens.weight"]
        let head = own["lm_head.weight"] ?? embedding
        var tensors = [
            embedding.map {
                ForeignTensor(
                    "token_embd.weight", from: $0, folded.change(of: $0.name, rowCount: $0.shape[0])
                )
            },
            own["model.final_layernorm.weight"].map {
                ForeignTensor("output_norm.weight", from: $0)
            },
        ]
        // The graph of falcon-h1 would scale a head that is the embedding as the embedding.
        if writesHead || !folded.configuration.tieWordEmbeddings {
            tensors.append(
                head.map {
                    ForeignTensor(
                        "output.weight", from: $0,
                        folded.change(of: "lm_head.weight", rowCount: $0.shape[0]))
                })
        }
        return tensors.compactMap { $0 }
    }

    private static func block(
        _ index: Int, _ sizes: FalconH1Configuration, _ own: [String: TensorDescription],
        interleavesHeads: Bool
    ) -> [ForeignTensor] {
        let folded = FoldedMultipliers(sizes)
        let heads = sizes.mambaNHeads
        let names: [(foreign: String, own: String, shape: [Int]?)] = [
            ("attn_norm.weight", "input_layernorm.weight", nil),
            ("attn_q.weight", "self_attn.q_proj.weight", nil),
            ("attn_k.weight", "self_attn.k_proj.weight", nil),
            ("attn_v.weight", "self_attn.v_proj.weight", nil),
            ("attn_output.weight", "self_attn.o_proj.weight", nil),
            ("ssm_in.weight", "mamba.in_proj.weight", nil),
            (
                "ssm_conv1d.weight", "mamba.conv1d.weight", [sizes.convChannels, sizes.mambaDConv]
            ),
            ("ssm_conv1d.bias", "mamba.conv1d.bias", nil),
            ("ssm_dt.bias", "mamba.dt_bias", nil),
            ("ssm_a", "mamba.A_log", [heads, 1]), ("ssm_d", "mamba.D", [heads, 1]),
            (
                "ssm_norm.weight", "mamba.norm.weight",
                [sizes.mambaNGroups, sizes.mambaDSsm / sizes.mambaNGroups]
            ),
            ("ssm_out.weight", "mamba.out_proj.weight", nil),
            // Without ".weight" in falcon-h1, with it in llama.
            (interleavesHeads ? "ffn_norm.weight" : "ffn_norm", "pre_ff_layernorm.weight", nil),
            ("ffn_gate.weight", "feed_forward.gate_proj.weight", nil),
            ("ffn_up.weight", "feed_forward.up_proj.weight", nil),
            ("ffn_down.weight", "feed_forward.down_proj.weight", nil),
        ]
        return names.compactMap { entry in
            guard let parameter = own["model.layers.\(index).\(entry.own)"] else { return nil }
            let change: ForeignTensor.Change =
                switch entry.foreign {
                case "ssm_a": .negativeExponential
                case "attn_q.weight" where interleavesHeads,
                    "attn_k.weight" where interleavesHeads:
                    .interleaved(
                        headRows: sizes.headDim, scale: folded.scale(of: parameter.name))
                default: folded.change(of: parameter.name, rowCount: parameter.shape[0])
                }
            return ForeignTensor(
                "blk.\(index).\(entry.foreign)", shape: entry.shape, from: parameter, change)
        }
    }

    private static func mamba(
        _ sizes: FalconMambaConfiguration, _ own: [String: TensorDescription]
    ) -> [ForeignTensor] {
        let names = [
            ("attn_norm.weight", "norm.weight"), ("ssm_in.weight", "mixer.in_proj.weight"),
            ("ssm_conv1d.weight", "mixer.conv1d.weight"),
            ("ssm_conv1d.bias", "mixer.conv1d.bias"), ("ssm_x.weight", "mixer.x_proj.weight"),
            ("ssm_dt.weight", "mixer.dt_proj.weight"), ("ssm_dt.bias", "mixer.dt_proj.bias"),
            ("ssm_a", "mixer.A_log"), ("ssm_d", "mixer.D"),
            ("ssm_out.weight", "mixer.out_proj.weight"),
        ]
        let outer = [
            ("token_embd.weight", "backbone.embeddings.weight"),
            ("output_norm.weight", "backbone.norm_f.weight"), ("output.weight", "lm_head.weight"),
        ].compactMap { foreign, name in own[name].map { ForeignTensor(foreign, from: $0) } }
        let blocks = (0..<sizes.numHiddenLayers).flatMap { index in
            names.compactMap { foreign, name in
                own["backbone.layers.\(index).\(name)"].map {
                    ForeignTensor(
                        "blk.\(index).\(foreign)",
                        shape: foreign == "ssm_conv1d.weight"
                            ? [sizes.intermediateSize, sizes.convKernel] : nil,
                        from: $0, foreign == "ssm_a" ? .negativeExponential : .none)
                }
            }
        }
        return outer + blocks
    }
}
