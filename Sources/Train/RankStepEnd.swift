import FalconRanks

/// What a rank tells all others when its part of a step is over.
struct RankStepEnd: Equatable {
    /// Whether the step is to be discarded, because the run is to stop.
    var isDiscarded = false
    /// Whether the run is to save.
    var wantsSave = false
    /// Seconds spent waiting for data.
    var dataWaitSeconds = 0.0
    /// Seconds spent on the forward and backward passes of the step, waiting left out.
    var computeSeconds = 0.0
    /// Seconds spent on the exchange with other ranks, since this was told last.
    var communicationSeconds = 0.0
    /// Bytes sent to other ranks, since this was told last.
    var sentBytes = 0
    /// The most memory that the process has held.
    var peakMemoryBytes = 0
    /// Its micro-batches, in their order.
    var microBatches: [MicroBatchLoss] = []

    init() {}

    private var numbers: [Double] {
        [
            isDiscarded ? 1 : 0, wantsSave ? 1 : 0, dataWaitSeconds, computeSeconds,
            communicationSeconds,
            Double(sentBytes), Double(peakMemoryBytes),
        ] + microBatches.flatMap { [$0.sum, Double($0.targets)] }
    }

    /// As a message, whose odd length tells it from gradients.
    var bytes: [UInt8] { RankGroup.bytes(of: numbers) + [0] }

    /// Reads a message; nil if it holds gradients.
    init?(_ message: RankMessage) {
        guard !message.byteCount.isMultiple(of: MemoryLayout<Float>.stride) else { return nil }
        let numbers = RankGroup.numbers(message.bytes.dropLast())
        (isDiscarded, wantsSave) = (numbers[0] != 0, numbers[1] != 0)
        (dataWaitSeconds, computeSeconds, communicationSeconds) = (
            numbers[2], numbers[3], numbers[4]
        )
        (sentBytes, peakMemoryBytes) = (Int(numbers[5]), Int(numbers[6]))
        microBatches = stride(from: 7, to: numbers.count, by: 2).map {
            MicroBatchLoss(sum: numbers[$0], targets: Int(numbers[$0 + 1]))
        }
    }
}
