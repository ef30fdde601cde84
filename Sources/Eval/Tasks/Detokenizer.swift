/// Turns a text of WikiText, whose words and marks stand apart, back into plain text, step by step as
/// lm-evaluation-harness does.
enum Detokenizer {
    /// Detokenizes a page.
    ///
    /// A step of the harness for numbers after an apostrophe is left out: it looks for slashes around it by
    /// mistake.
    static func wikiText(_ page: String) -> String {
        var text = page.replacingAsPython("s '", with: "s'")
        for (old, new) in [
            (" @-@ ", "-"), (" @,@ ", ","), (" @.@ ", "."), (" : ", ": "), (" ; ", "; "),
            (" . ", ". "), (" ! ", "! "), (" ? ", "? "), (" , ", ", "),
        ] {
            text = text.replacingAsPython(old, with: new)
        }
        for (open, close) in [("(", ")"), ("[", "]"), ("{", "}"), ("\"", "\""), ("'", "'")] {
            text = trimmedInside(text, open.unicodeScalars.first, close.unicodeScalars.first)
        }
        for (old, new) in [
            ("= = = =", "===="), ("= = =", "==="), ("= =", "=="), (" \u{B0} ", "\u{B0}"),
            (" \n", "\n"), ("\n ", "\n"), (" N ", " 1 "), (" 's", "'s"),
        ] {
            text = text.replacingAsPython(old, with: new)
        }
        return text
    }

    /// Removes white space just inside pairs of marks, as the expression `\(\s*([^\)]*?)\s*\)` finds them.
    private static func trimmedInside(
        _ text: String, _ open: Unicode.Scalar?, _ close: Unicode.Scalar?
    ) -> String {
        let scalars = Array(text.unicodeScalars)
        var (result, index) = (String.UnicodeScalarView(), 0)
        while index < scalars.count {
            if scalars[index] == open,
                let end = scalars[(index + 1)...].firstIndex(where: { $0 == close })
            {
                var inside = scalars[(index + 1)..<end]
                while inside.first?.isPythonSpace == true { inside.removeFirst() }
                while inside.last?.isPythonSpace == true { inside.removeLast() }
                result.append(scalars[index])
                result.append(contentsOf: inside)
                result.append(scalars[end])
                index = end + 1
            } else {
                result.append(scalars[index])
                index += 1
            }
        }
        return String(result)
    }
}
