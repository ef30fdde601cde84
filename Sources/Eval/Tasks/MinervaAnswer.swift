/// The final answer to a problem of MATH, in the form in which two are compared.
///
/// Units, articles, marks of text and dollar signs go; short forms of fractions and roots become long ones. Equal
/// texts are equal answers; what is equal only by algebra is not.
///
/// - SeeAlso: Lewkowycz et al., arXiv 2206.14858, appendix D.
struct MinervaAnswer: Equatable {
    /// The answer as normalized.
    let text: String

    /// The final answer of a written solution; nil if it has none.
    ///
    /// - Parameter solution: ends as the examples do.
    init?(solution: String) {
        // The dot matches any character, as the harness's does; the end may be missing.
        let end = "I hope it is correct."
        let pattern = #/Final Answer: The final answer is(.*?). I hope it is correct\./#
        guard let match = (solution + end).firstMatch(of: pattern.asPython) else { return nil }
        self.init(normalizing: String(match.1).strippedAsPython())
    }

    /// The answer in the last box of a solution; nil if there is no box.
    ///
    /// - Parameter solution: a solution of the set.
    init?(boxedIn solution: String) {
        guard let box = Self.lastBox(solution) else { return nil }
        self.init(normalizing: box)
    }

    /// The inside of the last `\boxed{…}`, or what follows the last `\boxed ` up to a dollar sign.
    static func lastBox(_ text: String) -> String? {
        let spaced = text.splitAsPython(#"\boxed "#)
        if spaced.count > 1 { return spaced.last?.splitAsPython("$").first }
        let parts = text.splitAsPython(#"\boxed"#)
        // The harness finds `\fbox` too, but then takes no answer from it.
        guard parts.count > 1, let rest = parts.last, rest.hasPrefix("{") else { return nil }
        var (depth, inside) = (0, String.UnicodeScalarView())
        for scalar in rest.unicodeScalars {
            if scalar == "}" { depth -= 1 }
            if depth == 0 && scalar == "}" { return String(inside) }
            if depth > 0 { inside.append(scalar) }
            if scalar == "{" { depth += 1 }
        }
        return nil
    }

    /// Normalizes an answer.
    ///
    /// - Parameter answer: in LaTeX.
    init(normalizing answer: String) {
        var text = answer.splitAsPython("=").last ?? ""
        for (old, new) in Self.replaced { text = text.replacingAsPython(old, with: new) }
        for old in Self.removed { text = text.replacingAsPython(old, with: "") }
        text.replace(#/(?:.*?)\$(.*?)\$(?:.*)/#.asPython) { "$\($0.1)$" }
        text.replace(#/\\text\{(.*?)\}/#.asPython) { $0.1 }
        text.replace(#/\\textbf\{(.*?)\}/#.asPython) { $0.1 }
        text.replace(#/\\overline\{(.*?)\}/#.asPython) { $0.1 }
        text.replace(#/\\boxed\{(.*)\}/#.asPython) { $0.1 }
        text.replace(#/frac([^{])(.)/#.asPython) { "frac{\($0.1)}{\($0.2)}" }
        text.replace(#/sqrt([^{])/#.asPython) { "sqrt{\($0.1)}" }
        text = text.replacingAsPython("$", with: "")
        let digits = text.replacingAsPython(",", with: "")
        let isNumber = !digits.isEmpty && digits.unicodeScalars.allSatisfy(\.isPythonDigit)
        self.text = (isNumber ? digits : text).strippedAsPython()
    }

    private static let replaced = [
        ("an ", ""), ("a ", ""), (".$", "$"), (#"\$"#, ""), (#"\ "#, ""), (" ", ""),
        ("mbox", "text"), (#",\text{and}"#, ","), (#"\text{and}"#, ","),
        (#"\text{m}"#, #"\text{}"#),
    ]
    private static let removed =
        [
            "square", "ways", "integers", "dollars", "mph", "inches", "ft", "hours", "km", "units",
            #"\ldots"#, "sue", "points", "feet", "minutes", "digits", "cents", "degrees", "cm",
            "gm", "pounds", "meters", "meals", "edges", "students", "childrentickets", "multiples",
            #"\text{s}"#, #"\text{.}"#, "\\text{\ns}", #"\text{}^2"#, #"\text{}^3"#,
            "\\text{\n}", #"\text{}"#, #"\mathrm{th}"#, #"^\circ"#, #"^{\circ}"#, #"\;"#, #",\!"#,
            "{,}", "\"", #"\dots"#,
        ]
}

extension Regex {
    /// Matches scalar by scalar.
    fileprivate var asPython: Regex<Output> { matchingSemantics(.unicodeScalar) }
}
