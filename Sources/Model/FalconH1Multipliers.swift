import FalconRecipeSection
import FalconSystem

/// The fixed multipliers of a Falcon-H1 (arXiv 2507.22448, section 3.2), under Hugging Face's names.
public struct FalconH1Multipliers: Codable, Equatable, Sendable {
    /// Multipliers of the outputs of Mamba's input projection; a list in files.
    public struct SSM: Codable, Equatable, Sendable {
        /// The gate.
        public var z: Double
        /// The input of the scan.
        public var x: Double
        /// B, from the input to the state.
        public var b: Double
        /// C, from the state to the output.
        public var c: Double
        /// The time step.
        public var dt: Double

        /// z, x, B, C, dt.
        public var list: [Double] { [z, x, b, c, dt] }

        /// Reads a list of 5 numbers.
        ///
        /// - Parameter decoder: of a list.
        /// - Throws: `RecipeProblem` for another length; errors of the decoder.
        public init(from decoder: any Decoder) throws {
            let list = try numbers(from: decoder, count: 5, "z, x, B, C, dt")
            (z, x, b, c, dt) = (list[0], list[1], list[2], list[3], list[4])
        }

        /// Writes a list of 5 numbers.
        ///
        /// - Parameter encoder: takes a list.
        /// - Throws: errors of the encoder.
        public func encode(to encoder: any Encoder) throws { try list.encode(to: encoder) }

        fileprivate init(all value: Double) {
            (z, x, b, c, dt) = (value, value, value, value, value)
        }
    }

    /// Multipliers of the MLP; a list in files.
    public struct MLP: Codable, Equatable, Sendable {
        /// The multiplier inside SiLU.
        public var gate: Double
        /// The multiplier of the output.
        public var down: Double

        /// gate, down.
        public var list: [Double] { [gate, down] }

        /// Reads a list of 2 numbers.
        ///
        /// - Parameter decoder: of a list.
        /// - Throws: `RecipeProblem` for another length; errors of the decoder.
        public init(from decoder: any Decoder) throws {
            let list = try numbers(from: decoder, count: 2, "gate, down")
            (gate, down) = (list[0], list[1])
        }

        /// Writes a list of 2 numbers.
        ///
        /// - Parameter encoder: takes a list.
        /// - Throws: errors of the encoder.
        public func encode(to encoder: any Encoder) throws { try list.encode(to: encoder) }

        fileprivate init(all value: Double) { (gate, down) = (value, value) }
    }

    /// The multiplier of the embedding.
    public var embedding: Double
    /// The multiplier of the logits.
    public var lmHead: Double
    /// The multiplier of the input of q, k and v.
    public var attentionIn: Double
    /// The multiplier of the output of attention.
    public var attentionOut: Double
    /// The multiplier of the keys before rotation.
    public var key: Double
    /// The multiplier of the input of in_proj.
    public var ssmIn: Double
    /// The multiplier of the output of the state-space mixer.
    public var ssmOut: Double
    /// The multipliers of in_proj's outputs.
    public var ssm: SSM
    /// The multipliers of the MLP.
    public var mlp: MLP

    /// The key of each field in recipes and `config.json`.
    public enum CodingKeys: String, CodingKey, CaseIterable {
        case embedding = "embedding_multiplier"
        case lmHead = "lm_head_multiplier"
        case attentionIn = "attention_in_multiplier"
        case attentionOut = "attention_out_multiplier"
        case key = "key_multiplier"
        case ssmIn = "ssm_in_multiplier"
        case ssmOut = "ssm_out_multiplier"
        case ssm = "ssm_multipliers"
        case mlp = "mlp_multipliers"
    }

    /// Keys of the attention mixer.
    static let attentionKeys: [CodingKeys] = [.attentionIn, .attentionOut, .key]
    /// Keys of the state-space mixer.
    static let ssmKeys: [CodingKeys] = [.ssmIn, .ssmOut, .ssm]

    /// All 1.
    public static let unit = FalconH1Multipliers(all: 1)

    private init(all value: Double) {
        (embedding, lmHead, key) = (value, value, value)
        (attentionIn, attentionOut, ssmIn, ssmOut) = (value, value, value, value)
        (ssm, mlp) = (SSM(all: value), MLP(all: value))
    }

    /// Problems with numbers that float32, which kernels use, cannot hold; empty if there are none.
    public func problems() -> [RecipeProblem] {
        let numbers: [(CodingKeys, Double)] =
            [
                (.embedding, embedding), (.lmHead, lmHead), (.attentionIn, attentionIn),
                (.attentionOut, attentionOut), (.key, key), (.ssmIn, ssmIn), (.ssmOut, ssmOut),
            ] + ssm.list.map { (.ssm, $0) } + mlp.list.map { (.mlp, $0) }
        let found = numbers.compactMap { float32Problem($0.0, $0.1) }
        let product = float32Problem(
            CodingKeys.key, attentionIn * key, as: "attention_in_multiplier times key_multiplier")
        return found.isEmpty ? [product].compactMap { $0 } : found
    }
}

/// A list of `count` numbers; ones if the decoder has no value and so no length.
private func numbers(from decoder: any Decoder, count: Int, _ names: String) throws -> [Double] {
    let list = try [Double](from: decoder)
    if list.count == count { return list }
    guard try decoder.unkeyedContainer().count != nil else {
        return Array(repeating: 1, count: count)
    }
    throw RecipeProblem("got \(list.count) numbers, want \(count): \(names)")
}
