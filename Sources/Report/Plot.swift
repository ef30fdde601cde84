import FalconSystem

#if canImport(Glibc)
    import Glibc
#endif

/// The ways to divide an axis.
enum AxisScale {
    case linear, log
    /// Linear, with ticks at whole numbers.
    case whole
}

/// Points of one name in a plot.
struct Series {
    var name: String
    /// The index of the colour; series of one index look alike.
    var color: Int
    var points: [(x: Double, y: Double)]
    var isLine = true
    var hasDots = false
    var isDashed = false
    /// Half the length of the bar at each point; empty for none.
    var bars: [Double?] = []
}

/// A plot as inline SVG, its colours from the page's style sheet.
struct Plot {
    var title: String
    var xLabel: String
    var yLabel: String
    var xScale = AxisScale.linear
    var yScale = AxisScale.linear
    var series: [Series]

    static let colorCount = 8
    private static let (width, height) = (640.0, 360.0)
    private static let (left, right, top, bottom) = (64.0, 16.0, 12.0, 46.0)

    private func scaled(_ value: Double, _ scale: AxisScale) -> Double {
        scale == .log ? log10(value) : value
    }

    /// Beyond these limits, differences between places on an axis are no longer finite.
    private static let limits = (least: 1e-200, most: 1e200)

    private func isDrawable(_ value: Double, _ scale: AxisScale) -> Bool {
        value.isFinite && abs(value) < Self.limits.most
            && (scale != .log || value > Self.limits.least)
    }

    /// The picture and its legend.
    var svg: String {
        let drawable = series.map { one -> Series in
            var kept = one
            let places = one.points.indices.filter {
                isDrawable(one.points[$0].x, xScale) && isDrawable(one.points[$0].y, yScale)
            }
            kept.points = places.map { one.points[$0] }
            kept.bars = one.bars.isEmpty ? [] : places.map { one.bars[$0] }
            return kept
        }.filter { !$0.points.isEmpty }
        guard !drawable.isEmpty else { return "<p class=\"missing\">Nothing to draw.</p>" }
        let xs = drawable.flatMap { $0.points.map { scaled($0.x, xScale) } }
        let ys = drawable.flatMap { one in
            one.points.indices.flatMap { place -> [Double] in
                let (y, bar) = (one.points[place].y, one.bars.isEmpty ? nil : one.bars[place])
                return [y, y - (bar ?? 0), y + (bar ?? 0)].filter { isDrawable($0, yScale) }
                    .map { scaled($0, yScale) }
            }
        }
        let x = Axis(xs, scale: xScale, margin: 0.03)
        let y = Axis(ys, scale: yScale, margin: 0.06)
        func px(_ value: Double) -> Double {
            Self.left + x.share(scaled(value, xScale)) * (Self.width - Self.left - Self.right)
        }
        func py(_ value: Double) -> Double {
            Self.height - Self.bottom
                - y.share(scaled(value, yScale)) * (Self.height - Self.top - Self.bottom)
        }
        var body = ""
        for tick in x.ticks {
            let place = short(px(tick.value))
            body +=
                "<line class=\"grid\" x1=\"\(place)\" x2=\"\(place)\" y1=\"\(short(Self.top))\" "
                + "y2=\"\(short(Self.height - Self.bottom))\"/>"
                + "<text class=\"tick\" x=\"\(place)\" y=\"\(short(Self.height - Self.bottom + 16))\" "
                + "text-anchor=\"middle\">\(escaped(tick.text))</text>"
        }
        for tick in y.ticks {
            let place = short(py(tick.value))
            body +=
                "<line class=\"grid\" x1=\"\(short(Self.left))\" x2=\"\(short(Self.width - Self.right))\" "
                + "y1=\"\(place)\" y2=\"\(place)\"/>"
                + "<text class=\"tick\" x=\"\(short(Self.left - 6))\" y=\"\(place)\" dy=\"4\" "
                + "text-anchor=\"end\">\(escaped(tick.text))</text>"
        }
        for one in drawable { body += drawn(one, px, py) }
        let middle = short(Self.top + (Self.height - Self.top - Self.bottom) / 2)
        body +=
            "<text class=\"label\" x=\"\(short((Self.left + Self.width - Self.right) / 2))\" "
            + "y=\"\(short(Self.height - 8))\" text-anchor=\"middle\">\(escaped(xLabel))</text>"
            + "<text class=\"label\" transform=\"translate(14 \(middle)) rotate(-90)\" "
            + "text-anchor=\"middle\">\(escaped(yLabel))</text>"
        return "<figure><figcaption>\(escaped(title))</figcaption>"
            + "<svg viewBox=\"0 0 \(short(Self.width)) \(short(Self.height))\" role=\"img\" "
            + "aria-label=\"\(escaped(title))\">\(body)</svg>\(legend(drawable))</figure>"
    }

