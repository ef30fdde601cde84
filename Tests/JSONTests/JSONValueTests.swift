import FalconJSON
import Testing

@Suite struct JSONValueTests {
    @Test(arguments: [
        #"{"b":1,"a":[true,false,null],"c":{"d":"x\"\\\n\u0001é😀"}}"#, "[]", "{}", "-0.5",
        "{\"\u{E9}\":1,\"e\u{301}\":2}",
        #"[1e+300,0.1,-3,1e-05,100000000000.0]"#,
    ])
    func textSurvivesARoundTrip(text: String) throws {
        #expect(try JSONValue(parsing: text).serialized() == text)
    }

    @Test func indentedTextIsWhatPythonWrites() throws {
        let value = try JSONValue(parsing: #"{"a":[1,2.5],"b":{},"c":[],"d":"x"}"#)
        #expect(
            value.serialized(indentation: 2) == """
                {
                  "a": [
                    1,
                    2.5
                  ],
                  "b": {},
                  "c": [],
                  "d": "x"
                }
                """)
    }

    @Test func readsEscapesAndSurrogatePairs() throws {
        #expect(
            try JSONValue(parsing: #""\u0041\ud83d\ude00\t\/""#) == .string("A\u{1F600}\t/"))
    }

    @Test func readsNumbersThatJSONCannotExpress() throws {
        #expect(try JSONValue(parsing: "[0.0, Infinity]").array?[1].number == .infinity)
        #expect(
            try JSONValue(parsing: #"{"__float__": "-Infinity"}"#).number == -Double.infinity)
        #expect(JSONValue.number(.infinity).serialized() == #"{"__float__":"Infinity"}"#)
    }

    @Test(arguments: [
        "", "{", "[1,]", "{\"a\":1,}", "{\"a\":1,\"a\":2}", "01", "1.", "-", "+1", "nul", "\"a",
        "\"\u{1}\"", "\"\\x\"", "\"\\ud83d\"", "[1] 2", "{a:1}", "{\"a\" 1}", "\"\\u12\"",
        String(repeating: "[", count: 100_000),
    ])
    func refusesWhatIsNotJSON(text: String) {
        #expect(throws: JSONError.self) { try JSONValue(parsing: text) }
    }

    @Test func theCauseAndItsPlaceAreNamed() throws {
        for (bytes, offset, reason) in [
            (Array(#"["\ud800"]"#.utf8), 2, "\\ud800 is one half of a surrogate pair"),
            (Array(#""a\ud83d\u0041""#.utf8), 2, "one half of a surrogate pair"),
            ([0xFF, 0xFE, 0x7B, 0], 0, "UTF-16"), ([0x7B, 0, 0x7D, 0], 0, "UTF-16"),
        ] as [([UInt8], Int, String)] {
            let error = #expect(throws: JSONError.self) { try JSONValue(parsing: bytes) }
            #expect(error?.offset == offset)
            #expect(error?.message.contains(reason) == true)
        }
        #expect(try JSONValue(parsing: "\u{FEFF}{}") == .object([:]))
    }

    @Test func refusesTextThatIsNotUTF8() {
        #expect(throws: JSONError.self) { try JSONValue(parsing: [0x22, 0xFF, 0x22]) }
    }
}
