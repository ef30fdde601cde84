/// A line that shows a person the progress of a job.
///
/// On a terminal it is rewritten, a few times a second at most, and removed at the end. Elsewhere
/// there is a new line now and then, or none.
public final class ProgressLine {
    /// The place where the line is shown, and its clock.
    public struct Screen {
        /// Whether lines can be rewritten.
        public let isTerminal: Bool
        /// Seconds on a clock that only goes forward.
        public let now: () -> Double
        /// Shows a text as it is.
        public let write: (String) -> Void

        /// A screen.
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

    /// Removes a line that is being rewritten on a terminal.
    public static let erasure = "\r\u{1B}[K"
    private static let secondsBetweenUpdates = 0.2

    private let screen: Screen
    private let isQuiet: Bool
    /// The least time between two texts; nil where none are shown.
    private let interval: Double?
    private var lastShown: Double
    private var isMoving = false

    /// A line that is still empty.
    ///
    /// - Parameters:
    ///   - isQuiet: whether nothing at all is to be shown.
    ///   - secondsBetweenLines: the least time between two lines elsewhere than on a terminal; nil for
    ///     none.
    ///   - screen: the place where it is shown.
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

    /// Shows the progress, unless the last text was shown a moment ago.
    ///
    /// - Parameters:
    ///   - text: the text; evaluated only if it is shown.
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

    /// Removes the line if it is one that is rewritten.
    public func end() {
        if isMoving { screen.write(Self.erasure) }
        isMoving = false
    }
}
