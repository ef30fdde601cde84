import FalconJSON
import FalconSystem

/// A mixture of data sets as another trainer writes it down.
public struct ForeignMixture: Sendable {
    /// The trainers whose mixtures are read.
    public enum Format: String, CaseIterable, Sendable {
        /// Megatron-LM's blend: weights and prefixes by turns, or prefixes alone.
        case megatron
        /// OLMo-core's mix: lines of a label, a comma and a file, each file read once.
        case olmo = "olmo-core"
    }

    /// One data set of the mixture.
    struct Source: Equatable {
        /// The prefix, or the label.
        let name: String
        /// The files to convert.
        var files: [String]
        /// Its weight; nil if it has its share by its size.
        let weight: Double?
    }

    /// The data sets of a recipe.
    public struct Mix: Sendable {
        /// One of them.
        public struct Part: Sendable {
            /// The folder of token shards.
            public let path: String
            /// Its weight.
            public let weight: Double
            /// Tokens of its training split.
            public let tokens: Int
        }

        /// The data sets, in the order of the other trainer.
        public let parts: [Part]
        /// Data sets without a part, which are left out.
        public let leftOut: [String]
        /// How much the share of a data set differs at most from the one that was written down, where the
        /// weights have more digits than a recipe takes.
        public let largestChange: Double

        /// The part of a recipe.
        public var yaml: String {
            let lines = parts.map { part in
                let path = JSONValue.string(part.path).serialized()
                return "    - {path: \(path), weight: \(Self.text(part.weight))}\n"
            }
            return "data:\n  mix:\n" + lines.joined()
        }

        /// A whole number without a point.
        private static func text(_ weight: Double) -> String {
            Int(exactly: weight).map { "\($0)" } ?? "\(weight)"
        }
    }

    /// Where the mixture came from, for messages.
    let path: String
    let format: Format
    let sources: [Source]

    /// Reads a mixture.
    ///
    /// - Parameters:
    ///   - format: whose it is.
    ///   - text: the contents of a file, or the words of a command line with spaces between.
    ///   - path: where it came from, for messages.
    /// - Throws: `DataError.unreadableText` for a text that the other trainer would not take, and for data
    ///   sets that a recipe cannot hold.
    public init(_ format: Format, text: String, path: String) throws(DataError) {
        self.path = path
        self.format = format
        func invalid(_ reason: String) -> DataError { .unreadableText(path: path, reason: reason) }
        switch format {
        case .megatron:
            let words = text.split(whereSeparator: \.isWhitespace).map(String.init)
            sources = try Self.blend(words, invalid)
        case .olmo:
            sources = try Self.mix(text, invalid)
        }
        guard !sources.isEmpty else { throw invalid("it names no data set") }
        var seen: Set<String> = []
        for source in sources where !seen.insert(source.name).inserted {
            throw invalid(
                "\(source.name) is there twice; name it once, with the sum of its weights")
        }
    }

    /// Every second word is a weight, or none is.
    private static func blend(
        _ words: [String], _ invalid: (String) -> DataError
    ) throws(DataError) -> [Source] {
        let weights = stride(from: 0, to: words.count - 1, by: 2).map { Double(words[$0]) }
        if words.count % 2 == 1 || weights.allSatisfy({ $0 == nil }) {
            return words.map { Source(name: $0, files: [$0], weight: nil) }
        }
        var sources: [Source] = []
        for (place, weight) in weights.enumerated() {
            guard let weight, weight >= 0, weight.isFinite else {
                throw invalid(
                    "\"\(words[2 * place])\" is no weight: want weights and prefixes by turns, or prefixes "
                        + "alone")
            }
            let name = words[2 * place + 1]
            sources.append(Source(name: name, files: [name], weight: weight))
        }
        return sources
    }

