import ArgumentParser
import FalconData
import FalconJSON
import FalconRecipe
import FalconTrain

/// Steps of a run: `7`, or `7-9`.
struct StepRange: ExpressibleByArgument {
    let steps: ClosedRange<Int>

    init?(argument: String) {
        let ends = argument.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
        guard let first = ends.first ?? nil, let last = ends.last ?? nil, ends.count <= 2,
            1 <= first, first <= last
        else { return nil }
        steps = first...last
    }
}

/// What the commands about the steps of a run take.
struct StepOptions: ParsableArguments {
    @OptionGroup var recipe: RecipeOptions

    @Option(help: "Steps, from 1: N, or FIRST-LAST.")
    var steps: StepRange

    /// Calls a function with every sample of the steps, in order.
    ///
    /// - Parameter body: takes the sample's place (step, micro-batch and sequence in it, each from 1) and the sample.
    /// - Throws: `RecipeError`, `DataError`, `FileError`; errors of `body`.
    func forEachSample(
        _ body: (
            _ sequences: StepSequences, _ place: (step: Int, batch: Int, sequence: Int), Sample
        ) throws -> Void
    ) throws {
        let document = try RecipeDocument(recipe: recipe.recipe, settings: recipe.overrides)
        let recipe = try document.decode(TrainingRecipe.self)
        let plan = RunPlan(recipe)
        guard steps.steps.upperBound <= plan.steps else {
            throw ValidationError(
                "--steps ends with \(steps.steps.upperBound), and the run has \(plan.steps) steps")
        }
        let sequences = try StepSequences(recipe, try recipe.openedData(plan), plan.batches)
        for step in steps.steps {
            for (batch, samples) in sequences.microBatches(ofStep: step).enumerated() {
                for (place, sample) in samples.enumerated() {
                    try body(sequences, (step, batch + 1, place + 1), sample)
                }
            }
        }
    }
}

extension DataCommand {
    /// Prints the order of samples.
    struct Order: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the samples of steps of a run, in their order.",
            discussion: """
                One JSON object per line: step, micro_batch, sequence, sample (its number in the data \
                set's training split), tokens, source, the data set's place among those of the recipe, and pieces, each with \
                first_token, its place in the split, and tokens. The order is a function of recipe and data; nothing is trained.
                """)

        @OptionGroup var options: StepOptions

        /// The line printed for each sample.
        private struct Line: Encodable {
            let step: Int
            let micro_batch: Int
            let sequence: Int
            let source: Int
            let sample: Int
            let tokens: Int
            let pieces: [Piece]
        }

        /// Tokens that follow each other.
        private struct Piece: Encodable {
            let first_token: Int
            let tokens: Int
        }

        func run() throws {
            try options.forEachSample { sequences, place, sample in
                print(
                    try jsonText(
                        Line(
                            step: place.step, micro_batch: place.batch, sequence: place.sequence,
                            source: sample.source, sample: sample.number,
                            tokens: sample.sequenceLength,
                            pieces: sequences.pieces(of: sample).map {
                                Piece(first_token: $0.firstToken, tokens: $0.count)
                            })))
            }
        }
    }
}

extension DataCommand {
    /// Prints what steps learn from.
    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the documents that steps of a run learn from.",
            discussion: """
                One JSON object per sequence: step, micro_batch, sequence, source (of a mixture), sample, \
                first_token, shard, first_token_in_shard, and documents with first_token and the text in the \
                sequence.
                """)

        @OptionGroup var options: StepOptions

        /// The line printed for each sequence.
        private struct Line: Encodable {
            let step: Int
            let microBatch: Int
            let number: Int
            let sequence: StepEvent.Sequence

            enum CodingKeys: String, CodingKey {
                case step
                case microBatch = "micro_batch"
                case number = "sequence"
            }

            func encode(to encoder: any Encoder) throws {
                var container = encoder.container(keyedBy: CodingKeys.self)
                try container.encode(step, forKey: .step)
                try container.encode(microBatch, forKey: .microBatch)
                try container.encode(number, forKey: .number)
                try sequence.encode(to: encoder)
            }
        }

        func run() throws {
            try options.forEachSample { sequences, place, sample in
                print(
                    try jsonText(
                        Line(
                            step: place.step, microBatch: place.batch, number: place.sequence,
                            sequence: try sequences.sequence(sample, beginnings: nil))))
            }
        }
    }
}
