extension RankLink {
    /// Stops a program that names a rank which is none, or itself.
    func checkOther(_ other: Int) {
        precondition(
            (0..<count).contains(other) && other != rank,
            "RankLink: rank \(other), want another of \(count) than \(rank)")
    }

    /// Stops a program that sends what no stream takes.
    func checkSend(_ message: RankMessage, to other: Int) {
        checkOther(other)
        precondition(
            message.byteCount >= 1 && message.byteCount <= messageByteLimit,
            "RankLink: message of \(message.byteCount) bytes, want 1 to \(messageByteLimit)")
    }
}
