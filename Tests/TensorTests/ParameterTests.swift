import FalconTensor
import Foundation
import Testing

@Suite struct ParameterTests {
    private func values(_ initialization: Initialization, name: String = "w", seed: UInt64 = 1)
        -> [Double]
    {
        let builder = ParameterBuilder()
        let parameter = builder.parameter(
            name, [100, 97], role: .vector, initialization: initialization)
        let table = ParameterTable(builder.parameters)
        table.allocate(on: Device(threadCount: 1), withGradients: false)
        table.initialize(seed: seed)
        return parameter.value.toArray().map(Double.init)
    }

    private func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }

    @Test func normalNumbersHaveTheirMeanDeviationAndTails() {
        let numbers = values(.normal(deviation: 0.5))
        #expect(abs(mean(numbers)) < 0.02)
        #expect(abs(mean(numbers.map { $0 * $0 }).squareRoot() - 0.5) < 0.015)
        let outside = numbers.filter { abs($0) > 1 }.count
        #expect(abs(Double(outside) / Double(numbers.count) - 0.0455) < 0.01)
    }

    @Test func aRowCanStayZero() {
        let numbers = values(.normal(deviation: 1, zeroRow: 3))
        #expect(numbers[291..<388].allSatisfy { $0 == 0 })
        #expect(numbers[388..<485].allSatisfy { $0 != 0 })
    }

    @Test func timeStepsAreLogUniformAfterSoftplus() {
        let steps = values(.inverseSoftplusLogUniform(low: 1e-3, high: 0.1, floor: 1e-4))
            .map { log(1 + exp($0)) }
        #expect(steps.allSatisfy { $0 > 0.99e-3 && $0 < 0.101 })
        // The mean of a log-uniform number lies half-way between the logs.
        #expect(abs(mean(steps.map(log)) - (log(1e-3) + log(0.1)) / 2) < 0.05)
    }

    @Test func logsAreThoseOfTheirRange() {
        let rates = values(.logUniform(low: 1, high: 16)).map(exp)
        #expect(rates.allSatisfy { $0 > 0.999 && $0 < 16.001 } && abs(mean(rates) - 8.5) < 0.15)
        #expect(abs(values(.logOfIndex)[9] - log(10)) < 1e-6)
    }

    @Test func numbersDependOnSeedAndNameOnly() {
        #expect(values(.normal(deviation: 1)) == values(.normal(deviation: 1)))
        #expect(values(.normal(deviation: 1)) != values(.normal(deviation: 1), seed: 2))
        #expect(values(.normal(deviation: 1)) != values(.normal(deviation: 1), name: "v"))
    }

    @Test func slicesOfTheFlatBufferAreTheParameters() {
        let builder = ParameterBuilder()
        let first = builder.parameter("a", [3, 5], role: .vector, initialization: .ones)
        let second = builder.parameter("b", [7], role: .vector, initialization: .constant(2))
        let table = ParameterTable(builder.parameters)
        let device = Device(threadCount: 2)
        table.allocate(on: device, withGradients: true)
        table.initialize(seed: 0)
        #expect(table.parameterCount == 22 && table.flatCount == 32)
        #expect(first.value.toArray() == Array(repeating: 1, count: 15))
        #expect(table.slice(of: table.values, 1).toArray() == second.value.toArray())
        // The gaps between parameters stay zero, so that norms over the flat buffer are right.
        #expect(
            table.values.toArray()[15] == 0 && table.values.toArray()[23...].allSatisfy { $0 == 0 })
    }
}
