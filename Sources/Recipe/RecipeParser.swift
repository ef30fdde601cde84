import Yams

/// Turns YAML text into values that know where they were written.
struct RecipeParser {
    /// Names the text in positions.
    let origin: (_ line: Int, _ column: Int) -> RecipeOrigin

    /// Reads one YAML document.
    ///
    /// - Parameter yaml: the text; a text without any value is an empty map.
    /// - Returns: the tree of values.
    /// - Throws: `RecipeError` with the position of what YAML or this reader refuses.
    func parse(_ yaml: String) throws(RecipeError) -> RecipeValue {
        do {
            // Without resolver rules Yams leaves scalars alone; `RecipeScalar` decides their kind.
            guard let root = try Yams.compose(yaml: yaml, .basic) else {
                return RecipeValue(content: .map(RecipeMap()), origin: origin(1, 1))
            }
            return try value(of: root)
        } catch let error as RecipeError {
            throw error
        } catch let error as YamlError {
            throw recipeError(from: error)
        } catch {
            throw RecipeError(origin(1, 1), "", "not YAML: \(error)")
        }
    }

    private func value(of node: Node) throws(RecipeError) -> RecipeValue {
        let position = origin(of: node.mark)
        switch node {
        case .scalar(let scalar):
            let isQuoted = scalar.style != .plain
            // Yams tags every quoted scalar as text by itself.
            let tag = scalar.tag.description
            guard tag.isEmpty || isQuoted && tag == "tag:yaml.org,2002:str" else {
                throw RecipeError(
                    position, "", "got the tag \(tag), wanted a plain value; leave the tag out")
            }
            let content = RecipeScalar(text: scalar.string, isQuoted: isQuoted)
            return RecipeValue(content: .scalar(content), origin: position)
        case .sequence(let sequence):
            var values: [RecipeValue] = []
            for element in sequence { values.append(try value(of: element)) }
            return RecipeValue(content: .list(values), origin: position)
        case .mapping(let mapping):
            var map = RecipeMap()
            for (key, element) in mapping {
                let keyOrigin = origin(of: key.mark)
                guard case .scalar(let name) = key else {
                    throw RecipeError(keyOrigin, "", "got a list or a map as a key, wanted a name")
                }
                map[name.string] = RecipeMap.Entry(
                    key: name.string, keyOrigin: keyOrigin, value: try value(of: element))
            }
            return RecipeValue(content: .map(map), origin: position)
        case .alias:
            throw RecipeError(position, "", "got an unresolved alias; write the value out")
        }
    }

    private func origin(of mark: Mark?) -> RecipeOrigin {
        origin(mark?.line ?? 1, mark?.column ?? 1)
    }

    private func recipeError(from error: YamlError) -> RecipeError {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            RecipeError(origin(of: mark), "", "not YAML: \(problem)")
        case .duplicatedKeysInMapping(let keys, let context):
            RecipeError(
                origin(of: context.mark), keys.joined(separator: ", "),
                "the key is written twice; keep one of them")
        case .reader(let problem, _, _, _):
            RecipeError(origin(1, 1), "", "not YAML: \(problem)")
        default:
            RecipeError(origin(1, 1), "", "not YAML: \(error)")
        }
    }
}
