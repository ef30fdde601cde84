extension FalconH1Configuration {
    /// The settings that make the model `width` wide: heads and widths in proportion, the sizes of
    /// heads and states as they are.
    ///
    /// - Parameter width: the new `hidden_size`.
    /// - Returns: `model.key=value` each; nil if a count would not be whole.
    public func settings(scaledToWidth width: Int) -> [String]? {
        let scaled: [(key: String, value: Int)] = [
            ("intermediate_size", intermediateSize), ("num_attention_heads", numAttentionHeads),
            ("num_key_value_heads", numKeyValueHeads), ("mamba_n_heads", mambaNHeads),
        ]
        guard scaled.allSatisfy({ $0.value * width % hiddenSize == 0 }) else { return nil }
        let heads = mambaNHeads * width / hiddenSize
        return ["model.hidden_size=\(width)", "model.mamba_d_ssm=\(heads * mambaDHead)"]
            + scaled.map { "model.\($0.key)=\($0.value * width / hiddenSize)" }
    }
}
