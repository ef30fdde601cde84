import ArgumentParser
import FalconSystem
import FalconTensor
import FoundationEssentials

/// Options that every working command has.
struct CommonOptions: ParsableArguments {
    @Option(help: "Threads to compute with; results are the same for any number.")
    var threads: Int?

    @Flag(help: "Write one versioned JSON object to standard output.")
    var json = false

    @Flag(help: "Say nothing on standard error but errors.")
    var quiet = false

    func validate() throws {
        if let threads, threads < 1 {
            throw ValidationError("--threads is \(threads); want at least 1")
        }
    }

    /// The threads asked for, or all usable cores.
    var threadCount: Int { threads ?? Device.usableCoreCount }

    /// Says something to a person, on standard error.
    func say(_ text: String) {
        if !quiet { writeToStandardError(text + "\n") }
    }
}

/// Writes an object as one line of JSON to standard output, keys sorted.
func printJSON(_ value: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    print(String(decoding: try encoder.encode(value), as: UTF8.self))
}

extension Double {
    /// With a fixed number of digits after the point.
    func fixed(_ digits: Int) -> String {
        let scale = (0..<digits).reduce(1.0) { scale, _ in scale * 10 }
        guard isFinite, abs(self) * scale < 9e15 else { return "\(self)" }
        let scaled = Int((abs(self) * scale).rounded())
        let sign = self < 0 && scaled > 0 ? "-" : ""
        guard digits > 0 else { return sign + String(scaled) }
        let text = String(scaled)
        let padded = String(repeating: "0", count: max(0, digits + 1 - text.count)) + text
        return sign + padded.dropLast(digits) + "." + padded.suffix(digits)
    }
}

extension Int {
    /// With commas between groups of three digits.
    var grouped: String {
        let digits = Array(String(magnitude))
        var text = ""
        for (index, digit) in digits.enumerated() {
            if index > 0 && (digits.count - index) % 3 == 0 { text.append(",") }
            text.append(digit)
        }
        return self < 0 ? "-" + text : text
    }

    /// Bytes in a unit that keeps the number short.
    var bytes: String {
        let units = ["B", "KiB", "MiB", "GiB", "TiB"]
        var (value, unit) = (Double(self), 0)
        while value >= 1024 && unit < units.count - 1 { (value, unit) = (value / 1024, unit + 1) }
        return unit == 0 ? "\(self) B" : "\(value.fixed(1)) \(units[unit])"
    }
}

/// Seconds as `1h02m`, `3m20s` or `12s`.
func duration(_ seconds: Double) -> String {
    let whole = Int(seconds.rounded())
    func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
    if whole >= 3600 { return "\(whole / 3600)h\(two(whole % 3600 / 60))m" }
    if whole >= 60 { return "\(whole / 60)m\(two(whole % 60))s" }
    return "\(whole)s"
}
