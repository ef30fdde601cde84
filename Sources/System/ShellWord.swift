/// A word of a command line as a person types it in a shell.
///
/// - Parameter word: any text.
/// - Returns: the text, in quotation marks where the shell would read it otherwise.
public func quotedForShell(_ word: String) -> String {
    let isPlain = word.allSatisfy {
        $0.isASCII && ($0.isLetter || $0.isNumber || "_./-+=".contains($0))
    }
    if isPlain && !word.isEmpty { return word }
    return "'"
        + word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''")
        + "'"
}
