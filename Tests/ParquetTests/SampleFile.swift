/// A small file of one required column and one page of plain values, with faults where they are wanted.
struct SampleFile {
    static let values = ["one", "", "three"]

    var columnNames = ["text"]
    var codec = 0
    var encoding = 0
    var otherFile: String?
    var isEncrypted = false
    var hasIndexPage = false
    var rowCount = 3
    var groupRowCount = 3
    var valueCount = 3
    var pageValueCount = 3
    var groupCount = 1
    var dataOffset: Int?
    var chunkByteCount: Int?
    var pageByteCount: Int?
    var plainByteCount: Int?
    /// The bytes of the page.
    var page: [UInt8] = values.reduce(into: []) { page, value in
        page += [UInt8(truncatingIfNeeded: value.utf8.count), 0, 0, 0]
        page += Array(value.utf8)
    }
    var footerByteCount: Int?
    /// Groups that each hold the next one, around the columns.
    var nesting = 0
    var rootChildCount: Int?
    /// Stands in the footer as a field that is not known.
    var extra: [UInt8] = []

    private static func varint(_ number: Int) -> [UInt8] {
        var (number, bytes) = (UInt64(bitPattern: Int64(number)), [UInt8]())
        while number > 127 {
            bytes.append(UInt8(number & 127) | 128)
            number >>= 7
        }
        return bytes + [UInt8(number)]
    }

    /// A field of a structure, with the number of the field before it.
    private static func integer(_ number: Int, after last: Int, _ value: Int) -> [UInt8] {
        [UInt8((number - last) << 4 | 6)] + varint(value << 1 ^ value >> 63)
    }

    private static func text(_ number: Int, after last: Int, _ value: String) -> [UInt8] {
        [UInt8((number - last) << 4 | 8)] + varint(value.utf8.count) + Array(value.utf8)
    }

    private static func list(_ number: Int, after last: Int, _ structures: [[UInt8]]) -> [UInt8] {
        [UInt8((number - last) << 4 | 9), 0xFC] + varint(structures.count)
            + Array(structures.joined())
    }

    private func pages() -> [UInt8] {
        var bytes: [UInt8] = []
        if hasIndexPage {
            bytes +=
                Self.integer(1, after: 0, 1) + Self.integer(2, after: 1, 3)
                + Self.integer(3, after: 2, 3) + [0, 7, 7, 7]
        }
        bytes += Self.integer(1, after: 0, 0)
        bytes += Self.integer(2, after: 1, plainByteCount ?? page.count)
        bytes += Self.integer(3, after: 2, pageByteCount ?? page.count)
        bytes += [0x2C] + Self.integer(1, after: 0, pageValueCount)
        bytes += Self.integer(2, after: 1, encoding) + Self.integer(3, after: 2, 3)
        return bytes + Self.integer(4, after: 3, 3) + [0, 0] + page
    }

    private func schema() -> [[UInt8]] {
        let children = rootChildCount ?? (nesting > 0 ? 1 : columnNames.count)
        var fields = [Self.text(4, after: 0, "root") + Self.integer(5, after: 4, children) + [0]]
        for level in 0..<nesting {
            let count = level == nesting - 1 ? columnNames.count : 1
            fields.append(
                Self.integer(3, after: 0, 0) + Self.text(4, after: 3, "g")
                    + Self.integer(5, after: 4, count) + [0])
        }
        for name in columnNames {
            fields.append(
                Self.integer(1, after: 0, 6) + Self.integer(3, after: 1, 0)
                    + Self.text(4, after: 3, name) + [0])
        }
        return fields
    }

    private func chunk(_ byteCount: Int) -> [UInt8] {
        var metadata = Self.integer(1, after: 0, 6) + Self.integer(4, after: 1, codec)
        metadata += Self.integer(5, after: 4, valueCount)
        metadata += Self.integer(7, after: 5, chunkByteCount ?? byteCount)
        metadata += Self.integer(9, after: 7, dataOffset ?? 4) + [0]
        let file = otherFile.map { Self.text(1, after: 0, $0) } ?? []
        let key: [UInt8] = isEncrypted ? [0x5C, 0] : []
        return file + [UInt8((otherFile == nil ? 3 : 2) << 4 | 12)] + metadata + key + [0]
    }

    func made() -> [UInt8] {
        let data = pages()
        let chunks = columnNames.map { _ in chunk(data.count) }
        let group = Self.list(1, after: 0, chunks) + Self.integer(3, after: 1, groupRowCount) + [0]
        var footer = Self.integer(1, after: 0, 1) + Self.list(2, after: 1, schema())
        footer += Self.integer(3, after: 2, rowCount)
        footer += Self.list(4, after: 3, Array(repeating: group, count: groupCount)) + extra + [0]
        let count = UInt32(truncatingIfNeeded: footerByteCount ?? footer.count)
        let magic = Array("PAR1".utf8)
        return magic + data + footer + (0..<4).map { UInt8(truncatingIfNeeded: count >> (8 * $0)) }
            + magic
    }
}
