/// The choice of matrices that have learnable multipliers, and of the sides that are scaled.
///
/// Trained matrices W are scaled to those that the model uses, V = diag(r) W diag(c) or s W. Noise and
/// weight decay fix the norm of W, of its rows and of its columns; r, c and s are free of that.
///
/// - SeeAlso: arXiv 2601.04890, sections 2 and 4.1 (`redundant`) and appendix C (`symmetryFree`).
public enum MultiplierPlacement: String, Codable, CaseIterable, Sendable {
    /// One s for each matrix, and for each part of a fused one.
    case scalar
    /// r and c for every matrix, only c for the head: their symmetries are held by weight decay.
    case redundant
    /// The most for which no two of them, or one and a norm's gain, can replace each other.
    case symmetryFree = "symmetry_free"
}

/// The sides on which a matrix is scaled.
public struct MultiplierSides: OptionSet, Sendable {
    /// The bits.
    public let rawValue: Int

    /// A set of sides.
    ///
    /// - Parameter rawValue: the bits.
    public init(rawValue: Int) { self.rawValue = rawValue }

    /// One number r for each output feature.
    public static let rows = MultiplierSides(rawValue: 1)
    /// One number c for each input feature.
    public static let columns = MultiplierSides(rawValue: 2)
}

/// The multipliers that a matrix may have, declared where the matrix is.
public struct MultiplierRoom: Equatable, Sendable {
    /// Sides in `MultiplierPlacement.redundant`.
    public let redundant: MultiplierSides
    /// Sides in `MultiplierPlacement.symmetryFree`.
    public let symmetryFree: MultiplierSides
    /// Whether it has one number in `MultiplierPlacement.scalar`.
    public let scalar: Bool

    /// No multipliers.
    public static let none = MultiplierRoom(redundant: [], symmetryFree: [], scalar: false)

    /// A matrix between hidden activations, or an embedding.
    ///
    /// - Parameter symmetryFree: the sides that nothing else in the model scales.
    /// - Returns: both sides in the redundant placement.
    public static func matrix(symmetryFree: MultiplierSides) -> MultiplierRoom {
        MultiplierRoom(redundant: [.rows, .columns], symmetryFree: symmetryFree, scalar: true)
    }

    /// The output head: no rows, which would be a short cut to the frequencies of tokens.
    public static let head = MultiplierRoom(redundant: [.columns], symmetryFree: [], scalar: true)

    func sides(_ placement: MultiplierPlacement) -> MultiplierSides {
        switch placement {
        case .scalar: []
        case .redundant: redundant
        case .symmetryFree: symmetryFree
        }
    }
}

/// A block of rows of a matrix that means something of its own, such as dt in a fused projection.
public struct RowPart: Equatable, Sendable {
    /// A word for names and messages.
    public let name: String
    /// The number of rows.
    public let rowCount: Int
    /// Whether its rows are scaled in `MultiplierPlacement.symmetryFree`, if the matrix' rows are.
    public let hasFreeRows: Bool

    /// A part.
    ///
    /// - Parameters:
    ///   - name: a word for names and messages.
    ///   - rowCount: at least 1.
    ///   - hasFreeRows: whether nothing else in the model scales its rows.
    public init(_ name: String, rowCount: Int, hasFreeRows: Bool = true) {
        self.name = name
        self.rowCount = rowCount
        self.hasFreeRows = hasFreeRows
    }
}
