import FalconRecipe
import FalconRecipeSection
import FalconSystem
import FalconTestSupport
import Testing

/// The lines of the error that reading `yaml` ends with; empty if it can be read.
private func complaints(
    _ yaml: String, settings: [String] = [], library: RecipeLibrary = sampleLibrary
) throws -> [String] {
    do {
        _ = try RecipeDocument(yaml: yaml, name: "mine.yaml", settings: settings, library: library)
            .decode(SampleRecipe.self)
        return []
    } catch let error as RecipeError {
        #expect(error.exitStatus == .badRecipe)
        return error.description.split(separator: "\n").map(String.init)
    }
}

@Suite struct StrictDecoding {
    @Test func unknownKeyIsReportedWithPlaceAndSuggestion() throws {
        let yaml = "extends: demo\nmodel:\n  hiden_size: 64\n"
        #expect(
            try complaints(yaml) == [
                "mine.yaml:3:3: model.hiden_size: unknown key; did you mean hidden_size?"
            ])
    }

    @Test func keyOfAnotherSectionIsSuggestedThere() throws {
        #expect(
            try complaints("extends: demo\ntrain: {learning_rate: 1.0e-3}\n") == [
                "mine.yaml:2:9: train.learning_rate: unknown key; "
                    + "did you mean optimizer.learning_rate?"
            ])
    }

    @Test func keyUnlikeAnyOtherListsTheKnownOnes() throws {
        let lines = try complaints("extends: demo\nzebra: 1\n")
        #expect(lines.count == 1)
        #expect(lines[0].hasPrefix("mine.yaml:2:1: zebra: unknown key; known keys: name, seed, "))
    }

    @Test func wrongTypeIsReportedWithPlace() throws {
        let yaml = """
            extends: demo
            model:
              hidden_size: abc
              tie_word_embeddings: 1
              rope_theta: [1.0]
              multipliers: [1.0, high]
            data: {path: 5, sequence_length: "512"}
            optimizer: fast
            """
        #expect(
            try complaints(yaml) == [
                "mine.yaml:3:16: model.hidden_size: got text \"abc\", wanted a whole number",
                "mine.yaml:4:24: model.tie_word_embeddings: got 1, wanted true or false",
                "mine.yaml:5:15: model.rope_theta: got a list, wanted a finite number",
                "mine.yaml:6:22: model.multipliers.1: got text \"high\", wanted a finite number",
                "mine.yaml:7:14: data.path: got 5, wanted text; put it in quotes",
                "mine.yaml:7:34: data.sequence_length: got text \"512\", wanted a whole number; "
                    + "remove the quotes",
                "mine.yaml:8:12: optimizer: got text \"fast\", wanted a map of keys",
            ])
    }

    @Test func impossibleChoiceListsTheAllowedOnes() throws {
        #expect(
            try complaints("extends: demo\nmodel:\n  mixers: atention\n") == [
                "mine.yaml:3:11: model.mixers: got text \"atention\", "
                    + "wanted one of parallel, attention, ssm; did you mean attention?"
            ])
    }

    @Test func missingKeysAreReportedAtTheSectionThatLacksThem() throws {
        let lines = try complaints("name: x\nmodel: {head_dim: 5}\n")
        #expect(
            lines.contains(
                "mine.yaml:2:8: model.hidden_size: missing: give it a value, a whole number"))
        #expect(
            lines.contains(
                "mine.yaml:1:1: train.batch_tokens: missing: give it a value, a whole number"))
        #expect(!lines.contains { $0.contains("head_dim") || $0.contains("rope_theta") })
    }

    @Test func missingKeyOfAListElementIsReported() throws {
        let yaml = "extends: demo\noptimizer:\n  groups:\n    - roles: [vector]\n"
        #expect(
            try complaints(yaml) == [
                "mine.yaml:4:7: optimizer.groups.0.learning_rate_scale: missing: add the key"
            ])
    }

    @Test func sectionsCheckTheirRanges() throws {
        let yaml = "extends: demo\nmodel:\n  hidden_size: 0\n  num_heads: 5\n"
        #expect(
            try complaints(yaml) == [
                "mine.yaml:3:3: model: num_heads times head_dim is not hidden_size",
                "mine.yaml:3:16: model.hidden_size: got 0, wanted 1 or more",
            ])
    }

    @Test func allProblemsAreReportedAtOnce() throws {
        let yaml = "extends: demo\nseed: x\ndata: {pth: a}\nmodel: {mixers: both, head_dim: 0.5}\n"
        #expect(try complaints(yaml).count == 4)
    }

    @Test(arguments: [
        ("1.0e8", 100_000_000), ("1e3", 1000), ("1_000_000", 1_000_000), ("2.5e1", 25), ("+7", 7),
        ("9007199254740993", 9_007_199_254_740_993), ("-0.0", 0),
    ])
    func wholeNumbersMayBeWrittenAsDecimals(text: String, value: Int) throws {
        let document = try RecipeDocument(
            yaml: "extends: demo\ntrain: {tokens: \(text)}\n", name: "mine.yaml",
            library: sampleLibrary)
        #expect(try document.decode(SampleRecipe.Train.self, at: "train").tokens == value)
    }

    @Test(arguments: [
        "1.5", "1e-3", "1.0e16", "99999999999999999999", "0x10", "007", "1e400", "1.0.0", "1e",
        "_1",
        "2020-01-01", "yes",
    ])
    func otherNumbersAreNotWhole(text: String) throws {
        let lines = try complaints("extends: demo\ntrain: {tokens: \(text)}\n")
        #expect(lines.count == 1)
        #expect(lines[0].hasPrefix("mine.yaml:2:17: train.tokens: got "))
        #expect(lines[0].contains("wanted a whole number"))
    }

    @Test(arguments: [".nan", ".inf", "-.inf", "nan", "inf", "Infinity", "1e999"])
    func numbersMustBeFinite(text: String) throws {
        #expect(
            try complaints("extends: demo\noptimizer: {learning_rate: \(text)}\n") == [
                "mine.yaml:2:28: optimizer.learning_rate: got \(text), wanted a finite number"
            ])
    }

    @Test func smallIntegersNameTheirRange() throws {
        struct Small: Decodable { var level: UInt8 }
        let document = try RecipeDocument(
            yaml: "level: 256", name: "a.yaml", library: RecipeLibrary([:]))
        let error = #expect(throws: RecipeError.self) { try document.decode(Small.self) }
        #expect(
            error?.description == "a.yaml:1:8: level: got 256, wanted a whole number from 0 to 255")
    }

    @Test func problemsThrownByInitializersGetAPlace() throws {
        struct Picky: Decodable {
            init(from decoder: any Decoder) throws { throw RecipeProblem("never right") }
        }
        let document = try RecipeDocument(
            yaml: "a:\n  b: [1]\n", name: "a.yaml", library: RecipeLibrary([:]))
        let error = #expect(throws: RecipeError.self) { try document.decode(Picky.self, at: "a.b") }
        #expect(error?.description == "a.yaml:2:6: a.b: never right")
    }

    @Test(arguments: [
        ("a: [1", "a.yaml:2:1"), ("a: 1\na: 2\n", "a.yaml:1:1: a: the key is written twice"),
        ("- 1\n", "a.yaml:1:1: got a list, wanted a map of keys"), ("a: !!str 5\n", "a.yaml:1:4"),
        ("a: *b\n", "a.yaml:1:4"), ("[a]: 1\n", "a.yaml:1:1"), ("a: 1\n---\nb: 1\n", "a.yaml:2:1"),
    ])
    func brokenTextIsReportedWithPlace(yaml: String, start: String) {
        let error = #expect(throws: RecipeError.self) {
            try RecipeDocument(yaml: yaml, name: "a.yaml")
        }
        #expect(error?.description.hasPrefix(start) == true, "\(String(describing: error))")
    }
}

