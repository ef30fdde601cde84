import FalconModel
import FalconSystem

/// The weighted mean of the weights of several models of one configuration.
///
/// - SeeAlso: Izmailov et al., arXiv 1803.05407 (stochastic weight averaging).
public struct AveragedWeights: WeightSource {
    private let sources: [any WeightSource]
    private let shares: [Double]

    /// The mean of some models.
    ///
    /// - Parameters:
    ///   - models: at least one.
    ///   - shares: as many positive numbers, not necessarily with sum 1; nil for equal ones.
    /// - Throws: `InterchangeError.model` if their configurations differ.
    public init(of models: [ModelFiles], shares: [Double]? = nil) throws(InterchangeError) {
        precondition(
            !models.isEmpty && (shares ?? [1]).allSatisfy { $0 > 0 }
                && shares?.count ?? models.count == models.count,
            "AveragedWeights: \(models.count) models with shares \(shares ?? [])")
        for model in models where model.configuration != models[0].configuration {
            throw .model(
                reason: "\(model.path) is another model than \(models[0].path)",
                advice: "average checkpoints of one configuration; `falcon ckpt diff` names what "
                    + "differs")
        }
        sources = models.map(\.weights)
        let sum = shares?.reduce(0, +) ?? Double(models.count)
        self.shares = shares?.map { $0 / sum } ?? models.map { _ in 1 / sum }
    }

    /// Reads a part of the mean, formed in double.
    ///
    /// - Parameters:
    ///   - name: the parameter's name.
    ///   - elements: places in the parameter, row-major.
    ///   - destination: as many elements; all are set.
    /// - Throws: what the sources throw.
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
}
