import FalconSystem

/// What ranks tell each other beside the streams: that they live, that one has failed, that they are done.
struct RankSignal: Equatable {
    enum Kind: UInt8 {
        /// A sign of life.
        case beat
        /// `rank` has failed.
        case failure
        /// All that the sender sent has left it.
        case closing
        /// The sender knows of all that they are closing; the last signal of a rank.
        case closed
    }

    /// The most bytes of a signal: few enough for an MPI to send them before the receiver asks for them.
    static let byteLimit = 2048
    private static let phaseByteLimit = 512

    var kind: Kind
    /// Whether the sender waits for others.
    var isWaiting = false
    /// How many calls the program of the sender has made of its link.
    var callCount: UInt32 = 0
    /// The rank that this is about.
    var rank: Int
    /// What that rank is doing.
    var phase = ""
    /// Why it has failed.
    var reason = ""

    /// The signal as bytes, long texts cut.
    var bytes: [UInt8] {
        let phase = phase.utf8.prefix(Self.phaseByteLimit)
        var bytes = [kind.rawValue, isWaiting ? 1 : 0]
        appendLittleEndian(UInt16(phase.count), to: &bytes)
        appendLittleEndian(callCount, to: &bytes)
        appendLittleEndian(UInt32(rank), to: &bytes)
        bytes += phase
        return bytes + reason.utf8.prefix(Self.byteLimit - bytes.count)
    }
}

extension RankSignal {
    /// The signal that `bytes` made; nil for other bytes.
    init?(bytes: [UInt8]) {
        guard bytes.count >= 12, let kind = Kind(rawValue: bytes[0]) else { return nil }
        let end = 12 + Int(bytes[2]) + Int(bytes[3]) << 8
        guard end <= bytes.count else { return nil }
        self.init(
            kind: kind, isWaiting: bytes[1] == 1, callCount: littleEndianUInt32(bytes, at: 4),
            rank: Int(littleEndianUInt32(bytes, at: 8)),
            phase: String(decoding: bytes[12..<end], as: UTF8.self),
            reason: String(decoding: bytes[end...], as: UTF8.self))
    }
}
