/// A line that tells a person how far a job is.
///
/// On a terminal it is rewritten, some times a second at most, and taken away at the end. Elsewhere there is
/// a new line now and then, or none.
public final class ProgressLine {
    /// Where the line is shown, and the clock that it goes by.
    public struct Screen {
        /// Whether lines can be rewritten.
        public let isTerminal: Bool
        /// Seconds on a clock that only goes forward.
        public let now: () -> Double
        /// Shows a text as it is.
        public let write: (String) -> Void

        /// A screen of one's own.
        ///
        /// - Parameters:
        ///   - isTerminal: whether lines can be rewritten.
        ///   - now: seconds on a clock that only goes forward.
        ///   - write: shows a text as it is.
        public init(
            isTerminal: Bool, now: @escaping () -> Double, write: @escaping (String) -> Void
        ) {
            (self.isTerminal, self.now, self.write) = (isTerminal, now, write)
        }

        /// Standard error.
        public static var standardError: Screen {
            Screen(
                isTerminal: FalconSystem.isTerminal(2), now: monotonicSeconds,
                write: writeToStandardError)
        }
    }

    /// Takes a line away that is being rewritten on a terminal.
    public static let erasure = "\r\u{1B}[K"
    private static let secondsBetweenUpdates = 0.2

    private let screen: Screen
    private let isQuiet: Bool
    /// The least time between two texts; nil where none are shown.
    private let interval: Double?
    private var lastShown: Double
    private var isMoving = false

    /// A line that is empty yet.
    ///
    /// - Parameters:
    ///   - isQuiet: whether nothing at all is to be shown.
    ///   - secondsBetweenLines: the least time between two lines elsewhere than on a terminal; nil for
    ///     none.
    ///   - screen: where it is shown.
    public init(
        isQuiet: Bool, secondsBetweenLines: Double? = nil, on screen: Screen = .standardError
    ) {
        self.screen = screen
        self.isQuiet = isQuiet
        interval =
            isQuiet ? nil : screen.isTerminal ? Self.secondsBetweenUpdates : secondsBetweenLines
        lastShown = screen.now()
    }

    deinit { end() }

    /// Whether the next text will be shown.
    public var isDue: Bool { interval.map { screen.now() - lastShown >= $0 } ?? false }

    /// Shows how far the job is, unless the last text was shown a moment ago.
    ///
    /// - Parameters:
    ///   - text: what to show; not asked for if it is not shown.
    ///   - isNews: whether a terminal shows it in any case.
    public func show(_ text: @autoclosure () -> String, isNews: Bool = false) {
        guard isDue || isNews && screen.isTerminal && !isQuiet else { return }
        screen.write(screen.isTerminal ? Self.erasure + text() : text() + "\n")
        isMoving = screen.isTerminal
        lastShown = screen.now()
    }

    /// Writes a line that stays.
    ///
    /// - Parameter text: the line.
    public func write(_ text: String) {
        guard !isQuiet else { return }
        end()
        screen.write(text + "\n")
        lastShown = screen.now()
    }

    /// Takes the line away if it is one that is rewritten.
    public func end() {
        if isMoving { screen.write(Self.erasure) }
        isMoving = false
    }
}
