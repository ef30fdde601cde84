import FalconRecipeSection
import FalconSystem

#if canImport(Glibc)
    import Glibc
#endif

/// The course of the rates between the warm-up and the decay.
public enum StableStage: String, Codable, CaseIterable, Sendable {
    case constant
    /// Learning rate ~ t^(-1/2), weight decay constant.
    case power
    /// Learning rate and weight decay ~ t^(-1/4).
    ///
    /// sqrt(η·λ) falls as under `power`; sqrt(λ/η), which sets the weights' norm, stays constant.
    case effectivePower = "effective_power"
}

/// The curve of the final decay from 1 to F, over u from 0 to 1.
public enum DecayShape: String, Codable, CaseIterable, Sendable {
    /// F^u: the same factor for every token.
    case exponential
    /// F + (1 − F)·(1 − u).
    case linear
    /// F + (1 − F)·(1 + cos(π u))/2.
    case cosine
    /// F + (1 − F)·(1 − sqrt(u)).
    case sqrt

    /// The factor of the learning rate.
    ///
    /// - Parameters:
    ///   - u: the part of the decay that is done, 0 to 1.
    ///   - finalRatio: F, more than 0 and at most 1.
    /// - Returns: 1 for u = 0, F for u = 1.
    public func factor(at u: Double, finalRatio: Double) -> Double {
        switch self {
        case .exponential: pow(finalRatio, u)
        case .linear: finalRatio + (1 - finalRatio) * (1 - u)
        case .cosine: finalRatio + (1 - finalRatio) * (1 + cos(.pi * u)) / 2
        case .sqrt: finalRatio + (1 - finalRatio) * (1 - u.squareRoot())
        }
    }
}

/// The `schedule` part of a recipe: learning rate and weight decay as pure functions of tokens.
///
/// With T = tokens of the run, W = warmup_tokens, D = decay_tokens but at most T − W (and T − W if
/// it is null), t₀ = power_start_tokens, F = final_ratio, the factors of learning rate and weight
/// decay are
///
///     t < W:          t/W,  1
///     W ≤ t ≤ T − D:  s(t),  d(t)                           s(t)          d(t)
///     t > T − D:      s(T − D) · decay(u),  d(T − D)         constant         1             1
///                     u = min(1, (t − T + D)/D)             power            τ^(-1/2)      1
///                                                           effective_power  τ^(-1/4)      τ^(-1/4)
///     τ = max(t, t₀)/t₀
///
/// The decay of the learning rate starts at the last value of the stable stage and ends at F times
/// that value; the weight decay stays constant. A run too short for warm-up and decay warms up
/// first and has the whole curve of the decay in the rest of its tokens: the rate never jumps.
/// `notes` says so.
///
/// - SeeAlso: Hu et al., arXiv 2404.06395 (WSD); Hägele et al., arXiv 2405.18392 (1-sqrt);
///   Falcon-H1, arXiv 2507.22448, Eq. 15 (effective power scheduler).
public struct ScheduleSection: RecipeSection, Codable, Equatable {
    /// Tokens over which the learning rate rises linearly from 0; 0 for none.
    public var warmupTokens: Int
    /// The shape between warm-up and decay.
    public var stable: StableStage
    /// t₀ of the power laws; nil for a constant stage.
    public var powerStartTokens: Int?
    /// The curve of the decay.
    public var decay: DecayShape
    /// Tokens of the decay at the end of the run, 0 for none; nil for all after the warm-up.
    public var decayTokens: Int?
    /// The learning rate at the end of the decay divided by that at its beginning.
    public var finalRatio: Double

    /// The key of each field.
    public enum CodingKeys: String, CodingKey, CaseIterable {
        case warmupTokens = "warmup_tokens"
        case stable
        case powerStartTokens = "power_start_tokens"
        case decay
        case decayTokens = "decay_tokens"
        case finalRatio = "final_ratio"
    }

