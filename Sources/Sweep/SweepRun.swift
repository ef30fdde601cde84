import FalconRecipe
import FalconSystem

/// All values that a run sets except its learning rate and seed.
public struct SweepConfiguration: Hashable, Sendable {
    /// A key path and a value in YAML.
    public struct Setting: Hashable, Sendable {
        /// A key path of the recipe, or `variant` for the name of one.
        public let key: String
        /// The value in YAML's flow style.
        public let value: String
    }

    /// The values that tables and reports show.
    public var axes: [Setting]
    /// The values that are set in the recipe.
    public var settings: [Setting]

    /// The values of the axes: "learnable, muon".
    public var label: String {
        axes.isEmpty ? "recipe" : axes.map(\.value).joined(separator: ", ")
    }
}

/// One run of a sweep.
public struct SweepRun: Hashable, Sendable {
    /// All values except rate and seed.
    public let configuration: SweepConfiguration
    /// η at the top of the schedule.
    public let learningRate: Double
    /// The seed of weights and data.
    public let seed: UInt64

    /// The changes of the run to the recipe.
    public var settings: [String] {
        configuration.settings.map { "\($0.key)=\($0.value)" }
            + ["\(SweepSection.rateKey)=\(learningRate)", "\(SweepSection.seedKey)=\(seed)"]
    }

    /// The name of its folder, which identifies it: a readable part and a digest of its settings.
    public var id: String {
        let words = configuration.axes.map(\.value) + ["lr\(learningRate)", "s\(seed)"]
        let readable = words.map { word in
            String(word.map { $0.isLetter || $0.isNumber || $0 == "." || $0 == "_" ? $0 : "-" })
        }.joined(separator: "-")
        var digest = SHA256()
        digest.update(settings.joined(separator: "\n"))
        return String(readable.prefix(80)) + "-" + String(digest.finalizeHex().prefix(6))
    }
}

extension SweepSection {
    /// Every combination of grid, variants and draws.
    ///
    /// - Returns: at least one; in the order of the recipe, the last axis fastest.
    public func configurations() -> [SweepConfiguration] {
        var result = [SweepConfiguration(axes: [], settings: [])]
        func add(_ choices: [SweepConfiguration]) {
            result = result.flatMap { old in
                choices.map {
                    SweepConfiguration(
                        axes: old.axes + $0.axes, settings: old.settings + $0.settings)
                }
            }
        }
        for (key, values) in grid?.entries ?? [] {
            add(
                values.map {
                    let setting = SweepConfiguration.Setting(key: key, value: $0.yaml)
                    return SweepConfiguration(axes: [setting], settings: [setting])
                })
        }
        if let variants {
            add(
                variants.map { variant in
                    SweepConfiguration(
                        axes: [SweepConfiguration.Setting(key: "variant", value: variant.name)],
                        settings: variant.settings.entries.map {
                            SweepConfiguration.Setting(key: $0.key, value: $0.value.yaml)
                        })
                })
        }
        if let random { add(random.draws()) }
        // Two draws may give the same numbers.
        var seen: Set<SweepConfiguration> = []
        return result.filter { seen.insert($0).inserted }
    }
}

extension SweepRandom {
    /// Drawn configurations; each value depends only on the seed, the draw's number and the key.
    func draws() -> [SweepConfiguration] {
        (0..<count).map { number in
            let settings = ranges.entries.map { key, range in
                var digest = SHA256()
                digest.update("\(seed) \(number) \(key)")
                let bits = UInt64(digest.finalizeHex().prefix(13), radix: 16) ?? 0
                let uniform = Double(bits) / Double(UInt64(1) << 52)
                return SweepConfiguration.Setting(
                    key: key, value: "\(rounded(range.value(at: uniform), digits: 4))")
            }
            return SweepConfiguration(axes: settings, settings: settings)
        }
    }
}
