/// Recipes whose runs take a fraction of a second.
package enum TinyRecipe: Sendable {
    case falconH1, falconMamba, mamba2

    /// The recipe as YAML.
    ///
    /// - Parameters:
    ///   - data: the folder of the shards, as YAML.
    ///   - keptCheckpoints: the number of checkpoints to keep.
    /// - Returns: 8 steps of 2 micro-batches of 2 sequences of 24 tokens.
    package func yaml(data: String, keptCheckpoints: Int = 2) -> String {
        """
        name: \(name)
        data: {path: \(data), sequence_length: 24}
        schedule: {warmup_tokens: 192, decay_tokens: 192}
        train: {steps: 8, batch_tokens: 96, micro_batch_sequences: 2}
        checkpoint: {every_steps: 3, keep_last: \(keptCheckpoints)}
        evaluation: {every_steps: 4, tokens: 200}

        """ + model
    }

    private var name: String {
        switch self {
        case .falconH1: "tiny"
        case .falconMamba: "mamba"
        case .mamba2: "mamba2"
        }
    }

    private var model: String {
        switch self {
        case .falconH1:
            """
            model:
              vocab_size: 300
              hidden_size: 16
              num_hidden_layers: 2
              intermediate_size: 24
              num_attention_heads: 2
              num_key_value_heads: 1
              head_dim: 10
              mamba_d_ssm: 24
              mamba_n_heads: 3
              mamba_d_head: 8
              mamba_d_state: 5
              mamba_chunk_size: 7
              max_position_embeddings: 64
              tie_word_embeddings: true

            """
        case .falconMamba:
            """
            model:
              architecture: falcon-mamba
              vocab_size: 300
              hidden_size: 16
              num_hidden_layers: 2
              intermediate_size: 32
              state_size: 5
              time_step_rank: 3
              tie_word_embeddings: true

            """
        case .mamba2:
            """
            model:
              architecture: mamba2
              vocab_size: 300
              hidden_size: 16
              num_hidden_layers: 2
              num_heads: 4
              head_dim: 8
              n_groups: 2
              state_size: 5
              chunk_size: 7
              tie_word_embeddings: true

            """
        }
    }
}

/// Regular texts of 90 words, on which a vocabulary of 300 pieces can be trained.
package func tinyDocuments(_ count: Int = 40) -> [String] {
    let words = "the of a union state law people and in to war peace year tax bank land".split(
        separator: " ")
    return (0..<count).map { document in
        (0..<90).map { words[($0 * $0 + 3 * document + $0 / 7) % words.count] }
            .joined(separator: " ")
    }
}
