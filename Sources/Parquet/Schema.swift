/// The column that holds the texts.
struct TextColumn: Equatable {
    /// The place among the columns of a row group, from 0.
    let index: Int
    /// The definition level of a value that is there: the number of optional fields on the way to it.
    let definitionLevel: Int
}

/// Looks for a column of text among the fields of a file, which come as a tree in depth-first order.
///
/// Nothing is kept of the other fields but the names of the first few columns of text.
struct Schema {
    /// Deeper nesting is refused.
    static let deepestNesting = 64
    /// Names of columns that a message has at most.
    private static let shownColumns = 20
    private static let shownCharacters = 40
    /// Numbers of parquet.thrift.
    private static let byteArray = 6
    private static let textConversions: Set<Int> = [0, 4, 19]
    private static let (optional, repeated) = (1, 2)

    private struct Group {
        let name: ArraySlice<UInt8>
        var childrenLeft: Int
        let definitionLevel: Int
        let isRepeated: Bool
    }

    /// One field as it stands in the file.
    private struct Element {
        var type: Int?
        var repetition = 0
        var name: ArraySlice<UInt8> = []
        var childCount = 0
        var conversion: Int?

        init(_ reader: inout ThriftReader) throws(ParquetFault) {
            var hasName = false
            try reader.readStructure { (reader, number, kind) throws(ParquetFault) in
                switch number {
                case 1: type = try reader.readInteger(kind)
                case 3: repetition = try reader.readInteger(kind)
                case 4: (name, hasName) = (try reader.readBytes(kind), true)
                case 5: childCount = try reader.readInteger(kind)
                case 6: conversion = try reader.readInteger(kind)
                default: return false
                }
                return true
            }
            guard hasName else { throw ParquetFault("a field of the schema has no name") }
            guard childCount >= 0, type == nil || childCount == 0,
                (0...repeated).contains(repetition)
            else {
                throw ParquetFault(
                    "a field of the schema has \(childCount) children, type "
                        + "\(type.map(String.init) ?? "none") and repetition \(repetition)")
            }
        }
    }

    private let wanted: [UInt8]
    private var groups: [Group] = []
    private var isStarted = false
    private var leafCount = 0
    private var found: TextColumn?
    private var foundCount = 0
    private var misfit: String?
    private var textColumns: [String] = []

    /// - Parameter wanted: the name of the column, or names of fields within each other with dots between.
    init(wanted: String) { self.wanted = Array(wanted.utf8) }

    /// Reads the next field.
    mutating func read(_ reader: inout ThriftReader) throws(ParquetFault) {
        let element = try Element(&reader)
        guard let parent = groups.last else {
            guard !isStarted else { throw ParquetFault("the schema has fields behind its end") }
            isStarted = true
            // The root.
            push(element, definitionLevel: 0, isRepeated: false)
            return
        }
        groups[groups.count - 1].childrenLeft -= 1
        let level = parent.definitionLevel + (element.repetition == Self.optional ? 1 : 0)
        let isRepeated = parent.isRepeated || element.repetition == Self.repeated
        let isWanted = isWanted(element.name)
        if let type = element.type {
            let isText =
                type == Self.byteArray
                && (element.conversion.map(Self.textConversions.contains) ?? true)
            if isText && !isRepeated { note(element.name) }
            if isWanted {
                foundCount += 1
                if isRepeated {
                    misfit = "is part of a list: it has any number of values a row, want one text"
                } else if !isText {
                    misfit = "holds no text but \(Self.name(ofType: type))"
                } else {
                    found = TextColumn(index: leafCount, definitionLevel: level)
                }
            }
            leafCount += 1
        } else {
            if isWanted {
                foundCount += 1
                misfit = "is a struct, list or map, want a column of text"
            }
            guard groups.count < Self.deepestNesting else {
                throw ParquetFault("the schema is nested deeper than \(Self.deepestNesting) levels")
            }
            push(element, definitionLevel: level, isRepeated: isRepeated)
        }
        while let last = groups.last, last.childrenLeft == 0 { groups.removeLast() }
    }

    private mutating func push(_ element: Element, definitionLevel: Int, isRepeated: Bool) {
        groups.append(
            Group(
                name: element.name, childrenLeft: element.childCount,
                definitionLevel: definitionLevel, isRepeated: isRepeated))
        while let last = groups.last, last.childrenLeft == 0 { groups.removeLast() }
    }

    /// The column, once all fields were read.
    ///
    /// - Returns: the column, or why there is none.
    func column() throws(ParquetFault) -> Result<TextColumn, WrongColumn> {
        guard isStarted, groups.isEmpty else { throw ParquetFault("the schema is cut short") }
        let name = String(decoding: wanted, as: UTF8.self)
        if foundCount > 1 {
            return .failure(WrongColumn("\(foundCount) columns are called \"\(name)\""))
        }
        if let found { return .success(found) }
        let others =
            textColumns.isEmpty
            ? "no column of the file holds one text a row"
            : "columns of text: \(textColumns.joined(separator: ", "))"
        guard let misfit else { return .failure(WrongColumn("no column \"\(name)\" (\(others))")) }
        return .failure(WrongColumn("column \"\(name)\" \(misfit) (\(others))"))
    }

    /// The reason why there is no such column.
    struct WrongColumn: Error {
        let reason: String
        init(_ reason: String) { self.reason = reason }
    }

    /// The root's name is no part of a column's.
    private var path: ArraySlice<Group> { groups.dropFirst() }

    private func isWanted(_ name: ArraySlice<UInt8>) -> Bool {
        // Names may be long and many: nothing is put together for those that cannot be the one.
        let count = path.reduce(name.count) { $0 + $1.name.count + 1 }
        return count == wanted.count && joined(name) == wanted
    }

    private func joined(_ name: ArraySlice<UInt8>) -> [UInt8] {
        Array((path.map(\.name) + [name]).joined(separator: [UInt8(ascii: ".")]))
    }

    private mutating func note(_ name: ArraySlice<UInt8>) {
        if textColumns.count == Self.shownColumns { textColumns.append("...") }
        guard textColumns.count < Self.shownColumns else { return }
        let whole = String(decoding: joined(name), as: UTF8.self)
        textColumns.append(String(whole.unicodeScalars.prefix(Self.shownCharacters)))
    }

    private static func name(ofType type: Int) -> String {
        let names = [
            "truth values", "32-bit integers", "64-bit integers", "96-bit times", "32-bit floats",
            "64-bit floats", "bytes that are not text", "bytes of a fixed length",
        ]
        return names.indices.contains(type) ? names[type] : "values of unknown type \(type)"
    }
}
