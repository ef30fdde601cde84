import FalconOptim
import FalconTensor

extension Optimizer {
    /// The root mean square of the last update of each parameter, over its elements in the share.
    func updateRMS(_ table: ParameterTable) -> [Double] {
        table.parameters.indices.map { index in
            let parts = share.parts(of: table.elements(of: index))
            let squares = parts.reduce(0) { $0 + updateSquares(ofParameter: index, $1) }
            return (squares / Double(max(1, parts.reduce(0) { $0 + $1.count }))).squareRoot()
        }
    }
}
