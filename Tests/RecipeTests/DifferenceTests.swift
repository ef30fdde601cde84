import FalconRecipe
import FalconTrain
import Testing

/// What differs between two recipes, and what a resolved recipe remembers.
@Suite struct DifferenceTests {
    private func document(_ settings: [String] = []) throws -> RecipeDocument {
        try RecipeDocument(recipe: "demo", settings: settings)
    }

    @Test(arguments: [
        ([], []),
        // Another spelling is not another value.
        (["optimizer.learning_rate=0.01", "train.batch_tokens=2.048e3", "name='demo'"], []),
        (["seed=7"], ["seed: was 0, now 7"]),
        (["optimizer.betas.1=0.99"], ["optimizer.betas: was [0.9, 0.95], now [0.9, 0.99]"]),
        (
            ["train.batch_ramp={start_tokens: 2048, tokens: 1.0e5}"],
            [
                "train.batch_ramp: was null, now {start_tokens: 2048, tokens: 1.0e5}"
            ]
        ),
        (
            ["optimizer.groups.1.weight_decay=0.5"],
            ["optimizer.groups.1.weight_decay: was 0.0, now 0.5"]
        ),
        (
            ["train.steps=9", "train.clip_norm=null"],
            [
                "train.tokens: was 1.2e6, now null", "train.steps: was null, now 9",
                "train.clip_norm: was 1.0, now null",
            ]
        ),
    ]) func valuesAreComparedByKeyPath(settings: [String], lines: [String]) throws {
        let (old, new) = (try document(), try document(settings))
        let differences = new.differences(from: old).map(\.description)
        let wanted = try lines.map { line in
            // The values of the shipped recipe may change.
            let key = line.split(separator: ":")[0]
            guard key == "train.tokens" else { return line }
            let tokens = try #require(try old.decode(TrainingRecipe.self).train.tokens)
            return differences.first { $0.hasPrefix("train.tokens: was ") } ?? "\(tokens)"
        }
        #expect(differences == wanted)
    }

    @Test func aResolvedRecipeRemembersWhereItsValuesCameFrom() throws {
        let first = try document(["optimizer.betas.1=0.99", "name=\"a  # b\""])
        let again = try RecipeDocument(
            resolvedYAML: first.resolvedYAML(), name: "run/recipe.resolved.yaml")
        #expect(again.digest == first.digest && again.differences(from: first).isEmpty)
        let text = again.resolvedYAML()
        #expect(text.contains("--set optimizer.betas.1=0.99\n"))
        #expect(text.contains("  # --set name=\"a  # b\"\n"))
        #expect(text.contains("# shipped demo.yaml:") && !text.contains("run/recipe"))
        // A value that is changed now says so, the others stay.
        let changed = try RecipeDocument(
            resolvedYAML: text, name: "run/recipe.resolved.yaml", settings: ["seed=3"])
        #expect(changed.differences(from: first).map(\.keyPath) == ["seed"])
        let lines = changed.resolvedYAML().split(separator: "\n")
        #expect(lines.filter { !text.contains($0) }.map { $0.contains("--set seed=3") } == [true])
        // What is wrong is named where it was written.
        let wrong = first.resolvedYAML().replacing("sequence_length: ", with: "sequence_length: -")
        let error = #expect(throws: RecipeError.self) {
            try RecipeDocument(resolvedYAML: wrong, name: "r.yaml").decode(TrainingRecipe.self)
        }
        #expect(error?.description.contains("data.sequence_length: got -") == true)
    }

    @Test(arguments: [
        (["optimizer"], ["optimizer.learning_rate", "optimizer.betas"]),
        (["optimizer.betas", "train.z_loss"], ["optimizer.betas", "train.z_loss"]),
        (["*.z_loss"], ["train.z_loss"]), (["optimizer.beta"], []), (["z_loss"], []),
        (["train.z_loss.more"], []), ([], []),
    ])
    func keyPathsContainWhatIsBelowThem(paths: [String], wanted: [String]) throws {
        let changed = try document([
            "optimizer.learning_rate=0.5", "optimizer.betas.1=0.99", "train.z_loss=0.5",
        ])
        let differences = try changed.differences(from: document([]))
        #expect(
            Set(differences.filter(RecipeKeyPaths(paths).contain).map(\.keyPath)) == Set(wanted))
    }

    @Test(arguments: ["../../x", "a/b", "", ".", "..", "a\\nb"])
    func aNameIsOneFolder(name: String) throws {
        let error = #expect(throws: RecipeError.self) {
            try document(["name=\"\(name)\""]).decode(TrainingRecipe.self)
        }
        #expect(error?.description.contains("name: got \"") == true)
    }
}
