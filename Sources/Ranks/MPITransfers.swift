import CMPI

/// What MPI is sending and receiving for a rank.
struct MPITransfers {
    /// The four ways between this rank and another.
    enum Lane: Int, CaseIterable {
        case messageIn, messageOut, signalIn, signalOut

        /// The tag of MPI: messages and signals overtake each other.
        var tag: Int32 { self == .messageIn || self == .messageOut ? 1 : 2 }
        var isIn: Bool { self == .messageIn || self == .signalIn }
    }

    /// A transfer that has ended.
    struct Completion {
        let rank: Int
        let lane: Lane
        let message: RankMessage
    }

    private struct Transfer {
        let message: RankMessage
        var request: falcon_mpi_request
    }

    private let library: MPILibrary
    private let places: [RankPlace]
    /// Those under way, oldest first, by rank * 4 + lane.
    private var lanes: [[Transfer]]
    private var messagesOut = 0

    init(library: MPILibrary, places: [RankPlace]) {
        self.library = library
        self.places = places
        lanes = Array(repeating: [], count: places.count * Lane.allCases.count)
    }

    /// Whether messages are being sent.
    var hasMessagesOut: Bool { messagesOut > 0 }

    /// The transfers of a lane that are under way.
    func count(_ rank: Int, _ lane: Lane) -> Int { lanes[place(rank, lane)].count }

    private func place(_ rank: Int, _ lane: Lane) -> Int {
        rank * Lane.allCases.count + lane.rawValue
    }

    /// Begins to send a message.
    mutating func send(_ message: RankMessage, to rank: Int, lane: Lane) throws(Ending) {
        var request: falcon_mpi_request = 0
        if let memory = message.memory.baseAddress {
            try check(
                unsafe library.calls.send(
                    memory, Int32(message.byteCount), Int32(rank), lane.tag, &request), rank)
        }
        lanes[place(rank, lane)].append(Transfer(message: message, request: request))
        if lane == .messageOut { messagesOut += 1 }
    }

    /// Begins to receive a message of up to its room.
    mutating func receive(_ message: RankMessage, from rank: Int, lane: Lane) throws(Ending) {
        var request: falcon_mpi_request = 0
        if let memory = message.memory.baseAddress {
            try check(
                unsafe library.calls.receive(
                    memory, Int32(message.room), Int32(rank), lane.tag, &request), rank)
        }
        lanes[place(rank, lane)].append(Transfer(message: message, request: request))
    }

    /// Looks at the oldest transfer of every lane.
    ///
    /// - Returns: those that have ended; a received message has its number of bytes.
    mutating func completed() throws(Ending) -> [Completion] {
        let places = lanes.indices.filter { !lanes[$0].isEmpty }
        if places.isEmpty { return [] }
        var requests = places.map { lanes[$0][0].request }
        var done = [Int32](repeating: 0, count: places.count)
        var byteCounts = done
        var doneCount: Int32 = 0
        let code = unsafe library.calls.test(
            &requests, Int32(places.count), &done, &byteCounts, &doneCount)
        if code != 0 {
            let failed = doneCount > 0 ? Int(done[0]) : 0
            try check(code, places[failed] / Lane.allCases.count)
        }
        var completions: [Completion] = []
        for (index, byteCount) in zip(done, byteCounts).prefix(Int(doneCount)) {
            let place = places[Int(index)]
            let (rank, number) = place.quotientAndRemainder(dividingBy: Lane.allCases.count)
            guard let lane = Lane(rawValue: number) else { continue }
            let message = lanes[place].removeFirst().message
            if lane.isIn { message.byteCount = Int(byteCount) }
            if lane == .messageOut { messagesOut -= 1 }
            completions.append(Completion(rank: rank, lane: lane, message: message))
        }
        return completions
    }

    /// Takes back the receives that nothing was sent for, and ends MPI.
    mutating func finish() throws(Ending) {
        for place in lanes.indices {
            for transfer in lanes[place] {
                var request = transfer.request
                try check(
                    unsafe library.calls.cancel(&request), place / Lane.allCases.count)
            }
            lanes[place] = []
        }
        try check(library.calls.finish(), 0)
    }

    /// An error of MPI, as the failure of the rank that the call was about.
    private func check(_ code: Int32, _ rank: Int) throws(Ending) {
        if code == 0 { return }
        throw Ending(
            failure: RankFailure(
                rank: rank, host: places[rank].host, phase: "",
                reason: "no messages to or from it any more: \(library.message(of: code))"),
            isNews: false)
    }
}
