/// The candidate that a misspelt word most likely means.
///
/// - Parameters:
///   - word: the word that was written.
///   - candidates: words that could have been meant, best first among equals.
/// - Returns: the nearest candidate if at most a third of the word (at least two letters) differs.
/// - Complexity: O(candidates · word · candidate) letters.
public func suggestion(for word: String, among candidates: some Sequence<String>) -> String? {
    var best: (name: String, distance: Int)?
    for candidate in candidates {
        guard let distance = misspelling(of: candidate, as: word) else { continue }
        if distance < best?.distance ?? .max { best = (candidate, distance) }
    }
    return best?.name
}

/// The distance of a word from one that was meant, if it may be a misspelling of it.
///
/// - Parameters:
///   - meant: a right word.
///   - word: the word that was written.
/// - Returns: letters that differ, 0 for equal words; nil if more than a third (at least two) do.
public func misspelling(of meant: String, as word: String) -> Int? {
    // Nobody misspells a word as long as a page.
    guard word.utf8.count <= 200 else { return nil }
    let letters = Array(word.lowercased())
    let distance = editDistance(letters, Array(meant.lowercased()))
    let isNear = distance <= max(2, letters.count / 3) && distance < max(letters.count, 2)
    return isNear ? distance : nil
}

/// The number of letters inserted, deleted, replaced or swapped with a neighbour between two words.
private func editDistance(_ a: [Character], _ b: [Character]) -> Int {
    var beforePrevious: [Int] = []
    var previous = Array(0...b.count)
    for i in a.indices {
        var current = [i + 1]
        for j in b.indices {
            var cost = min(
                previous[j + 1] + 1, current[j] + 1, previous[j] + (a[i] == b[j] ? 0 : 1))
            if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] {
                cost = min(cost, beforePrevious[j - 1] + 1)
            }
            current.append(cost)
        }
        beforePrevious = previous
        previous = current
    }
    return previous[b.count]
}

/// The end of a message that names the word probably meant.
///
/// - Parameter name: the suggestion, if there is one.
/// - Returns: "; did you mean NAME?", or nothing.
public func didYouMean(_ name: String?) -> String {
    name.map { "; did you mean \($0)?" } ?? ""
}
