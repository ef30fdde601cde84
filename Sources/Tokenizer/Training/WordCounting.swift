import FalconConcurrency

/// Cuts texts into words and counts them on several threads, in memory that does not grow with the text.
///
/// Texts are counted in rounds, and rare words forgotten between them: what is counted does not
/// depend on the number of threads.
struct WordCounting {
    /// What was counted.
    struct Result {
        var words = WordCounts()
        var documentCount = 0
        var textByteCount = 0
        /// Rare words that were forgotten, counted each time.
        var forgottenWordCount = 0
    }

    /// Bytes of text after which a round ends, if no other number is asked for.
    static let usualRoundBytes = 8 << 20
    /// Bytes of text that one thread takes at a time, at least.
    private static let jobBytes = 1 << 18

    let preTokenizer: PreTokenizer
    let threadCount: Int
    /// Bytes that the table of words may take.
    let byteLimit: Int
    /// Bytes of text after which a round ends.
    let roundBytes: Int

    /// Counts the words of texts.
    ///
    /// - Parameters:
    ///   - nextDocument: gives the next text; nil ends.
    ///   - progress: called now and then with the texts and bytes read so far.
    /// - Returns: the words and their counts.
    /// - Throws: what `nextDocument` threw; `FileError` if the system gives no thread.
    func run(
        on nextDocument: () throws -> String?, progress: ((Int, Int) -> Void)?
    ) throws -> Result {
        let board = CountingBoard()
        let jobs = BoundedQueue<[String]>(capacity: threadCount)
        let preTokenizer = preTokenizer
        let workers = try WorkerThread.some(threadCount) {
            var counter = WordCounter(preTokenizer)
            while let texts = jobs.pop() {
                for text in texts { counter.add(text) }
                board.finish(counter.takeWords())
            }
        }
        defer {
            jobs.cancel()
            for worker in workers { worker.join() }
        }
        var result = Result()
        var job: [String] = []
        var (bytesInJob, bytesInRound) = (0, 0)
        func push() {
            if job.isEmpty { return }
            board.begin()
            jobs.push(job)
            (job, bytesInJob) = ([], 0)
        }
        func endRound() {
            push()
            for words in board.takeAll() { result.words.add(words) }
            result.forgottenWordCount += result.words.forgetRarest(beyond: byteLimit)
            bytesInRound = 0
        }
        while let text = try nextDocument() {
            let count = text.utf8.count
            result.documentCount += 1
            result.textByteCount += count
            job.append(text)
            bytesInJob += count
            bytesInRound += count
            if bytesInJob >= Self.jobBytes { push() }
            if bytesInRound >= roundBytes { endRound() }
            progress?(result.documentCount, result.textByteCount)
        }
        endRound()
        return result
    }
}

/// Counts the words of texts, on one thread.
private struct WordCounter {
    private let preTokenizer: PreTokenizer
    private var words = WordCounts()

    init(_ preTokenizer: PreTokenizer) {
        precondition(preTokenizer.mapsBytes, "WordCounter: words are bytes")
        self.preTokenizer = preTokenizer
    }

    mutating func add(_ text: String) {
        var word: [UInt8] = []
        // Every pattern that is learnt with cuts before a space that stands behind a visible character.
        for part in TextCut(text, isCutBeforeSpaces: true) {
            let list = preTokenizer.words(of: part)
            var start = 0
            for end in list.ends {
                word.removeAll(keepingCapacity: true)
                for place in start..<end { word.append(ByteAlphabet.byte(of: list.scalars[place])) }
                words.add(word.span)
                start = end
            }
        }
    }

    mutating func takeWords() -> WordCounts {
        defer { words = WordCounts() }
        return words
    }
}

/// The words of the jobs of a round.
private final class CountingBoard: @unchecked Sendable {
    // - Invariant: every stored property below is read and written with `monitor` locked.
    private let monitor = Monitor()
    private var openCount = 0
    private var done: [WordCounts] = []

    func begin() { monitor.locked { openCount += 1 } }

    func finish(_ words: WordCounts) {
        monitor.locked {
            done.append(words)
            openCount -= 1
            monitor.wakeAll()
        }
    }

    /// Waits for the jobs that have begun.
    func takeAll() -> [WordCounts] {
        monitor.locked {
            while openCount > 0 { monitor.wait() }
            defer { done = [] }
            return done
        }
    }
}