@Suite struct Settings {
    @Test func settingReplacesAValue() throws {
        let recipe = try RecipeDocument(
            recipe: "demo",
            settings: [
                "seed=7", "data.path=a/b c", "optimizer.betas.1=0.99", "train.clip_norm=null",
            ],
            library: sampleLibrary
        ).decode(SampleRecipe.self)
        #expect(recipe.seed == 7)
        #expect(recipe.data.path == "a/b c")
        #expect(recipe.optimizer.betas == [0.9, 0.99])
        #expect(recipe.train.clipNorm == nil)
    }

    @Test func stepsAndTokensTurnEachOtherOff() throws {
        func train(_ settings: [String]) throws -> SampleRecipe.Train {
            try RecipeDocument(recipe: "demo", settings: settings, library: sampleLibrary).decode(
                SampleRecipe.self
            ).train
        }
        #expect(try train(["train.steps=3"]).tokens == nil)
        #expect(try train(["train.steps=3", "train.tokens=9"]).steps == nil)
        #expect(try train(["train={steps: 4}"]).steps == 4)
        #expect(
            try complaints("extends: demo\ntrain: {steps: 1, tokens: 2}\n") == [
                "mine.yaml:2:8: train: wanted exactly one of tokens and steps"
            ])
    }

    @Test(arguments: [
        ("train.stepz=1", "did you mean train.steps?"),
        ("learning_rate=1", "did you mean optimizer.learning_rate?"),
        ("optimizer.learningrate=1", "did you mean optimizer.learning_rate?"),
        ("optimzer.learning_rate=1", "did you mean optimizer.learning_rate?"),
        ("model.hidden_size.x=1", "no such key"), ("optimizer.betas.2=1", "no such key"),
        ("train.steps", "wanted key.path=value"), ("=3", "wanted key.path=value"),
        ("seed=[1", "not YAML"),
    ])
    func badSettingIsReported(setting: String, message: String) throws {
        let lines = try complaints("extends: demo\n", settings: [setting])
        #expect(lines.count == 1)
        #expect(lines[0].hasPrefix("--set \(setting): "))
        #expect(lines[0].contains(message), "\(lines[0])")
    }

    @Test func wrongValueOfASettingIsReportedAtTheSetting() throws {
        #expect(
            try complaints("extends: demo\n", settings: ["train.clip_norm=big", "seed="]) == [
                "--set seed=: seed: missing: give it a value, a whole number, 0 or more",
                "--set train.clip_norm=big: train.clip_norm: got text \"big\", wanted a finite number",
            ])
    }
}

