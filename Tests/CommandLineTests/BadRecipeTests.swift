import FalconTestSupport
import Foundation
import Testing

/// Recipes that cannot be: exit status 78, with the place and what was wanted.
@Suite struct BadRecipeTests {
    let place: Workplace

    init() throws { place = try Workplace() }

    @Test func anUnknownKeyIsNamedWithItsPlaceAndTheLikeliestName() throws {
        try place.write(
            "bad.yaml",
            Workplace.recipe.replacingOccurrences(of: "hidden_size: 16", with: "hiden_size: 16"))
        for command in ["pretrain --recipe bad.yaml", "plan --recipe bad.yaml"] {
            try place.failure(
                command, status: 78,
                says: "bad.yaml:9:3: model.hiden_size: unknown key; did you mean hidden_size?",
                "model.hidden_size: missing")
        }
    }

    @Test(arguments: [
        ("hidden_size: 16", "hidden_size: wide", "bad.yaml:9:16", "got text \"wide\""),
        ("hidden_size: 16", "hidden_size: 0", "bad.yaml:9:16", "got 0, want at least 1"),
        ("head_dim: 10", "head_dim: 7", "bad.yaml:14:13", "even number"),
        ("mamba_d_ssm: 24", "mamba_d_ssm: 25", "bad.yaml:15:16", "want mamba_n_heads"),
        ("steps: 8,", "steps: 8, tokens: 99,", "bad.yaml:4", "both tokens and steps"),
        ("batch_tokens: 96", "batch_tokens: 97", "bad.yaml:4", "want a multiple"),
        ("sequence_length: 24", "sequence_length: 96", "bad.yaml:2", "max_position_embeddings"),
        ("name: tiny", "name: [tiny", "bad.yaml:", "expected"),
    ]) func impossibleValuesAreNamedWithTheirPlace(
        _ old: String, _ new: String, _ location: String, _ reason: String
    ) throws {
        try place.write("bad.yaml", Workplace.recipe.replacingOccurrences(of: old, with: new))
        try place.failure(
            "pretrain --recipe bad.yaml", status: 78, says: "falcon: \(location)", reason)
    }

    @Test(arguments: [
        ("model.hiden_size=4", "no such key", "did you mean model.hidden_size?"),
        ("optimizer.lr=1", "no such key", "did you mean optimizer.learning_rate?"),
        ("lr=1", "no such key", "did you mean optimizer.learning_rate?"),
        ("learning_rate=1", "no such key", "did you mean optimizer.learning_rate?"),
        ("parametrization.lr=1", "no such key", "did you mean parametrization.learning_rate?"),
        ("train.batch_size=8", "train.batch_tokens", "tokens of a step, not sequences"),
        ("epochs=2", "no such key", "did you mean train.tokens"),
        ("warmup_steps=9", "schedule.warmup_tokens", "tokens, not steps"),
        ("optimizer.weird=1", "no such key", "optimizer has kind, learning_rate"),
        ("optimizer.betas.2=1", "no such key", "a list of 2, counted from 0"),
        ("model.hidden_size=wide", "model.hidden_size", "wanted a whole number"),
        ("model.hidden_size=9223372036854775807", "model.hidden_size", "want at most"),
        ("model.num_hidden_layers=9223372036854775807", "num_hidden_layers", "want at most"),
        ("model.hidden_size=4000000", "MiB", "a smaller model"),
        ("model.mamba_d_state=2147483647", "model.mamba_d_state", "want at most 4194304"),
        ("train.steps=9000000000000000000", "train.steps", "want at most"),
        ("train.batch_tokens=9223372036854775807", "train.batch_tokens", "want at most"),
        ("train.micro_batch_sequences=9223372036854775807", "micro_batch", "want at most"),
        ("data.sequence_length=9223372036854775807", "sequence_length", "want 1 to"),
        ("checkpoint.every_steps=0", "checkpoint.every_steps", "want at least 1"),
        ("optimizer.learning_rate=.nan", "optimizer.learning_rate", "finite"),
        ("optimizer.betas=[0.9, 1.5]", "optimizer.betas", "below 1"),
        ("model.mixers=fast", "model.mixers", "parallel, attention, ssm"),
        ("optimizer.kind=sgd", "optimizer.kind", "adamw"),
        ("seed=-1", "seed", "0 or more"),
        ("schedule.stable=power", "schedule.power_start_tokens", "got null, want the tokens"),
        ("schedule.power_start_tokens=500", "schedule.power_start_tokens", "want null"),
        ("schedule.stable=root", "schedule.stable", "constant, power, effective_power"),
        ("schedule.decay=fast", "schedule.decay", "exponential, linear, cosine, sqrt"),
        ("schedule.kind=wsd", "schedule.kind", "no such key"),
        ("train.batch_ramp={start_tokens: 50, tokens: 9}", "batch_ramp", "want a multiple of"),
        ("steps", "steps", "wanted key.path=value"),
    ]) func settingsAreCheckedLikeTheRecipe(
        _ setting: String, _ key: String, _ reason: String
    ) throws {
        try place.failure(
            ["pretrain", "--recipe", "tiny.yaml", "--run", "r", "--set", setting], status: 78,
            says: ["falcon: ", key, reason])
        #expect(!place.exists("r"))
    }

    @Test func moreParametersThanCanBeCountedAreRefused() throws {
        try place.failure(
            "plan --recipe tiny.yaml --set model.hidden_size=4000000 "
                + "--set model.intermediate_size=4000000 --set model.num_hidden_layers=1000",
            status: 78,
            says: "model.hidden_size: the sizes make about", "parameters")
    }

    @Test func aRunThatCannotFitIsRefusedBeforeAnythingIsTaken() throws {
        let settings =
            "--recipe tiny.yaml --set model.hidden_size=100000 --set model.intermediate_size=100000 "
            + "--set model.num_hidden_layers=50"
        try place.failure(
            "pretrain --run r " + settings, status: 78, says: "the run needs", "of memory",
            "are available", "--set train.recompute=block: ", "none is enough")
        #expect(!place.exists("r"))
        let plan = try place.falcon("plan --json " + settings)
        #expect(plan.status == 1 && plan.errors.contains("too little memory"))
        #expect(plan.output.contains("\"memory_total_bytes\":"))
    }

    @Test func anUnknownRecipeNameListsTheShippedOnes() throws {
        try place.failure(
            "pretrain --recipe h1-0.5", status: 78, says: "h1-0.5: there is no such file",
            "did you mean h1-0.5b?", "h1-34b")
    }

    @Test func aVocabularySmallerThanTheTokenizersIsRefused() throws {
        try place.failure(
            "pretrain --recipe tiny.yaml --run r --set model.vocab_size=299", status: 78,
            says: "model.vocab_size is 299", "at least 300")
        #expect(!place.exists("r"))
    }

    @Test func anotherRecipeIsNotResumed() throws {
        try place.failure(
            "pretrain --recipe tiny.yaml --run run --resume --set optimizer.learning_rate=0.5",
            status: 78, says: "optimizer.learning_rate: was 1.0e-3, now 0.5")
    }
}
