/// One worker's share of the input: a run of the files in the order in which one process reads them.
///
/// The shares of all workers, one after the other, are all files. Workers are numbered from 1.
public struct InputShare: Sendable, Hashable, CustomStringConvertible {
    /// The most workers.
    public static let countLimit = 1 << 16

    /// The worker, from 1 to `count`.
    public let number: Int
    /// The number of workers.
    public let count: Int

    /// A share of the input; nil for numbers out of range.
    ///
    /// - Parameters:
    ///   - number: the worker, from 1 to `count`.
    ///   - count: the number of workers, 1 to `countLimit`.
    public init?(number: Int, of count: Int) {
        guard (1...Self.countLimit).contains(count), (1...count).contains(number) else {
            return nil
        }
        (self.number, self.count) = (number, count)
    }

    /// A share of the input as it is written on a command line.
    ///
    /// - Parameter text: "2/3" for the second of three workers.
    /// - Throws: `DataError.invalidOption` that says what is wrong with it.
    public init(_ text: String) throws(DataError) {
        let numbers = text.split(separator: "/", omittingEmptySubsequences: false).map { word in
            word.allSatisfy { $0.isASCII && $0.isNumber } ? Int(word) : nil
        }
        guard numbers.count == 2, let number = numbers[0], let count = numbers[1] else {
            throw .invalidOption(
                name: "--shard", got: text,
                wanted: "a worker and the number of workers, such as 2/3, or auto")
        }
        guard let share = InputShare(number: number, of: count) else {
            throw .invalidOption(
                name: "--shard", got: text,
                wanted: (1...Self.countLimit).contains(count)
                    ? "1/\(count) to \(count)/\(count): workers are numbered from 1"
                    : "1 to \(Self.countLimit) workers")
        }
        self = share
    }

    /// The share as it is written on a command line: "2/3".
    public var description: String { "\(number)/\(count)" }

    /// The name of the folder of the part that is made of it: "2-of-3".
    var folderName: String { "\(number)-of-\(count)" }

    /// The share whose part has a folder of a name; nil for other names.
    init?(folderName: String) {
        let words = folderName.split(separator: "-", omittingEmptySubsequences: false)
        guard words.count == 3, let number = Int(words[0]), let count = Int(words[2]),
            let share = InputShare(number: number, of: count), share.folderName == folderName
        else { return nil }
        self = share
    }

    /// The files of the share.
    ///
    /// A cut falls on the border of two files that is nearest to an even share of the bytes; of two the first.
    ///
    /// - Parameter sizes: bytes of all files, in order.
    /// - Returns: their places; the ranges of workers 1 to `count` follow each other and cover all.
    func range(ofFilesWith sizes: [Int]) -> Range<Int> {
        var ends = [0]
        for size in sizes { ends.append(ends[ends.count - 1] + size) }
        return cut(number - 1, ends)..<cut(number, ends)
    }

    /// The number of files before a cut: 0 to `count`; `ends` are the bytes before each border, the first 0.
    private func cut(_ cut: Int, _ ends: [Int]) -> Int {
        if cut == 0 { return 0 }
        if cut == count { return ends.count - 1 }
        let (whole, rest) = (ends[ends.count - 1] / count, ends[ends.count - 1] % count)
        let target = whole * cut + rest * cut / count
        let above = ends.firstIndex { $0 >= target } ?? 0
        guard above > 0, target - ends[above - 1] <= ends[above] - target else { return above }
        return ends.firstIndex { $0 == ends[above - 1] } ?? above
    }
}
