import FalconData
import FalconModel
import FalconRecipe
import FalconRecipes
import FalconTrain
import Testing

#if canImport(Glibc)
    import Glibc
#endif

/// Exact parameter counts: published totals, or derived from the published shapes.
private let parameterCounts = [
    "h1-tiny-90m": 91_131_072,
    "h1-0.5b": 521_411_104,
    "h1-1.5b": 1_554_863_488,
    "h1-1.5b-deep": 1_554_872_208,
    "h1-3b": 3_149_387_264,
    "h1-7b": 7_585_654_880,
    "h1-34b": 33_642_516_224,
    "demo": 7_770_584,
    "mamba-tiny": 7_619_072, "mamba2-tiny": 7_529_192,
    "falcon-mamba-7b": 7_272_665_088,
]

private let names = ShippedRecipes.names.filter { !$0.hasPrefix("defaults") }

@Test(arguments: names)
func shippedRecipeIsComplete(name: String) throws {
    let recipe = try RecipeDocument(recipe: name).decode(TrainingRecipe.self)
    #expect(recipe.name + ".yaml" == name)
    #expect(RunPlan(recipe).steps > 100)
}

@Test(arguments: names)
func shippedRecipeOpensWithItsNumbers(name: String) throws {
    let recipe = try RecipeDocument(recipe: name).decode(TrainingRecipe.self)
    let plan = RunPlan(recipe)
    #expect(plan.parameterCount == parameterCounts[recipe.name])
    let text = try #require(ShippedRecipes.text(name))
    #expect(text.contains("# parameters            \(grouped(plan.parameterCount))\n"))
    #expect(
        text.contains(
            "# FLOPs per token       \(rounded(plan.flopsPerToken)) in training at length "
                + "\(recipe.data.sequenceLength); \(rounded(plan.totalFLOPs)) for the run\n"))
}

@Test(arguments: names)
func shippedRecipeWritesNoKeyThatTheDefaultsLack(name: String) throws {
    func keys(_ name: String) throws -> Set<String> {
        let yaml = try #require(ShippedRecipes.text(name))
        let paths = try RecipeDocument(yaml: yaml, name: name, library: RecipeLibrary([:])).keyPaths
        return Set(paths.filter { !$0.split(separator: ".").contains { Int($0) != nil } })
    }
    // Off by default; the decoder knows the keys below it.
    let written = try keys(name).filter { !$0.hasPrefix("train.batch_ramp.") }
    let recipe = try RecipeDocument(recipe: name).decode(TrainingRecipe.self)
    var known = try keys("defaults.yaml")
    let defaults = "defaults-\(recipe.model.architecture.rawValue).yaml"
    if ShippedRecipes.text(defaults) != nil {
        known = known.filter { !$0.hasPrefix("model.") }
        known.formUnion(try keys(defaults))
    }
    #expect(written.subtracting(known) == [])
}

@Test func everyRecipeFileIsEmbedded() throws {
    let folder = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    let files = try yamlFiles(in: "/\(folder)/recipes")
    #expect(files == ShippedRecipes.names)
}

@Test func multipliersOfTheHalfBillionModelAreThePublishedOnes() throws {
    // Doubles of the published Falcon-H1-0.5B configuration.
    let model = try #require(
        try RecipeDocument(recipe: "h1-0.5b").decode(TrainingRecipe.self).model.falconH1)
    #expect(model.multipliers.key == 0.39062499999999994)
    #expect(model.multipliers.ssmOut == 0.23570226039551587)
    #expect(
        model.multipliers.ssm.list
            == [0.3535533905932738, 0.25, 0.3535533905932738, 0.5, 0.3535533905932738])
    #expect(model.multipliers.mlp.list == [0.8838834764831844, 0.5859375])
}

/// The published multipliers of 0.5B and 34B (`config.json`) follow from the base of muP.
@Test(arguments: [
    (
        "h1-0.5b",
        [
            5.656854249492381, 0.0390625, 1, 0.9375, 0.39062499999999994, 1.25,
            0.23570226039551587, 0.3535533905932738, 0.25, 0.3535533905932738, 0.5,
            0.3535533905932738, 0.8838834764831844, 0.5859375,
        ]
    ),
    (
        "h1-34b",
        [
            5.656854249492381, 0.0078125, 1, 0.0375, 0.011048543456039804, 0.25,
            0.08838834764831845, 0.3535533905932738, 0.25, 0.1767766952966369, 0.5,
            0.3535533905932738, 0.1767766952966369, 0.011160714285714284,
        ]
    ),
])
func widthLawsGiveThePublishedMultipliers(name: String, published: [Double]) throws {
    let recipe = try RecipeDocument(recipe: name).decode(TrainingRecipe.self)
    let got = try #require(recipe.model.falconH1).withMultipliers(from: recipe.parametrization.base)
        .multipliers
    let values =
        [
            got.embedding, got.lmHead, got.attentionIn, got.attentionOut, got.key, got.ssmIn,
            got.ssmOut,
        ] + got.ssm.list + got.mlp.list
    #expect(values.count == published.count)
    for (value, want) in zip(values, published) { #expect(abs(value / want - 1) < 1e-8) }
}

/// muP writes the multipliers itself.
@Test(arguments: ["mup", "learnable"]) func muPWantsNoOtherMultipliers(kind: String) throws {
    let settings = ["parametrization.kind=\(kind)", "parametrization.start=mup"]
    let error = #expect(throws: RecipeError.self) {
        try RecipeDocument(
            recipe: "h1-0.5b", settings: settings
        ).decode(TrainingRecipe.self)
    }
    #expect(error?.description.contains("multipliers of its own") == true)
}

private func grouped(_ number: Int) -> String {
    var digits = String(number)
    var groups: [String] = []
    while digits.count > 3 {
        groups.insert(String(digits.suffix(3)), at: 0)
        digits.removeLast(3)
    }
    return ([digits] + groups).joined(separator: ",")
}

/// Three digits and an exponent: 1.05e20.
private func rounded(_ number: Double) -> String {
    var exponent = Int(log10(number))
    var digits = Int((number / pow(10, Double(exponent - 2))).rounded())
    if digits == 1000 { (digits, exponent) = (100, exponent + 1) }
    let fraction = digits % 100
    return "\(digits / 100).\(fraction < 10 ? "0" : "")\(fraction)e\(exponent)"
}

private func yamlFiles(in folder: String) throws -> [String] {
    let directory = try #require(opendir(folder))
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
            pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if name.hasSuffix(".yaml") { names.append(name) }
    }
    return names.sorted()
}
