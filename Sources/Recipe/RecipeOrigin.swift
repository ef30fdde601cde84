/// The place where a value of a recipe was written.
public enum RecipeOrigin: Hashable, Sendable, CustomStringConvertible {
    /// A recipe file; line and column count from 1.
    case file(path: String, line: Int, column: Int)
    /// A recipe that comes with the program; line and column count from 1.
    case shipped(name: String, line: Int, column: Int)
    /// `--set` on the command line, with the text after it.
    case setting(String)
    /// A resolved recipe, whose comment says where the value was first written.
    case recorded(String)

    /// The text that opens a message: `mine.yaml:3:5`, `shipped h1-0.5b.yaml:3:5`, `--set a=1`.
    public var description: String {
        switch self {
        case .file(let path, let line, let column): "\(path):\(line):\(column)"
        case .shipped(let name, let line, let column): "shipped \(name):\(line):\(column)"
        case .setting(let text): "--set \(text)"
        case .recorded(let place): place
        }
    }

    /// The text that was read, and the place in it, by which problems are sorted.
    var place: (source: String, line: Int, column: Int) {
        switch self {
        case .file(let path, let line, let column): (path, line, column)
        case .shipped(let name, let line, let column): ("shipped \(name)", line, column)
        case .setting(let text): ("--set \(text)", 0, 0)
        case .recorded(let place): (place, 0, 0)
        }
    }

    /// Whether the value is the program's default, not written for this recipe.
    var isDefault: Bool {
        if case .shipped(RecipeLibrary.defaultsName, _, _) = self { true } else { false }
    }
}
