import FalconRecipe
import FalconTrain
import Testing

/// Values of a recipe that have no effect.
@Suite struct RunPlanTests {
    private func notes(_ settings: [String]) throws -> [String] {
        let document = try RecipeDocument(recipe: "h1-tiny-90m", settings: settings)
        return RunPlan(try document.decode(TrainingRecipe.self), document: document).notes
    }

    @Test func keysOfAMixerThatIsLeftOutAreNamedIfTheyWereWritten() throws {
        #expect(try notes([]).isEmpty)
        let attention = try #require(try notes(["model.mixers=attention"]).last)
        #expect(attention.contains("mamba_d_state") && !attention.contains("num_attention_heads"))
        // Nobody wrote the number of taps.
        #expect(!attention.contains("mamba_d_conv"))
        let ssm = try #require(
            try notes(["model.mixers=ssm", "model.key_multiplier=2.0"]).last)
        #expect(ssm.contains("num_attention_heads") && ssm.contains("key_multiplier"))
        #expect(!ssm.contains("mamba_d_state"))
    }
}
