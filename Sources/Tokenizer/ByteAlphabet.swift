/// The characters that stand for bytes in byte-level vocabularies: a printable one for each byte.
///
/// - SeeAlso: `bytes_to_unicode` of openai/gpt-2, `src/encoder.py`.
enum ByteAlphabet {
    /// The character of every byte.
    static let scalars: [UInt32] = {
        var extra: UInt32 = 0x100
        return (UInt32(0)..<0x100).map { byte in
            switch byte {
            case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: return byte
            default:
                defer { extra += 1 }
                return extra
            }
        }
    }()

    private static let bytes: [UInt32: UInt8] = Dictionary(
        uniqueKeysWithValues: scalars.enumerated().map { ($1, UInt8($0)) })

    private static let byteOfScalar: [UInt8] = (UInt32(0)..<0x200).map { bytes[$0] ?? 0 }

    /// The byte that one of the characters stands for.
    static func byte(of scalar: UInt32) -> UInt8 { byteOfScalar[Int(scalar)] }

    /// The text that stands for bytes.
    static func text(of bytes: [UInt8]) -> String {
        var text = ""
        for byte in bytes {
            if let scalar = Unicode.Scalar(scalars[Int(byte)]) {
                text.unicodeScalars.append(scalar)
            }
        }
        return text
    }

    /// The bytes that a text of such characters stands for; nil if it has another character.
    static func bytes(of text: String) -> [UInt8]? {
        var found: [UInt8] = []
        for scalar in text.unicodeScalars {
            guard let byte = bytes[scalar.value] else { return nil }
            found.append(byte)
        }
        return found
    }
}