    private static func mix(
        _ text: String, _ invalid: (String) -> DataError
    ) throws(DataError) -> [Source] {
        var sources: [Source] = []
        var places: [String: Int] = [:]
        // Some end lines with a carriage return too, which is one character with what follows it.
        let lines = text.split(omittingEmptySubsequences: false) {
            $0 == "\n" || $0 == "\r\n" || $0 == "\r"
        }
        for (number, line) in lines.enumerated() {
            let characters = line.drop { $0.isWhitespace }
            if characters.isEmpty || characters.first == "#" { continue }
            let parts = characters.split(separator: ",", omittingEmptySubsequences: false)
            let fields = parts.map { part in
                String(part.reversed().drop { $0.isWhitespace }.reversed())
            }
            guard fields.count == 2, !fields[0].isEmpty, !fields[1].isEmpty else {
                throw invalid("line \(number + 1): want a label, a comma and a file")
            }
            if let place = places[fields[0]] {
                sources[place].files.append(fields[1])
            } else {
                places[fields[0]] = sources.count
                sources.append(Source(name: fields[0], files: [fields[1]], weight: nil))
            }
        }
        return sources
    }

    /// The same mixture of data sets that lie here.
    ///
    /// - Parameter folder: where they are, each under the last part of its prefix, or its label; nil if the
    ///   prefixes or labels are their paths.
    /// - Returns: the data sets with their weights.
    /// - Throws: `DataError.unreadableText` that says how to convert those that are missing; `DataError` for
    ///   data sets that cannot be read.
    public func mix(inFolder folder: String?) throws -> Mix {
        let named = sources.filter { $0.weight != 0 }
        let paths = named.map { place(of: $0, folder) }
        if let twice = paths.indices.first(where: { paths[..<$0].contains(paths[$0]) }) {
            throw DataError.unreadableText(
                path: path,
                reason:
                    "two data sets would lie in \(paths[twice]); rename one of them here and there")
        }
        try requireAll(named, paths)
        guard !named.isEmpty else {
            throw DataError.unreadableText(path: path, reason: "all weights are 0")
        }
        let tokens = try paths.map { try TokenDataset(path: $0).index.train.tokens }
        let wanted = zip(named, tokens).map { $0.weight ?? Double($1) }
        let weights = Self.representable(wanted)
        let (sum, all) = (weights.reduce(0, +), wanted.reduce(0, +))
        let change = zip(weights, wanted).map { abs($0 / sum - $1 / all) }.max() ?? 0
        return Mix(
            parts: paths.indices.map {
                Mix.Part(path: paths[$0], weight: weights[$0], tokens: tokens[$0])
            },
            leftOut: sources.filter { $0.weight == 0 }.map(\.name),
            largestChange: weights == wanted ? 0 : change)
    }

    private func place(of source: Source, _ folder: String?) -> String {
        guard let folder else { return source.name }
        guard format == .megatron else { return folder + "/" + source.name }
        return folder + "/" + (source.name.split(separator: "/").last.map(String.init) ?? "")
    }

    private func requireAll(_ named: [Source], _ paths: [String]) throws {
        let missing = zip(named, paths).filter {
            fileKind(of: $1 + "/" + DatasetIndex.fileName) != .file
        }
        if missing.isEmpty { return }
        let shown = missing.prefix(LeftOut.reasonLimit).map { source, path in
            let more = source.files.count > 1 ? " ... (\(source.files.count) files)" : ""
            return "falcon data convert \(quotedForShell(source.files[0]))\(more) --from "
                + "\(format.rawValue) --tokenizer TOKENIZER --output \(quotedForShell(path))"
        }
        throw DataError.unreadableText(
            path: path,
            reason:
                "\(missing.count) of \(named.count) data sets are not there as token shards; convert them:\n  "
                + shown.joined(separator: "\n  ")
                + (missing.count > shown.count ? "\n  ..." : "")
                + "\n--datasets names the folder they are in")
    }

    /// The weights, or whole numbers near to them if they have more digits than a recipe takes.
    private static func representable(_ weights: [Double]) -> [Double] {
        func take(_ weights: [Double]) -> Bool {
            let sources = weights.map { weight in
                var source = DataSource(path: "")
                source.weight = weight
                return source
            }
            return DataSource.wholeWeights(of: sources) != nil
        }
        if take(weights) { return weights }
        // Nine digits together, and room for a source that is rounded up to 1.
        let sum = weights.reduce(0, +)
        return weights.map { max(1, ($0 / sum * 999_998_000).rounded()) }
    }
}
