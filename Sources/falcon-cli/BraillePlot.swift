import FalconSystem

/// A curve drawn with braille characters, two dots wide and four high each, from 0 to its top.
///
/// The characters are written wherever the output goes, so a file holds what the terminal shows.
struct BraillePlot {
    /// Characters of a line of the plot.
    static let width = 64
    /// Points that fill the width.
    static let pointCount = 2 * width
    private static let height = 5
    private static let labelWidth = 10
    /// Bits of a character's dots, left and right column from top to bottom (Unicode block 2800).
    private static let dots: [[UInt32]] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]]

    /// The lines of a curve.
    ///
    /// - Parameters:
    ///   - values: at even distances, 0 or more; at most `pointCount`.
    ///   - top: the label of the largest value.
    ///   - end: the label of the last point.
    /// - Returns: the plot with its axes.
    static func lines(_ values: [Double], top: String, end: String) -> [String] {
        let largest = values.filter(\.isFinite).max() ?? 0
        var cells = [[UInt32]](repeating: [UInt32](repeating: 0, count: width), count: height)
        var previous: Int?
        for (x, value) in values.enumerated() {
            // Dots from the top.
            let share = largest > 0 && value.isFinite ? min(1, max(0, value / largest)) : 0
            let y = wholeNumber((1 - share) * Double(4 * height - 1))
            // A jump is a vertical line without the dot that it starts from.
            let from = previous.map { $0 < y ? $0 + 1 : $0 > y ? $0 - 1 : y } ?? y
            for dot in min(from, y)...max(from, y) {
                cells[dot / 4][x / 2] |= dots[x % 2][dot % 4]
            }
            previous = y
        }
        let rows = cells.enumerated().map { row, bits in
            label(row == 0 ? top : row == height - 1 ? "0" : "")
                + "│"
                + bits.map { $0 == 0 ? " " : String(Character(Unicode.Scalar(0x2800 + $0) ?? " ")) }
                .joined()
        }
        let space = String(repeating: " ", count: max(1, width - 1 - end.count))
        let border = String(repeating: "─", count: width)
        return rows + [label("") + "└" + border, label("") + " 0" + space + end]
    }

    private static func label(_ text: String) -> String {
        String(repeating: " ", count: max(0, labelWidth - text.count)) + text + " "
    }
}
