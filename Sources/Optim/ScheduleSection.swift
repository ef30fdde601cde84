import FalconSystem

#if canImport(Glibc)
    import Glibc
#endif

/// How the learning rate moves after the warm-up.
public enum ScheduleKind: String, Codable, CaseIterable, Sendable {
    /// Stable, then an exponential decay over the last `decay_tokens`.
    case wsd
    /// Half a cosine from the peak to `final_ratio` of it at the end.
    case cosine
    case constant
    /// Exponential from the peak to `final_ratio` of it at the end.
    case exponential
}

/// The `schedule` part of a recipe: the learning rate as a pure function of tokens.
///
/// With p = the peak, F = final_ratio, T = tokens of the run, W = warmup_tokens, D = decay_tokens:
/// p·t/W during warm-up; then `wsd`: p until T − D and p·F^((t − T + D)/D) from there (a run too short
/// for both warms up first and decays with what is left of the curve); `cosine`:
/// p·(F + (1 − F)(1 + cos(π u))/2) and `exponential`: p·F^u with u = (t − W)/(T − W).
///
/// - SeeAlso: Hu et al., arXiv 2404.06395 (WSD).
public struct ScheduleSection: RecipeSection, Codable, Equatable {
    /// The shape after the warm-up.
    public var kind: ScheduleKind
    /// Tokens over which the rate rises linearly from 0; 0 for none.
    public var warmupTokens: Int
    /// Tokens of the final decay; `wsd` only.
    public var decayTokens: Int
    /// The rate at the end over the peak.
    public var finalRatio: Double

    /// The key of each field.
    public enum CodingKeys: String, CodingKey, CaseIterable {
        case kind
        case warmupTokens = "warmup_tokens"
        case decayTokens = "decay_tokens"
        case finalRatio = "final_ratio"
    }

    /// What is impossible about the values; empty when all is well.
    public func problems() -> [RecipeProblem] {
        var found: [RecipeProblem] = []
        if warmupTokens < 0 {
            found.append(RecipeProblem(key: "warmup_tokens", "got \(warmupTokens), want 0 or more"))
        }
        if decayTokens < 0 {
            found.append(RecipeProblem(key: "decay_tokens", "got \(decayTokens), want 0 or more"))
        }
        if !(finalRatio > 0 && finalRatio <= 1) {
            found.append(
                RecipeProblem(
                    key: "final_ratio", "got \(finalRatio), want more than 0 and at most 1"))
        }
        return found
    }

    /// The learning rate over its peak.
    ///
    /// - Parameters:
    ///   - tokens: t, tokens seen when the step is done, 0 or more.
    ///   - totalTokens: T, tokens of the whole run.
    /// - Returns: between 0 and 1.
    public func factor(at tokens: Int, totalTokens: Int) -> Double {
        if tokens < warmupTokens { return Double(tokens) / Double(warmupTokens) }
        switch kind {
        case .constant: return 1
        case .wsd:
            let start = totalTokens - decayTokens
            guard decayTokens > 0, tokens > start else { return 1 }
            return pow(finalRatio, min(1, Double(tokens - start) / Double(decayTokens)))
        case .cosine:
            let u = progress(tokens, totalTokens)
            return finalRatio + (1 - finalRatio) * (1 + cos(.pi * u)) / 2
        case .exponential: return pow(finalRatio, progress(tokens, totalTokens))
        }
    }

    /// The part of the way from the end of the warm-up to the end of the run.
    private func progress(_ tokens: Int, _ totalTokens: Int) -> Double {
        guard totalTokens > warmupTokens else { return 1 }
        return min(1, Double(tokens - warmupTokens) / Double(totalTokens - warmupTokens))
    }
}
