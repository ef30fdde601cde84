import Foundation
import Testing

@testable import FalconRecipe

/// Texts that stand for more than anybody can read: refused at once, by place.
@Suite struct BoundTests {
    /// Nine lists of nine aliases each: 9^9 values in 350 bytes.
    private static let bomb = (0..<9).reduce("a0: &a0 [x]\n") { text, level in
        let aliases = Array(repeating: "*a\(level)", count: 9).joined(separator: ",")
        return text + "a\(level + 1): &a\(level + 1) [\(aliases)]\n"
    }

    private static func lists(_ depth: Int) -> String {
        String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }

    private static func keys(_ count: Int) -> String {
        (0..<count).map { "key\($0): 1\n" }.joined()
    }

    private static let cases: [(yaml: String, words: String)] = [
        (bomb, "bomb.yaml:6:"), (bomb, "stands for more than 65536 values"),
        // Comparing keys must not follow the aliases either.
        (bomb + "? *a9\n: x\n", "bomb.yaml:6:"), ("[a, b]: 5", "a list or a map as a key"),
        (String(repeating: "[", count: 100_000), "not YAML"),
        (String(repeating: "{a: ", count: 60_000), "more than 64 deep"),
        (lists(65), "bomb.yaml:1:65"),
        (String(repeating: "- ", count: 80) + "x", "more than 64 deep"),
        (String(repeating: "x", count: 1 << 20) + ": a", "1048579 bytes, wanted at most 1048576"),
        (keys(40_000), "stands for more than 65536 values"),
        ("a: &a [*a]", "bomb.yaml:1:8: *a names nothing before it"),
        ("a: *b", "bomb.yaml:1:4: *b names nothing before it"),
        ("a: {b: 1}\nc: {<<: *x}", "merge keys are not read"),
        ("name: a\n---\nname: b\n", "bomb.yaml:2:1: found another document"),
        ("a: !!int 5", "got the tag tag:yaml.org,2002:int"), ("a: !x {b: 1}", "got the tag !x"),
        ("a: 1\nb: \u{1}\n", "bomb.yaml:2:1: not YAML: control characters"),
    ]

    @Test(arguments: cases) func refused(_ yaml: String, _ words: String) throws {
        let start = ContinuousClock.now
        let error = #expect(throws: RecipeError.self) {
            try RecipeDocument(yaml: yaml, name: "bomb.yaml", library: RecipeLibrary([:]))
        }
        let text = error?.description ?? ""
        #expect(text.contains(words), "\(text.prefix(200))")
        #expect(ContinuousClock.now - start < .seconds(20))
    }

    @Test func aliasesStandForWhatTheyName() throws {
        let yaml = "a: &n 9\nb: [*n, *n]\nc: &m {&k d: *n}\n*k : *m\n"
        let document = try RecipeDocument(
            yaml: "\u{FEFF}" + yaml, name: "a.yaml", library: RecipeLibrary([:]))
        #expect(document.keyPaths == ["a", "b", "b.0", "b.1", "c", "c.d", "d", "d.d"])
        #expect(document.root.value(at: ["b", "1"])?.scalar?.text == "9")
        #expect(document.root.value(at: ["d", "d"])?.origin.description == "a.yaml:1:4")
    }

    @Test func aMapKeepsItsOrderWhenKeysGo() {
        var map = RecipeMap()
        let value = RecipeValue(content: .list([]), origin: .setting(""))
        for key in ["a", "b", "c", "d"] {
            map[key] = RecipeMap.Entry(key: key, keyOrigin: .setting(key), value: value)
        }
        map["b"] = nil
        map["d"] = RecipeMap.Entry(key: "d", keyOrigin: .setting("new"), value: value)
        map["x"] = nil
        #expect(map.entries.map(\.key) == ["a", "c", "d"])
        #expect(map["d"]?.keyOrigin == .setting("new") && map["b"] == nil)
    }

    @Test func onlyTheFirstProblemsAreListed() throws {
        struct Section: Decodable {
            let size: Int
            enum CodingKeys: String, CodingKey, CaseIterable { case size }
        }
        let yaml = "size: 1\n" + Self.keys(20_000)
        let document = try RecipeDocument(yaml: yaml, name: "a.yaml", library: RecipeLibrary([:]))
        let error = #expect(throws: RecipeError.self) { try document.decode(Section.self) }
        #expect(error?.problems.count == 101)
        #expect(error?.problems.last?.description.contains("first 100 problems") == true)
    }

    /// A pipe is read like a file; a device that never ends is no recipe.
    @Test func pipesAndDevices() throws {
        let pipe = Pipe()
        pipe.fileHandleForWriting.write(Data("name: piped\n".utf8))
        try pipe.fileHandleForWriting.close()
        let path = "/dev/fd/\(pipe.fileHandleForReading.fileDescriptor)"
        let document = try RecipeDocument(recipe: path, library: RecipeLibrary([:]))
        #expect(document.root.value(at: ["name"])?.scalar?.text == "piped")
        let error = #expect(throws: RecipeError.self) {
            try RecipeDocument(recipe: "/dev/zero", library: RecipeLibrary([:]))
        }
        #expect(error?.description.contains("this is not a recipe") == true)
    }
}
