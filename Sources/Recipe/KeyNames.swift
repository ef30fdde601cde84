import FalconSystem

/// Guesses at the meaning of a key that does not exist.
enum KeyNames {
    /// The names of other programs for keys of a recipe: the key path, and a note on its value.
    private static let elsewhere: [(names: [String], path: String, note: String?)] = [
        (
            ["lr", "learning_rate", "base_lr", "peak_lr", "max_lr", "eta"],
            "optimizer.learning_rate", nil
        ),
        (["wd", "weight_decay", "l2"], "optimizer.weight_decay", nil),
        (["beta1", "adam_beta1", "beta_1"], "optimizer.betas.0", nil),
        (["beta2", "adam_beta2", "beta_2"], "optimizer.betas.1", nil),
        (["eps", "adam_epsilon", "adam_eps"], "optimizer.epsilon", nil),
        (["optim", "optimizer_name", "optimizer_type"], "optimizer.kind", nil),
        (
            [
                "bs", "batch_size", "batch", "global_batch_size", "total_batch_size",
                "gradient_accumulation_steps", "grad_accum",
            ], "train.batch_tokens", "tokens of a step, not sequences"
        ),
        (
            [
                "micro_batch_size", "mbs", "device_batch_size", "micro_batch",
                "per_device_train_batch_size",
            ], "train.micro_batch_sequences", nil
        ),
        (
            ["epochs", "num_epochs", "num_train_epochs", "n_epochs", "max_epochs"],
            "train.tokens", "tokens of the whole run"
        ),
        (
            [
                "max_steps", "num_steps", "total_steps", "max_iters", "iterations", "n_steps",
                "num_iterations", "train_iters",
            ], "train.steps", nil
        ),
        (["max_tokens", "total_tokens", "num_tokens", "token_budget"], "train.tokens", nil),
        (
            [
                "grad_clip", "max_grad_norm", "gradient_clip", "clip_grad", "clip",
                "gradient_clipping", "max_norm",
            ], "train.clip_norm", nil
        ),
        (["dtype", "bf16", "fp16", "amp", "mixed_precision", "half"], "train.precision", nil),
        (
            ["gradient_checkpointing", "activation_checkpointing", "remat", "checkpointing"],
            "train.recompute", nil
        ),
        (
            ["init_from", "resume_from", "pretrained", "load_from", "finetune", "from_pretrained"],
            "train.initial_model", nil
        ),
        (
            ["warmup", "warmup_steps", "warmup_iters", "num_warmup_steps", "lr_warmup"],
            "schedule.warmup_tokens", "tokens, not steps"
        ),
        (
            ["cooldown", "decay_steps", "lr_decay_iters", "cooldown_steps"],
            "schedule.decay_tokens", "tokens, not steps"
        ),
        (
            ["lr_schedule", "lr_scheduler", "scheduler", "lr_scheduler_type", "lr_decay_style"],
            "schedule.decay", nil
        ),
        (
            ["min_lr", "min_lr_ratio", "lr_min", "final_lr"], "schedule.final_ratio",
            "the last rate over that where the decay begins"
        ),
        (
            [
                "seq_len", "seq_length", "sequence_len", "block_size", "context_length", "context",
                "max_seq_len", "max_seq_length", "max_length", "ctx_len", "n_ctx",
            ], "data.sequence_length", nil
        ),
        (
            ["dataset", "data_path", "data_dir", "train_data", "dataset_path", "shards"],
            "data.path", nil
        ),
        (["random_seed", "rng_seed"], "seed", nil),
        (["run_name", "experiment", "exp_name"], "name", nil),
        (
            ["save_steps", "save_every", "save_interval", "checkpoint_every", "save_freq"],
            "checkpoint.every_steps", nil
        ),
        (
            ["save_total_limit", "keep", "max_checkpoints", "keep_checkpoints"],
            "checkpoint.keep_last", nil
        ),
        (
            ["eval_steps", "eval_every", "eval_interval", "val_every", "validate_every"],
            "evaluation.every_steps", nil
        ),
        (["eval_tokens", "val_tokens", "eval_iters"], "evaluation.tokens", nil),
        (
            ["num_layers", "n_layers", "n_layer", "layers", "depth"],
            "model.num_hidden_layers", nil
        ),
        (
            ["d_model", "n_embd", "dim", "hidden_dim", "embed_dim", "width", "hidden"],
            "model.hidden_size", nil
        ),
        (["n_head", "n_heads", "num_heads", "heads"], "model.num_attention_heads", nil),
        (
            ["n_kv_heads", "num_kv_heads", "kv_heads", "n_kv_head"],
            "model.num_key_value_heads", nil
        ),
        (
            ["d_ff", "ffn_dim", "mlp_dim", "ffn_hidden_size", "d_mlp"],
            "model.intermediate_size", nil
        ),
        (["d_state", "state_size", "ssm_state"], "model.mamba_d_state", nil),
        (["d_conv", "conv_kernel"], "model.mamba_d_conv", nil),
        (["vocab", "n_vocab", "vocabulary_size", "padded_vocab_size"], "model.vocab_size", nil),
        (
            ["tie_embeddings", "tied", "weight_tying", "tie_weights"],
            "model.tie_word_embeddings", nil
        ),
        (["rope_base", "rotary_base"], "model.rope_theta", nil),
        (["max_seq_positions", "n_positions"], "model.max_position_embeddings", nil),
        (["parameterization", "mup", "use_mup"], "parametrization.kind", nil),
        (["log_interval", "log_every", "log_freq"], "monitor.every_steps", nil),
    ]