@Suite struct Inheritance {
    @Test func chainOfFilesIsMergedFromTheBottomUp() throws {
        let folder = try TemporaryFolder()
        _ = try folder.write(
            "base.yaml", "extends: demo\nseed: 1\ndata: {path: low, sequence_length: 64}\n")
        let top = try folder.write(
            "top.yaml", "extends: base.yaml\nname: top\ndata: {path: high}\n")
        let recipe = try RecipeDocument(recipe: top, library: sampleLibrary).decode(
            SampleRecipe.self)
        #expect(recipe.name == "top")
        #expect(recipe.seed == 1)
        #expect(recipe.data == .init(path: "high", sequenceLength: 64))
        #expect(recipe.model.hiddenSize == 256)
    }

    @Test func listsAreReplacedAsAWhole() throws {
        let yaml = """
            extends: demo
            optimizer:
              groups:
                - {roles: [embedding], names: "*embed*", learning_rate_scale: 0.5}
            """
        let groups = try RecipeDocument(yaml: yaml, name: "mine.yaml", library: sampleLibrary)
            .decode(SampleRecipe.self)
            .optimizer.groups
        #expect(
            groups == [
                .init(
                    roles: [.embedding], names: "*embed*", learningRateScale: 0.5, weightDecay: nil)
            ])
    }

    @Test func circleIsAnError() throws {
        let folder = try TemporaryFolder()
        let a = try folder.write("a.yaml", "extends: b.yaml\n")
        let b = try folder.write("b.yaml", "seed: 1\nextends: ./a.yaml\n")
        let error = #expect(throws: RecipeError.self) {
            try RecipeDocument(recipe: a, library: sampleLibrary)
        }
        #expect(
            error?.description
                == "\(b):2:10: extends: the recipes extend each other in a circle: "
                + "\(a) extends \(b) extends \(folder.path)/./a.yaml")
    }

    @Test func unknownParentIsAnErrorWithSuggestion() throws {
        let lines = try complaints("extends: h1-0.5\n")
        #expect(lines.count == 1)
        #expect(lines[0].hasPrefix("mine.yaml:1:10: extends: h1-0.5: there is no such file"))
        #expect(lines[0].contains("did you mean h1-0.5b?"))
    }

    @Test func unknownRecipeListsTheShippedOnes() throws {
        let error = #expect(throws: RecipeError.self) { try RecipeDocument(recipe: "h2-7b") }
        #expect(error?.description.contains("did you mean h1-7b?") == true)
        #expect(
            error?.description.contains("shipped recipes: demo, falcon-mamba-7b, h1-0.5b, ") == true
        )
    }

    @Test func fileComesBeforeShippedRecipeAndFolderDoesNot() throws {
        let folder = try TemporaryFolder()
        let file = try folder.write("demo", "extends: demo.yaml\nname: local\n")
        #expect(
            try RecipeDocument(recipe: file, library: sampleLibrary).decode(SampleRecipe.self).name
                == "local")
        #expect(throws: RecipeError.self) {
            try RecipeDocument(recipe: folder.path, library: sampleLibrary)
        }
    }
}

