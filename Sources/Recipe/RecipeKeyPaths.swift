/// Places in recipes: some key paths, and all that is below them.
public struct RecipeKeyPaths: Sendable {
    private let paths: [[Substring]]

    /// Some places.
    ///
    /// - Parameter paths: key paths such as `train.recompute`; `*` stands for any one key, or any place in a
    ///   list.
    public init(_ paths: [String]) { self.paths = paths.map { $0.split(separator: ".") } }

    /// Whether a difference is at one of the places.
    ///
    /// - Parameter difference: of two recipes.
    /// - Returns: true also for everything below a place, such as all of a section.
    public func contain(_ difference: RecipeDifference) -> Bool {
        let keys = difference.keyPath.split(separator: ".")
        return paths.contains { path in
            path.count <= keys.count && zip(path, keys).allSatisfy { $0 == "*" || $0 == $1 }
        }
    }
}
