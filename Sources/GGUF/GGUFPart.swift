import FalconSystem

/// One file of a model, which may be split into several.
///
/// - SeeAlso: `gguf-split` of llama.cpp: `NAME-00001-of-00003.gguf` and so on, numbered from 1 in names and
///   from 0 in `split.no`; the first has the metadata.
struct GGUFPart {
    private static let numberKey = "split.no"
    private static let countKey = "split.count"
    private static let tensorCountKey = "split.tensors.count"
    private static let digitCount = 5

    let path: String
    let file: MappedFile
    let header: GGUFHeader

    private init(path: String) throws {
        self.path = path
        let file = try MappedFile(path: path)
        header = try file.withBytes { bytes throws(GGUFError) in
            try GGUFHeader(bytes: bytes, path: path)
        }
        self.file = file
    }

    /// Opens a file and the others of its model.
    ///
    /// - Parameter path: any of the files.
    /// - Returns: all of them in order; one if the model is not split.
    /// - Throws: `FileError` for a file that cannot be opened, `GGUFError` for one that is wrong, missing,
    ///   or of another model.
    static func all(path: String) throws -> [GGUFPart] {
        let opened = try GGUFPart(path: path)
        let count = try opened.count()
        guard count > 1 else { return [opened] }
        let number = try opened.number()
        guard number < count, let stem = opened.stem(number, count) else {
            throw GGUFError(path: path, problem: .partName(number: number + 1, count: count))
        }
        var parts: [GGUFPart] = []
        for place in 0..<count {
            if place == number {
                parts.append(opened)
                continue
            }
            let other = stem + Self.suffix(place, count)
            guard fileKind(of: other) != .missing else {
                throw GGUFError(
                    path: path, problem: .missingPart(other, number: place + 1, count: count))
            }
            let part = try GGUFPart(path: other)
            guard try part.count() == count, try part.number() == place else {
                throw GGUFError(
                    path: other, problem: .wrongPart(want: "part \(place + 1) of \(count)"))
            }
            parts.append(part)
        }
        let got = parts.reduce(0) { $0 + $1.header.entries.count }
        if let want = try opened.integer(tensorCountKey), want != got {
            throw GGUFError(
                path: path, problem: .partTensorCount(got: got, want: want, parts: count))
        }
        return parts
    }

    private func integer(_ key: String) throws(GGUFError) -> Int? {
        header.metadata[key] == nil ? nil : try header.metadata.integer(key)
    }

    private func count() throws(GGUFError) -> Int { try integer(Self.countKey) ?? 1 }

    private func number() throws(GGUFError) -> Int { try integer(Self.numberKey) ?? 0 }

    /// The beginning of the names of all parts; nil if this one's name does not have its number.
    private func stem(_ number: Int, _ count: Int) -> String? {
        let suffix = Self.suffix(number, count)
        return path.hasSuffix(suffix) ? String(path.dropLast(suffix.count)) : nil
    }

    private static func suffix(_ number: Int, _ count: Int) -> String {
        func digits(_ value: Int) -> String {
            let text = String(value)
            return String(repeating: "0", count: max(0, digitCount - text.count)) + text
        }
        return "-\(digits(number + 1))-of-\(digits(count)).gguf"
    }
}
