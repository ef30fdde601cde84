import FalconCheckpoint
import FalconModel
import FalconRunRecord
import FalconSystem
import FalconTensor

/// The `README.md` of an exported folder: the model, its training data and its scores.
///
/// Nothing in it depends on the time or the machine of the export.
struct ModelCard {
    /// The file's name in a folder.
    static let fileName = "README.md"

    private let model: ModelFiles
    private let modelClass: any HuggingFaceClass.Type
    private let weightType: ElementType

    init(_ model: ModelFiles, modelClass: any HuggingFaceClass.Type, weightType: ElementType) {
        self.model = model
        self.modelClass = modelClass
        self.weightType = weightType
    }

    /// The text of the file, with the header that the Hugging Face hub reads.
    func text() -> String {
        let sizes = model.configuration
        let count = sizes.makeModel().table.parameterCount
        var lines = [
            "---", "library_name: transformers", "pipeline_tag: text-generation", "tags:",
            "- \(modelClass.modelType)", "---", "", "# \(model.name)", "",
            "A language model of the class `\(modelClass.name)`, trained and exported by falcon.",
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

    /// The part of the validation split that a run scores; "" if the recipe does not say.
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
        guard case .checkpoint(let step) = model.origin,
            let steps = try? RunFolder(ofCheckpoint: model.path)?.metrics().steps,
            let scored = steps.last(where: { $0.validationLoss != nil && $0.step <= step })
        else { return [] }
        let scores = [
            ("validation loss, nats per token", scored.validationLoss),
            ("validation, bits per byte", scored.validationBitsPerByte),
        ]
        return scores.compactMap { name, score in
            score.map { score in
                let rounded = (score * 10_000).rounded() / 10_000
                return (name, "\(rounded) (step \(scored.step)\(scoredPart))")
            }
        }
    }
}

extension String {
    /// The text with only the last part of every absolute path, which hides where files were.
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
