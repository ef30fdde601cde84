import FalconSystem
import Testing

@testable import FalconData

@Suite struct JSONLineTests {
    private func text(_ line: String, _ field: String = "text") throws -> String {
        var reader = JSONLine(Array(line.utf8))
        return try reader.text(ofField: field)
    }

    @Test(arguments: [
        (#"{"text":"a"}"#, "a"), (#" { "a" : [1, {"b": []}, {}] , "text" : "b" } "#, "b"),
        (#"{"text":"hello","score":NaN,"b":-Infinity,"c":Infinity}"#, "hello"),
        (#"{"n":-1.5e+10,"m":0,"t":true,"f":false,"z":null,"text":"x"}"#, "x"),
        (#"{"te\u0078t":"escaped key","text2":1}"#, "escaped key"),
        (#"{"text":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"}"#, "\"\\/\u{8}\u{C}\n\r\té😀"),
        (#"{"other":"\ud800 \q","text":"kept"}"#, "kept"), (#"{"text":""}"#, ""),
        (#"{"a":"}],{\"","text":"braces"}"#, "braces"),
    ]) func oneFieldIsTakenOut(_ line: String, _ wanted: String) throws {
        #expect(try text(line) == wanted)
    }

    /// Dots lead into objects; a key with the dots in it counts as well.
    @Test(arguments: [
        (#"{"id":{"text":"no"},"data":{"n":1,"text":"a"},"text":"no"}"#, "data.text", "a"),
        (#"{"data.text":"a","data":1}"#, "data.text", "a"),
        (#"{"a":{"b.c":"x","b":[{}]}}"#, "a.b.c", "x"), (#"{"a":{"b":{"c":"y"}}}"#, "a.b.c", "y"),
        (#"{"a.b":{"c":"z"}}"#, "a.b.c", "z"), (#"{"a":{},"a":{"b":"z"}}"#, "a.b", "z"),
        (#"{".":"dot"}"#, ".", "dot"),
        (#"{"":{"":"empty"}}"#, ".", "empty"),
    ]) func dotsLeadIntoObjects(_ line: String, _ field: String, _ wanted: String) throws {
        #expect(try text(line, field) == wanted)
    }

    @Test(arguments: [
        (#"{"data":{"text":1}}"#, "field \"data.text\" is not a string but a number"),
        (#"{"data":"text"}"#, "no field \"data.text\" (there is: data)"),
        (#"{"data":{"text":"a"},"data.text":"b"}"#, "\"data.text\" occurs twice"),
        (#"{"data":{"text":"a"},"data":{"text":"b"}}"#, "\"data.text\" occurs twice"),
        (#"{"data":{"text":"a""#, "the line ends inside"),
        (#"{"data":{"text":"a"]}"#, "expected ',' or '}'"),
    ]) func whatIsWrongInAnObjectIsNamed(_ line: String, _ reason: String) {
        let fault = #expect(throws: JSONLineFault.self) { try text(line, "data.text") }
        #expect(fault?.message.contains(reason) == true, "\(fault?.message ?? "")")
    }

    @Test(arguments: [
        (#"{"text":"a \ud800 b"}"#, 11, "\\ud800 is one half of a surrogate pair"),
        (#"{"text":"\ud83d\u0041"}"#, 9, "\\ud83d is one half"),
        (#"{"text":"\udc00"}"#, 9, "\\udc00 is one half"),
        (#"{"text":"a","text":"b"}"#, 12, "\"text\" occurs twice"),
        (#"{"text":"a"} {"text":"b"}"#, 13, "more after the end of the object"),
        (#"{"text":"a""#, 11, "the line ends inside the object"),
        (#"{"text":"a"#, 10, "the line ends inside"), (#"{"text":"\x"}"#, 9, "unknown escape"),
        (#"{"text":"\u12G4"}"#, 11, "four hexadecimal digits"),
        ("{\"text\":\"a\tb\"}", 10, "control character"), (#"{text:"a"}"#, 1, "a key in quotes"),
        (#"{"text" "a"}"#, 8, "':' after a key"),
        (#"{"text":"a","b":.5}"#, 16, "a value or a digit"),
        (#"{"a":1 "text":"b"}"#, 7, "expected ','"),
        (#"{"a":[1 2],"text":"b"}"#, 8, "expected ','"),
    ]) func theCauseAndItsPlaceAreNamed(_ line: String, _ offset: Int, _ reason: String) throws {
        let fault = #expect(throws: JSONLineFault.self) { try text(line) }
        #expect(fault?.offset == offset)
        #expect(fault?.message.contains(reason) == true, "\(fault?.message ?? "")")
    }

    @Test func whatIsNoObjectWithTheTextIsNamed() throws {
        for (line, reason) in [
            ("[1, 2]", "not a JSON object but a list"), ("\"a\"", "not a JSON object but a string"),
            ("{}", "no field \"text\""), (#"{"b":1,"a":2}"#, "(there is: a, b)"),
            (#"{"text":null}"#, "is not a string but null"),
            (#"{"text":[1]}"#, "is not a string but a list"),
        ] {
            let fault = #expect(throws: JSONLineFault.self) { try text(line) }
            #expect(fault?.message.contains(reason) == true, "\(line): \(fault?.message ?? "")")
        }
    }

    @Test func deepNestingTakesNoStack() throws {
        let deep = String(repeating: "[", count: 10_000) + String(repeating: "]", count: 10_000)
        #expect(try text("{\"a\":\(deep),\"text\":\"b\"}") == "b")
        let deeper = String(repeating: "{\"a\":", count: 200_000)
        let fault = #expect(throws: JSONLineFault.self) { try text("{\"a\":\(deeper)") }
        #expect(fault?.message.contains("nested deeper than 10000 levels") == true)
    }
}
