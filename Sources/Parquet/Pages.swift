import CZlib
import FalconSystem

/// A page as it lies in the file.
struct Page {
    let header: PageHeader
    /// Its bytes, still compressed.
    let bytes: [UInt8]
}

/// The pages of a column chunk, in order.
struct Pages {
    /// Bytes that are read first to find a header's end.
    private static let headerByteCount = 512

    private let file: InputFile
    private let limit: Int
    /// The byte of the file at which the next page begins.
    private(set) var position: Int
    private let end: Int

    /// - Parameters:
    ///   - file: what holds the pages.
    ///   - range: their place.
    ///   - limit: bytes of the largest page that is read, before and after decompression.
    init(_ file: InputFile, in range: Range<Int>, limit: Int) {
        self.file = file
        self.limit = limit
        position = range.lowerBound
        end = range.upperBound
    }

    /// The next page.
    ///
    /// - Returns: nil behind the last one.
    /// - Throws: `ParquetFault`; `FileError`.
    mutating func next() throws -> Page? {
        while position < end {
            let (header, byteCount) = try nextHeader()
            let start = position + byteCount
            guard header.byteCount <= end - start else {
                throw ParquetFault(
                    "a page of \(header.byteCount) bytes, but the column has only \(end - start) left"
                )
            }
            guard header.byteCount <= limit, header.plainByteCount <= limit else {
                throw ParquetFault(
                    "a page of \(max(header.byteCount, header.plainByteCount)) bytes, want at most \(limit)",
                    remedy: "write the file again with smaller pages")
            }
            guard header.kind == .data || header.kind == .dataV2 || header.kind == .dictionary
            else {
                position = start + header.byteCount
                continue
            }
            let bytes = try file.bytes(at: start, count: header.byteCount)
            guard bytes.count == header.byteCount else { throw ParquetFault.cutShort("the file") }
            if let wanted = header.checksum, checksum(bytes) != wanted {
                throw ParquetFault(
                    "the page's CRC-32 is \(hexadecimal(checksum(bytes))), want \(hexadecimal(wanted))"
                )
            }
            position = start + header.byteCount
            return Page(header: header, bytes: bytes)
        }
        return nil
    }

    /// Reads ever more bytes until the header ends.
    private func nextHeader() throws -> (PageHeader, byteCount: Int) {
        var count = min(Self.headerByteCount, end - position)
        while true {
            var reader = ThriftReader(try file.bytes(at: position, count: count))
            do throws(ParquetFault) {
                return (try PageHeader(&reader), reader.position)
            } catch {
                guard error.isCutShort, count < end - position else { throw error }
                count = min(8 * count, end - position)
            }
        }
    }
}

private func checksum(_ bytes: [UInt8]) -> UInt32 {
    unsafe bytes.withUnsafeBufferPointer { bytes in
        UInt32(unsafe crc32_z(0, bytes.baseAddress, bytes.count))
    }
}

private func hexadecimal(_ number: UInt32) -> String { String(number, radix: 16) }
