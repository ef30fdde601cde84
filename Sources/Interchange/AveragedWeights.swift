import FalconModel

/// The weighted mean of the weights of several models of one configuration.
///
/// - SeeAlso: Izmailov et al., arXiv 1803.05407 (stochastic weight averaging).
public struct AveragedWeights: WeightSource {
    private let sources: [any WeightSource]
    private let shares: [Double]
    private let path: String

    /// The mean of some models.
    ///
    /// - Parameters:
    ///   - models: at least one.
    ///   - shares: one positive finite number per model, of any sum; nil for equal shares.
    /// - Throws: `InterchangeError.model` if their configurations differ.
    public init(of models: [ModelFiles], shares: [Double]? = nil) throws(InterchangeError) {
        precondition(
            !models.isEmpty && (shares ?? [1]).allSatisfy { $0 > 0 && $0.isFinite }
                && shares?.count ?? models.count == models.count,
            "AveragedWeights: \(models.count) models with shares \(shares ?? [])")
        for model in models where model.configuration != models[0].configuration {
            throw .model(
                reason: "\(model.path) is a different model from \(models[0].path)",
                advice: "average checkpoints of one configuration; `falcon ckpt diff` names what "
                    + "differs")
        }
        sources = models.map(\.weights)
        // Scaled first: the sum of large shares may be more than a double can hold.
        let largest = shares?.max() ?? 1
        let scaled = shares?.map { $0 / largest } ?? models.map { _ in 1 }
        let sum = scaled.reduce(0, +)
        self.shares = scaled.map { $0 / sum }
        path = "the mean of " + models.map(\.path).joined(separator: ", ")
    }

    /// Reads a part of the mean, formed in double.
    ///
    /// - Parameters:
    ///   - name: the parameter's name.
    ///   - elements: places in the parameter, row-major.
    ///   - destination: the same number of elements; all are set.
    /// - Throws: errors of the sources.
    public func readFloats(
        _ name: String, elements: Range<Int>, into destination: inout MutableSpan<Float>
    ) throws {
        var sums = [Double](repeating: 0, count: elements.count)
        for (source, share) in zip(sources, shares) {
            try source.readFloats(name, elements: elements, into: &destination)
            for index in destination.indices { sums[index] += share * Double(destination[index]) }
        }
        for index in destination.indices { destination[index] = Float(sums[index]) }
    }

    /// The type of the mean.
    ///
    /// - Parameter name: any name.
    /// - Returns: "F32".
    public func typeName(of name: String) -> String { "F32" }

    /// The name of the mean in messages, as it is in no file.
    ///
    /// - Parameter name: any name.
    /// - Returns: the models that it is made of.
    public func filePath(of name: String) -> String { path }
}
