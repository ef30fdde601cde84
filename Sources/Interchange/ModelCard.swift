import FalconCheckpoint
import FalconModel
import FalconSystem
import FalconTensor

/// The `README.md` of an exported folder: what the model is, what it was trained on, how well it does.
///
/// Nothing in it depends on the time or the machine of the export.
struct ModelCard {
    /// The file's name in a folder.
    static let fileName = "README.md"

    private let model: ModelFiles
    private let family: HuggingFaceFamily
    private let weightType: ElementType

    init(_ model: ModelFiles, family: HuggingFaceFamily, weightType: ElementType) {
        self.model = model
        self.family = family
        self.weightType = weightType
    }

    /// The text of the file, with the header that the Hugging Face hub reads.
    func text() -> String {
        let sizes = model.configuration
        let count = sizes.makeModel().table.parameterCount
        var lines = [
            "---", "library_name: transformers", "pipeline_tag: text-generation", "tags:",
            "- \(family.rawValue)", "---", "", "# \(model.name)", "",
            "A language model of the class `\(family.className)`, trained and exported by falcon.",
            "",
            "| | |", "|---|---|", "| parameters | \(count) |",
            "| width, blocks | \(sizes.hiddenSize), \(sizes.numHiddenLayers) |",
            "| vocabulary | \(sizes.vocabSize) |",
            "| type of the weights | \(weightType.rawValue) |",
        ]
        if let manifest = model.manifest {
            lines.append("| optimizer steps | \(manifest.step) |")
            lines.append("| training tokens | \(manifest.tokens) |")
            for (name, digest) in [
                ("recipe, SHA-256", manifest.recipeDigest), ("data, SHA-256", manifest.dataDigest),
            ] where !digest.isEmpty {
                lines.append("| \(name) | `\(digest)` |")
            }
        }
        for (name, value) in metrics() { lines.append("| \(name) | \(value) |") }
        lines += [
            "", "```python", "from transformers import AutoModelForCausalLM, AutoTokenizer", "",
            "model = AutoModelForCausalLM.from_pretrained(\"PATH\")",
            "tokenizer = AutoTokenizer.from_pretrained(\"PATH\")", "```",
        ]
        if let recipe = model.resolvedRecipe {
            let text = recipe.withoutAbsolutePaths.trimmingTrailingNewlines
            lines += ["", "## Recipe", "", "```yaml", text, "```"]
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// How much of the validation split the scores of a run are of; "" if the recipe does not say.
    private var scoredPart: String {
        let lines = (model.resolvedRecipe ?? "").split(separator: "\n")
        guard let start = lines.firstIndex(where: { $0.hasPrefix("evaluation:") }),
            let line = lines[start...].first(where: { $0.hasPrefix("  tokens:") })
        else { return "" }
        let value = line.dropFirst("  tokens:".count).prefix { $0 != "#" }
            .filter { $0 != " " }
        if value == "null" { return ", on the whole validation split" }
        guard let count = Double(value) else { return "" }
        return ", on at most \(wholeNumber(count)) tokens of the validation split"
    }

    /// Numbers of the run's metrics at the checkpoint's step: the last validation up to it.
    private func metrics() -> [(name: String, value: String)] {
        guard case .checkpoint(let step) = model.origin else { return [] }
        let parts = model.path.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count > 2 else { return [] }
        let path = parts.dropLast(2).joined(separator: "/") + "/metrics.jsonl"
        guard fileKind(of: path) == .file, let bytes = try? InputFile.contents(of: path) else {
            return []
        }
        let lines = bytes.split(separator: UInt8(ascii: "\n")).compactMap {
            try? JSONValue(parsing: Array($0)).object
        }
        let scored = lines.last {
            $0["validation_loss"]?.number != nil && ($0["step"]?.integer ?? .max) <= step
        }
        guard let scored else { return [] }
        let names = [
            ("validation_loss", "validation loss, nats a token"),
            ("validation_bits_per_byte", "validation, bits a byte"),
        ]
        return names.compactMap { key, name in
            scored[key]?.number.map { number in
                let rounded = (number * 10_000).rounded() / 10_000
                return (name, "\(rounded) (step \(scored["step"]?.integer ?? 0)\(scoredPart))")
            }
        }
    }
}

extension String {
    /// The text with the last part of every absolute path in its place: where files lay is nobody's
    /// business.
    var withoutAbsolutePaths: String {
        var result = ""
        var rest = self[...]
        while let place = rest.firstIndex(of: "/") {
            let before = rest[..<place].last ?? result.last ?? " "
            result += rest[..<place]
            rest = rest[place...]
            let isStart = " \t\n\"'([{,=~".contains(before)
            let quote: Character? = before == "\"" || before == "'" ? before : nil
            let end = rest.firstIndex { character in
                quote.map { character == $0 } ?? " \t\n\"',)]}#:".contains(character)
            }
            let path = rest[..<(end ?? rest.endIndex)]
            result += isStart ? path.split(separator: "/").last ?? "" : path
            rest = rest[path.endIndex...]
        }
        return result + rest
    }

    fileprivate var trimmingTrailingNewlines: String {
        var text = self[...]
        while text.last?.isNewline == true { text.removeLast() }
        return String(text)
    }
}
