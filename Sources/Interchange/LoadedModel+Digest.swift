import FalconModel
import FalconSystem
import FalconTensor
import FalconTokenizer

extension LoadedModel {
    /// The SHA-256 over the names and values of all parameters, the configuration and the tokenizer: what scores
    /// follow from.
    ///
    /// - Returns: in hexadecimal; the same for a model in whatever files it is kept.
    public func digest() -> String {
        var digest = SHA256()
        digest.update("\(model.configuration)")
        digest.update(tokenizer?.fingerprint ?? "")
        for parameter in model.table.parameters {
            digest.update("\(parameter.name) \(parameter.shape)")
            parameter.value.download { unsafe digest.update($0.bytes) }
        }
        return digest.finalizeHex()
    }
}