    private func drawn(
        _ one: Series, _ px: (Double) -> Double, _ py: (Double) -> Double
    ) -> String {
        let color = "c\(one.color % Self.colorCount)"
        var body = ""
        if one.isLine && one.points.count > 1 {
            let points = one.points.map { "\(short(px($0.x))),\(short(py($0.y)))" }
            body +=
                "<polyline class=\"\(color)\(one.isDashed ? " dashed" : "")\" "
                + "points=\"\(points.joined(separator: " "))\"><title>\(escaped(one.name))</title>"
                + "</polyline>"
        }
        for (place, point) in one.points.enumerated() {
            if !one.bars.isEmpty, let bar = one.bars[place], isDrawable(point.y - bar, yScale),
                isDrawable(point.y + bar, yScale)
            {
                let x = short(px(point.x))
                body +=
                    "<line class=\"bar \(color)\" x1=\"\(x)\" x2=\"\(x)\" "
                    + "y1=\"\(short(py(point.y - bar)))\" y2=\"\(short(py(point.y + bar)))\"/>"
            }
            if one.hasDots || (one.isLine && one.points.count == 1) {
                body +=
                    "<circle class=\"\(color)\" cx=\"\(short(px(point.x)))\" "
                    + "cy=\"\(short(py(point.y)))\" r=\"3\"><title>\(escaped(one.name)): "
                    + "\(significant(point.x)), \(significant(point.y))</title></circle>"
            }
        }
        return body
    }

    private func legend(_ series: [Series]) -> String {
        var seen: Set<String> = []
        let entries = series.filter { seen.insert($0.name).inserted && !$0.name.isEmpty }
        guard !entries.isEmpty else { return "" }
        return "<div class=\"legend\">"
            + entries.map {
                "<span><i class=\"c\($0.color % Self.colorCount)\($0.isDashed ? " open" : "")\"></i>\(escaped($0.name))</span>"
            }.joined() + "</div>"
    }
}

/// One axis: its range and its ticks.
struct Axis {
    private let low: Double
    private let high: Double
    let ticks: [(value: Double, text: String)]

    /// An axis around finite numbers, already logarithms for a log scale.
    init(_ values: [Double], scale: AxisScale, margin: Double) {
        let (least, most) = (values.min() ?? 0, values.max() ?? 1)
        // Numbers that a double can hardly distinguish are drawn as one.
        let smallest = max(max(abs(least), abs(most)) * 1e-9, 1e-200)
        let isOne = most - least < smallest
        let center = (least + most) / 2
        let half =
            isOne ? max(abs(center) * 0.1, 0.1) * (0.5 + margin) : (most - least) * (0.5 + margin)
        (low, high) = (center - half, center + half)
        ticks =
            scale == .log
            ? Self.logTicks(low, high) : Self.linearTicks(low, high, least: scale == .whole ? 1 : 0)
    }

    func share(_ value: Double) -> Double { (value - low) / (high - low) }

    private static func linearTicks(
        _ low: Double, _ high: Double, least: Double
    ) -> [(Double, String)] {
        let power = pow(10, floor(log10((high - low) / 5)))
        let free =
            [1.0, 2, 5, 10].map { $0 * power }.first { (high - low) / $0 <= 7 } ?? 10 * power
        let step = max(least, free)
        let first = ceil(low / step)
        return (0...8).map { (first + Double($0)) * step }.filter { $0 <= high }.map {
            ($0, significant(abs($0) < step / 2 ? 0 : $0))
        }
    }

    private static func logTicks(_ low: Double, _ high: Double) -> [(Double, String)] {
        let factors: [Double] =
            high - low > 3 ? [1] : high - low > 1 ? [1, 3] : [1, 1.5, 2, 3, 5, 7]
        // Only some of many decades.
        let every = max(1, wholeNumber((high - low) / 12))
        let decades = wholeNumber(floor(low))...wholeNumber(ceil(high))
        return decades.filter { $0 % every == 0 }.flatMap { decade in
            factors.map { $0 * pow(10, Double(decade)) }
        }.filter { log10($0) >= low && log10($0) <= high }.map { ($0, significant($0)) }
    }
}

/// A number with at most two decimals, for places in a picture.
func short(_ value: Double) -> String {
    let hundredths = wholeNumber(value * 100)
    return hundredths % 100 == 0 ? "\(hundredths / 100)" : "\(Double(hundredths) / 100)"
}

/// A number with four significant digits, without trailing zeros; a dash if it is not finite.
func significant(_ value: Double) -> String {
    guard value.isFinite, value != 0 else { return value == 0 ? "0" : "-" }
    let exponent = wholeNumber(floor(log10(abs(value))))
    if exponent < -3 || exponent > 5 {
        // The power itself may be too small for a double.
        let mantissa =
            (value / pow(10, Double(exponent / 2)) / pow(10, Double(exponent - exponent / 2)) * 1000)
            .rounded() / 1000
        return trimmed(mantissa) + "e\(exponent)"
    }
    let scale = pow(10, Double(3 - exponent))
    return trimmed((value * scale).rounded() / scale)
}

private func trimmed(_ value: Double) -> String {
    value == value.rounded() ? "\(wholeNumber(value))" : "\(value)"
}

/// A text as written in HTML.
func escaped(_ text: String) -> String {
    var result = ""
    for letter in text {
        switch letter {
        case "&": result += "&amp;"
        case "<": result += "&lt;"
        case ">": result += "&gt;"
        case "\"": result += "&quot;"
        default: result.append(letter)
        }
    }
    return result
}
