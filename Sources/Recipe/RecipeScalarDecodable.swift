/// A type that a single plain value of a recipe can have.
protocol RecipeScalarDecodable: Decodable {
    /// The stand-in for a wrong value while the other problems are collected.
    static var placeholder: Self { get }
    /// The words of a message for the wanted value.
    static var wanted: String { get }
    /// The value, or nil if the scalar is not one of this type, exactly.
    init?(_ scalar: RecipeScalar)
}

extension RecipeScalarDecodable {
    /// The remedy at the end of a message about a wrong value.
    static func advice(for value: RecipeValue) -> String {
        guard let scalar = value.scalar else { return "" }
        if scalar.isQuoted, Self(RecipeScalar(text: scalar.text, isQuoted: false)) != nil {
            return "; remove the quotes"
        }
        if !scalar.isQuoted, Self(RecipeScalar(text: scalar.text, isQuoted: true)) != nil {
            return "; put it in quotes"
        }
        return ""
    }
}

extension Bool: RecipeScalarDecodable {
    static var placeholder: Bool { false }
    static var wanted: String { "true or false" }

    init?(_ scalar: RecipeScalar) {
        guard case .truth(let truth) = scalar.kind else { return nil }
        self = truth
    }
}

extension String: RecipeScalarDecodable {
    static var placeholder: String { "" }
    static var wanted: String { "text" }

    init?(_ scalar: RecipeScalar) {
        guard scalar.kind == .text else { return nil }
        self = scalar.text
    }
}

extension Double: RecipeScalarDecodable {
    static var placeholder: Double { 0 }
    static var wanted: String { "a finite number" }

    init?(_ scalar: RecipeScalar) {
        guard let text = scalar.number, let number = Double(text), number.isFinite else {
            return nil
        }
        self = number
    }
}

extension Float: RecipeScalarDecodable {
    static var placeholder: Float { 0 }
    static var wanted: String { "a finite number" }

    init?(_ scalar: RecipeScalar) {
        guard let text = scalar.number, let number = Float(text), number.isFinite else {
            return nil
        }
        self = number
    }
}

extension RecipeScalarDecodable where Self: FixedWidthInteger {
    static var placeholder: Self { 0 }

    static var wanted: String {
        switch (Self.min == 0, Self.bitWidth) {
        case (false, 64): "a whole number"
        case (true, 64): "a whole number, 0 or more"
        default: "a whole number from \(Self.min) to \(Self.max)"
        }
    }

    /// Reads digits, or a decimal number that is whole: `1.0e8`.
    init?(_ scalar: RecipeScalar) {
        guard let text = scalar.number else { return nil }
        if scalar.kind == .integer {
            self.init(text)
            return
        }
        // Above 2^53, neighbouring whole numbers share one Double: write the digits out instead.
        guard let number = Double(text), number.magnitude <= 0x1p53 else { return nil }
        self.init(exactly: number)
    }
}

extension Int: RecipeScalarDecodable {}
extension Int8: RecipeScalarDecodable {}
extension Int16: RecipeScalarDecodable {}
extension Int32: RecipeScalarDecodable {}
extension Int64: RecipeScalarDecodable {}
extension UInt: RecipeScalarDecodable {}
extension UInt8: RecipeScalarDecodable {}
extension UInt16: RecipeScalarDecodable {}
extension UInt32: RecipeScalarDecodable {}
extension UInt64: RecipeScalarDecodable {}
