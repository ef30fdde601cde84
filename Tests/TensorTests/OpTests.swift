import FalconTensor
import Testing

/// Every op against its specification in double, and the same bits for any number of threads.
@Suite struct OpTests {
    @Test(arguments: OpCase.all.indices)
    func matchesTheSpecification(index: Int) {
        let opCase = OpCase.all[index]
        let error = opCase.check(on: Device(threadCount: 2))
        #expect(
            error.forward <= OpCase.tolerance.forward, "\(opCase.op) \(opCase.label): forward")
        #expect(
            error.backward <= OpCase.tolerance.backward, "\(opCase.op) \(opCase.label): backward")
    }

    @Test(arguments: OpCase.all.indices)
    func isTheSameForAnyNumberOfThreads(index: Int) {
        let opCase = OpCase.all[index]
        let alone = opCase.result(on: Device(threadCount: 1))
        for threadCount in [2, 3] {
            #expect(
                opCase.result(on: Device(threadCount: threadCount)) == alone,
                "\(opCase.op) \(opCase.label) with \(threadCount) threads")
        }
    }
}