@Suite struct ResolvedText {
    @Test func everyValueNamesItsOrigin() throws {
        let text = try RecipeDocument(
            yaml: "extends: demo\nseed: 3\n", name: "mine.yaml", settings: ["train.clip_norm=0.5"],
            library: sampleLibrary
        ).resolvedYAML()
        let lines = text.split(separator: "\n")
        #expect(lines.contains { $0.hasPrefix("seed: 3 ") && $0.hasSuffix(" # mine.yaml:2:7") })
        #expect(
            lines.contains {
                $0.hasPrefix("  clip_norm: 0.5 ") && $0.hasSuffix(" # --set train.clip_norm=0.5")
            })
        #expect(
            lines.contains {
                $0.hasPrefix("  rope_theta: 1.0e11 ") && $0.contains(" # shipped defaults.yaml:")
            })
        #expect(
            lines.contains {
                $0.hasPrefix("    - roles: [vector, state_space] ")
            })
        #expect(!text.contains("extends:"))
    }

    @Test func readingItBackGivesTheSameRecipe() throws {
        let document = try RecipeDocument(
            recipe: "h1-0.5b",
            settings: ["data.path=\"a: b\\n#\\tc\"", "name=\"5\"", "train.steps=1e2"],
            library: sampleLibrary)
        let copy = try RecipeDocument(
            yaml: document.resolvedYAML(), name: "resolved.yaml", library: RecipeLibrary([:]))
        #expect(try copy.decode(SampleRecipe.self) == document.decode(SampleRecipe.self))
        #expect(copy.digest == document.digest)
    }

    @Test func digestIgnoresOrderCommentsOriginsAndSpelling() throws {
        let empty = RecipeLibrary([:])
        func digest(_ yaml: String, _ settings: [String] = []) throws -> String {
            try RecipeDocument(yaml: yaml, name: "a.yaml", settings: settings, library: empty)
                .digest
        }
        let plain = try digest("a: 100000000\nb: {c: text, d: [1, 2.50]}\n")
        #expect(
            try digest("# x\nb:\n  d:\n  - 1.0\n  - 25e-1\n  c: 'text'\na: 1.0e8 # y\n") == plain)
        #expect(try digest("a: 0\nb: {c: text, d: [1, 2.5]}\n", ["a=1e8"]) == plain)
        #expect(try digest("a: 100000001\nb: {c: text, d: [1, 2.5]}\n") != plain)
        #expect(try digest("a: \"100000000\"\nb: {c: text, d: [1, 2.5]}\n") != plain)
        #expect(try digest("a: 100000000\nb: {c: text, d: [2.5, 1]}\n") != plain)
        #expect(plain.count == 64)
    }
}
