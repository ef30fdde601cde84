#if canImport(Glibc)
    import Glibc
#endif

/// The number of times that a short text stands in a long one, without overlap.
func occurrences(of wanted: String, in text: String) -> Int {
    var (text, wanted) = (text, wanted)
    return text.withUTF8 { text in wanted.withUTF8 { unsafe occurrences(of: $0, in: text) } }
}

/// The number of times that a few bytes, at least one, stand among others, without overlap.
func occurrences(of wanted: [UInt8], in bytes: [UInt8]) -> Int {
    unsafe bytes.withUnsafeBufferPointer { bytes in
        unsafe wanted.withUnsafeBufferPointer { unsafe occurrences(of: $0, in: bytes) }
    }
}

private func occurrences(
    of wanted: UnsafeBufferPointer<UInt8>, in bytes: UnsafeBufferPointer<UInt8>
) -> Int {
    var count = 0
    var place = 0
    guard let start = bytes.baseAddress, let first = wanted.baseAddress else { return 0 }
    while bytes.count - place >= wanted.count,
        let found = unsafe memchr(
            start + place, Int32(wanted[0]), bytes.count - place - wanted.count + 1)
    {
        unsafe place = UnsafeRawPointer(found) - UnsafeRawPointer(start)
        if unsafe memcmp(start + place, first, wanted.count) == 0 {
            count += 1
            place += wanted.count
        } else {
            place += 1
        }
    }
    return count
}
