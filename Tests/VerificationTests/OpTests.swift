import FalconTensor
import FalconVerification
import Testing

/// Every op against its specification in double, and the same bits for any number of threads.
@Suite struct OpTests {
    @Test(arguments: OpCase.all.indices)
    func matchesTheSpecification(index: Int) {
        let opCase = OpCase.all[index]
        let error = opCase.check(on: Device(threadCount: 2))
        #expect(error.damage == [], "\(opCase.op) \(opCase.label)")
        #expect(
            error.forward <= OpCase.tolerance.forward, "\(opCase.op) \(opCase.label): forward")
        #expect(
            error.backward <= OpCase.tolerance.backward, "\(opCase.op) \(opCase.label): backward")
    }

    @Test(.enabled(if: Precision.bf16.isAvailable), arguments: OpCase.all.indices)
    func bfloat16RoundsProductsOnly(index: Int) {
        let opCase = OpCase.all[index]
        let error = opCase.check(on: Device(threadCount: 2, precision: .bf16))
        let limit = OpCase.tolerance(of: opCase.op, .bf16)
        #expect(error.damage == [], "\(opCase.op) \(opCase.label)")
        #expect(error.forward <= limit.forward, "\(opCase.op) \(opCase.label): forward")
        #expect(error.backward <= limit.backward, "\(opCase.op) \(opCase.label): backward")
    }

    @Test(arguments: Precision.allCases.filter(\.isAvailable), OpCase.all.indices)
    func isTheSameForAnyNumberOfThreads(precision: Precision, index: Int) {
        let opCase = OpCase.all[index]
        let alone = opCase.result(on: Device(threadCount: 1, precision: precision))
        for threadCount in [2, 3] {
            let device = Device(threadCount: threadCount, precision: precision)
            #expect(
                opCase.result(on: device) == alone,
                "\(opCase.op) \(opCase.label) with \(threadCount) threads")
        }
    }
}