    /// The problems with the values; empty if there are none.
    public func problems() -> [RecipeProblem] {
        var found: [RecipeProblem] = []
        if warmupTokens < 0 {
            found.append(RecipeProblem(key: "warmup_tokens", "got \(warmupTokens), want 0 or more"))
        }
        if let problem = powerStartProblem {
            found.append(RecipeProblem(key: "power_start_tokens", problem))
        }
        if let decayTokens, decayTokens < 0 {
            found.append(RecipeProblem(key: "decay_tokens", "got \(decayTokens), want 0 or more"))
        }
        if !(finalRatio > 0 && finalRatio <= 1) {
            found.append(
                RecipeProblem(
                    key: "final_ratio", "got \(finalRatio), want more than 0 and at most 1"))
        }
        return found
    }

    private var powerStartProblem: String? {
        guard let start = powerStartTokens else {
            return stable == .constant
                ? nil
                : "got null, want the tokens from which stable: \(stable.rawValue) lowers the rates"
        }
        if stable == .constant {
            return "got \(start) with stable: constant, which does not use it; want null, or "
                + "stable: power or effective_power"
        }
        let least = max(1, warmupTokens)
        return start < least
            ? "got \(start), want at least \(least), the end of the warm-up" : nil
    }

    /// The token count from which a run decays, never before the end of the warm-up.
    ///
    /// - Parameter totalTokens: T, tokens of the whole run.
    /// - Returns: T − D.
    public func decayStart(totalTokens: Int) -> Int {
        let rest = max(0, totalTokens - warmupTokens)
        return totalTokens - min(decayTokens ?? rest, rest)
    }

    /// Notes on a run that is too short for its warm-up or its decay.
    ///
    /// - Parameter totalTokens: T, tokens of the whole run.
    /// - Returns: sentences by key, with values that fit; empty if everything fits.
    public func notes(totalTokens: Int) -> [String] {
        let rest = totalTokens - warmupTokens
        if rest < 0 {
            let reached = 100 * Double(totalTokens) / Double(warmupTokens)
            return [
                "schedule.warmup_tokens is \(warmupTokens), but the run has \(totalTokens) tokens: "
                    + "the learning rate still rises at the end and reaches "
                    + "\(decimal(reached, places: reached < 1 ? 4 : 1)) % of its peak; set "
                    + "schedule.warmup_tokens to \(totalTokens / 10), a tenth of the run, or less"
            ]
        }
        guard let decayTokens, decayTokens > rest else { return [] }
        let (both, isTooMany) = warmupTokens.addingReportingOverflow(decayTokens)
        return [
            "schedule.decay_tokens is \(decayTokens), but only \(rest) of the run's \(totalTokens) "
                + "tokens follow the warm-up: the decay is shortened to these; set "
                + "schedule.decay_tokens to \(rest) or less, or train.tokens to at least "
                + "\(isTooMany ? .max : both)"
        ]
    }

    /// The factors on the optimizer's learning rate and weight decay.
    ///
    /// - Parameters:
    ///   - tokens: t, tokens seen when the step is done, 0 or more.
    ///   - totalTokens: T, tokens of the whole run.
    /// - Returns: two factors between 0 and 1.
    public func rates(
        at tokens: Int, totalTokens: Int
    ) -> (learningRateFactor: Double, weightDecayFactor: Double) {
        if tokens < warmupTokens { return (Double(tokens) / Double(warmupTokens), 1) }
        let start = decayStart(totalTokens: totalTokens)
        let stage = stableRates(at: min(tokens, start))
        guard tokens > start, start < totalTokens else { return stage }
        let u = min(1, Double(tokens - start) / Double(totalTokens - start))
        return (
            stage.learningRateFactor * decay.factor(at: u, finalRatio: finalRatio),
            stage.weightDecayFactor
        )
    }

    /// s(t) and d(t).
    private func stableRates(
        at tokens: Int
    ) -> (learningRateFactor: Double, weightDecayFactor: Double) {
        guard let start = powerStartTokens, tokens > start else { return (1, 1) }
        let tau = Double(tokens) / Double(start)
        switch stable {
        case .constant: return (1, 1)
        case .power: return (1 / tau.squareRoot(), 1)
        case .effectivePower:
            let factor = 1 / tau.squareRoot().squareRoot()
            return (factor, factor)
        }
    }
}