    /// The key here that corresponds to a name in other programs.
    ///
    /// - Parameters:
    ///   - name: the last word of the key as written.
    ///   - section: the words before it; a key of this section is preferred to one elsewhere.
    ///   - root: the recipe.
    /// - Returns: a key path that the recipe has, and a note on its value.
    static func known(
        elsewhereAs name: String, below section: [String], in root: RecipeValue
    ) -> (path: String, note: String?)? {
        let name = name.lowercased().replacing("-", with: "_")
        for entry in elsewhere where entry.names.contains(name) {
            let path = entry.path.split(separator: ".").map(String.init)
            let beside = section + [path.last ?? ""]
            if path.last != name, root.value(at: beside) != nil {
                return (beside.joined(separator: "."), entry.note)
            }
            if root.value(at: path) != nil { return (entry.path, entry.note) }
        }
        return nil
    }

    /// The end of a message about a key path that does not exist.
    ///
    /// - Parameters:
    ///   - path: the key path as written.
    ///   - root: the recipe.
    /// - Returns: the probable meaning, or the existing keys.
    static func advice(for path: [String], in root: RecipeValue) -> String {
        let name = path.last ?? ""
        let keyPaths = root.keyPaths
        if let (path, note) = known(elsewhereAs: name, below: path.dropLast(), in: root) {
            return didYouMean(path + (note.map { " (\($0))" } ?? ""))
        }
        if let near = nearest(to: path, among: keyPaths) { return didYouMean(near) }
        let same = keyPaths.first {
            Int(name) == nil && ($0 == name || $0.hasSuffix(".\(name)"))
        }
        let similar = keyPaths.first {
            name.count > 2
                && misspelling(of: String($0.split(separator: ".").last ?? ""), as: name) != nil
        }
        if let near = same ?? similar { return didYouMean(near) }
        // The keys of the part that exists.
        var section = path.dropLast()
        while let last = section.indices.last, root.value(at: section) == nil {
            section = section[..<last]
        }
        let found = root.value(at: section)
        if let list = found?.list, !section.isEmpty {
            return "; \(section.joined(separator: ".")) is a list of \(list.count), counted from 0"
        }
        guard let keys = found?.map?.entries.map(\.key), !keys.isEmpty else { return "" }
        let place = section.isEmpty ? "the recipe" : section.joined(separator: ".")
        return "; \(place) has \(keys.joined(separator: ", "))"
    }

    /// The path of similar spelling, word by word.
    private static func nearest(to path: [String], among keyPaths: [String]) -> String? {
        var best: (path: String, distance: Int)?
        for candidate in keyPaths {
            let words = candidate.split(separator: ".").map(String.init)
            guard words.count == path.count else { continue }
            // One wrong letter in a short word: `optimizer.lr` is not `optimizer.kind`.
            let parts = zip(words, path).compactMap { word, written -> Int? in
                if Int(written) != nil { return word == written ? 0 : nil }
                return misspelling(of: word, as: written).flatMap {
                    $0 <= max(1, written.count / 3) ? $0 : nil
                }
            }
            guard parts.count == words.count else { continue }
            let distance = parts.reduce(0, +)
            if distance < best?.distance ?? .max { best = (candidate, distance) }
        }
        return best?.path
    }
}
