import FalconRanks

// Answers on their way from one rank to another.
extension ModelAnswer {
    /// The bytes of answers, from which `answers(_:)` makes the same ones.
    ///
    /// - Parameter answers: any.
    /// - Returns: numbers, whose count comes first, then texts.
    static func bytes(of answers: [ModelAnswer]) -> [UInt8] {
        var numbers: [Double] = []
        var texts: [UInt8] = []
        for answer in answers {
            let text = answer.text.map { Array($0.utf8) }
            numbers += [Double(answer.logLikelihoods.count), Double(text?.count ?? -1)]
            numbers += answer.logLikelihoods + answer.isGreedy.map { $0 ? 1 : 0 }
            texts += text ?? []
        }
        return RankGroup.bytes(of: [Double(numbers.count)] + numbers) + texts
    }

    /// The answers of bytes.
    ///
    /// - Parameter bytes: of `bytes(of:)`.
    /// - Returns: the same answers, to the bit.
    static func answers(_ bytes: [UInt8]) -> [ModelAnswer] {
        let numberCount = Int(RankGroup.numbers(bytes.prefix(8))[0])
        let numbers = RankGroup.numbers(bytes[8..<8 + 8 * numberCount])
        var (place, textPlace) = (0, 8 + 8 * numberCount)
        var answers: [ModelAnswer] = []
        while place < numbers.count {
            let (count, textCount) = (Int(numbers[place]), Int(numbers[place + 1]))
            place += 2
            var answer = ModelAnswer(
                logLikelihoods: Array(numbers[place..<place + count]),
                isGreedy: numbers[place + count..<place + 2 * count].map { $0 != 0 })
            place += 2 * count
            if textCount >= 0 {
                answer.text = String(
                    decoding: bytes[textPlace..<textPlace + textCount], as: UTF8.self)
                textPlace += textCount
            }
            answers.append(answer)
        }
        return answers
    }
}
