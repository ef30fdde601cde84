import FalconModel
import FalconRecipe
import FalconRecipes
import FalconTensor
import FalconTrain
import Testing

/// Names and places of parameters are each other's inverse.
@Suite struct ParameterNameTests {
    private func check(_ model: any LanguageModel) throws {
        let names = model.configuration.architecture.parameterNames
        var labels: [String: ParameterPlace] = [:]
        var places: Set<ParameterPlace> = []
        for parameter in model.table.modelParameters {
            let place = try #require(parameter.place, "\(parameter.name)")
            #expect(places.insert(place).inserted, "\(parameter.name)")
            #expect(names.name(of: place) == parameter.name)
            #expect(names.place(of: parameter.name) == place)
            let name = try #require(ParameterName(parameter.name))
            #expect(name.place == place)
            if let block = place.block {
                #expect((0..<model.configuration.numHiddenLayers).contains(block))
            }
            // Blocks share labels, and nothing else does.
            #expect(labels[name.label] ?? place.inBlock(0) == place.inBlock(0))
            labels[name.label] = place.inBlock(0)
        }
        for matrix in model.table.multipliedMatrices {
            #expect(matrix.multipliers.allSatisfy { ParameterName($0.name) == nil })
        }
    }

    @Test(arguments: ShippedRecipes.names.filter { !$0.hasPrefix("defaults") })
    func namesSayTheirPlaces(recipe name: String) throws {
        let recipe = try RecipeDocument(recipe: name).decode(TrainingRecipe.self)
        try check(recipe.model.makeModel())
    }

    @Test(arguments: ["demo", "mamba-tiny", "mamba2-tiny"], [true, false])
    func namesOfVariantsSayTheirPlaces(recipe name: String, isTied: Bool) throws {
        let document = try RecipeDocument(recipe: name).applying([
            "model.tie_word_embeddings=\(isTied)"
        ])
        let model = try document.decode(TrainingRecipe.self).model
        for placement in MultiplierPlacement.allCases {
            try check(model.makeModel(multipliers: placement))
        }
        guard var sizes = model.falconH1 else { return }
        sizes.mambaRmsNorm = true
        try check(ModelConfiguration(sizes).makeModel())
        for mixers in [Mixers.attention, .ssm] {
            sizes.mixers = mixers
            try check(ModelConfiguration(sizes).makeModel())
        }
    }

    @Test(arguments: [
        "", "model", "weight", "model.layers.0", "model.layers.0.", "lm_head.weight.multiplier",
        "model.layers.01.mamba.D", "model.layers.-1.mamba.D", "model.layers..mamba.D",
        "model.mamba.D", "model.layers.0.lm_head.weight", "model.lm_head.weight",
        "backbone.layers.0.mamba.D", "model.layers.0.mixer.D", "layers.0.mamba.D",
        "model.layers.0.mamba.D ", "model.layers.0.self_attn.q_proj.weight.row_multiplier",
        "model.layers.0.model.layers.0.mamba.D", "model.layers.99999999999999999999.mamba.D",
    ])
    func otherNamesSayNothing(name: String) { #expect(ParameterName(name) == nil) }

    @Test func namesOfActivationsSayTheirPlaces() {
        for kind in ActivationPlace.Kind.allCases {
            let place = ActivationPlace(kind, block: kind.isInBlocks ? 12 : nil)
            #expect(ActivationPlace(name: place.name) == place)
        }
        for (name, place) in [
            ("embedding", ActivationPlace(.embedding)), ("logits", ActivationPlace(.logits)),
            ("layers.3", ActivationPlace(.residual, block: 3)),
            ("layers.0.feed_forward", ActivationPlace(.feedForward, block: 0)),
        ] {
            #expect(ActivationPlace(name: name) == place && place.name == name)
        }
        for name in [
            "", "layers", "layers.", "layers.x", "layers.0.residual", "layers.00.ssm", "q.0",
            "residual", "layers.1.logits",
        ] {
            #expect(ActivationPlace(name: name) == nil, "\(name)")
        }
    }
}
