import FalconTensor
import FalconTrain

/// Writes down what it is given, and returns what a test wants.
final class RecordingCommunicator: Communicator {
    private(set) var sums: [StepSums] = []
    private(set) var gradients: [[Float]] = []
    private let answer: (StepSums, Tensor) -> StepSums

    init(_ answer: @escaping (StepSums, Tensor) -> StepSums = { sums, _ in sums }) {
        self.answer = answer
    }

    func reduce(_ sums: StepSums, gradients: Tensor) -> StepSums {
        self.sums.append(sums)
        self.gradients.append(gradients.toArray())
        return answer(sums, gradients)
    }
}
