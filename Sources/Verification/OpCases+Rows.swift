import FalconTensor

/// Cases of the ops that work row by row.
extension OpCase {
    static var rowCases: [OpCase] {
        embeddingCases + multipliedEmbeddingCases + linearCases + normCases + rangeNormCases
            + gatedNormCases + rotaryCases + gateCases
            + sumCases + headCases
    }

    /// Rows and columns: 1, primes, not multiples of a vector.
    private static let sizes = [(1, 1), (1, 7), (3, 8), (7, 33), (2, 131), (65, 5)]

    /// The epsilon of norms.
    ///
    /// Over a single channel x / sqrt(x² + ε) is nearly ±1, and its derivative has no correct digit in
    /// float32 unless ε is large.
    private static func epsilon(width: Int) -> Float { width == 1 ? 0.5 : 1e-5 }

    private static var embeddingCases: [OpCase] {
        [(1, 1, 1), (5, 3, 9), (11, 37, 65)].flatMap { vocabulary, width, count in
            let label = "\(count) tokens of \(vocabulary)x\(width)"
            let tokens = (0..<count).map { $0 * $0 % vocabulary }
            return [nil, Int32(0)].map { padding in
                OpCase(
                    "embedding", label + (padding == nil ? "" : ", padding 0"),
                    inputs: [
                        .parameter([vocabulary, width], normal(vocabulary * width, label))
                    ],
                    run: { arguments, tape in
                        embedding(
                            tape.device.indices(tokens.map(Int32.init)), arguments.parameter(0),
                            scale: 1.5, padding: padding, on: &tape)
                    },
                    reference: { values in
                        // The padding token's row is a constant: no gradient reaches it.
                        var table = values[0]
                        if padding != nil {
                            let row = normal(vocabulary * width, label)[0..<width]
                            table.replaceSubrange(0..<width, with: row.map(Double.init))
                        }
                        return Reference.embedding(tokens, table: table, width: width, scale: 1.5)
                    })
            }
        }
    }

    private static var multipliedEmbeddingCases: [OpCase] {
        [(1, 1, 1), (5, 3, 9), (11, 37, 130)].map { vocabulary, width, count in
            let label = "\(count) tokens of \(vocabulary)x\(width), multiplier"
            let tokens = (0..<count).map { $0 * $0 % vocabulary }
            return OpCase(
                "embedding", label,
                inputs: [
                    .parameter([vocabulary, width], normal(vocabulary * width, label)),
                    .parameter([1], [0.7]),
                ],
                run: { arguments, tape in
                    embedding(
                        tape.device.indices(tokens.map(Int32.init)), arguments.parameter(0),
                        scale: 1.5, multiplier: arguments.parameter(1), on: &tape)
                },
                reference: { values in
                    Reference.embedding(
                        tokens, table: values[0], width: width, scale: 1.5 * values[1][0])
                })
        }
    }

    private static var linearCases: [OpCase] {
        [(1, 1, 1), (3, 7, 5), (65, 33, 2), (2, 130, 17)].map { rows, inputs, outputs in
            let label = "\(rows)x\(inputs) to \(outputs)"
            // x lies between other columns.
            let width = inputs + 3
            return OpCase(
                "linear", label,
                inputs: [
                    .activation([rows, width], normal(rows * width, "x " + label)),
                    .parameter([outputs, inputs], normal(outputs * inputs, "w " + label)),
                ],
                run: { arguments, tape in
                    linear(
                        arguments.tensor(0).columns(1..<1 + inputs), arguments.parameter(1),
                        scale: 0.3, on: &tape)
                },
                reference: { values in
                    let x = (0..<rows).flatMap {
                        values[0][$0 * width + 1..<$0 * width + 1 + inputs]
                    }
                    return Reference.linear(
                        x, weight: values[1], rows: rows, scale: Double(Float(0.3)))
                })
        }
    }

    private static var normCases: [OpCase] {
        sizes.map { rows, width in
            let label = "\(rows)x\(width)"
            return OpCase(
                "rmsNorm", label,
                inputs: [
                    .activation([rows, width], normal(rows * width, "x " + label)),
                    .parameter([width], normal(width, "gain " + label, mean: 1)),
                ],
                run: { arguments, tape in
                    rmsNorm(
                        arguments.tensor(0), gain: arguments.parameter(1),
                        epsilon: epsilon(width: width), on: &tape)
                },
                reference: { values in
                    Reference.rmsNorm(
                        values[0], gain: values[1], epsilon: Double(epsilon(width: width)))
                })
        }
    }

    private static var rangeNormCases: [OpCase] {
        [(1, [1]), (3, [33]), (7, [5, 16, 16]), (65, [2, 1, 3]), (2, [131, 7])].map {
            rows, widths in
            let label = "\(rows) rows, widths \(widths)"
            // The ranges lie between other columns.
            let columnCount = widths.reduce(0, +)
            let (range, width) = (2..<2 + columnCount, columnCount + 3)
            let smallest = widths.reduce(columnCount, min)
            return OpCase(
                "rmsNorm", label,
                inputs: [.activation([rows, width], normal(rows * width, "x " + label))],
                run: { arguments, tape in
                    rmsNorm(
                        arguments.tensor(0).columns(range), widths: widths,
                        epsilon: epsilon(width: smallest), on: &tape)
                },
                reference: { values in
                    Reference.rmsNorm(
                        columns(range, of: values[0], width: width), widths: widths,
                        epsilon: Double(epsilon(width: smallest)))
                })
        }
    }

    private static var gatedNormCases: [OpCase] {
        [(1, 1, 1), (3, 8, 2), (7, 33, 3), (65, 5, 1), (2, 134, 2)].flatMap { rows, width, groups in
            let label = "\(rows)x\(width) in \(groups)"
            // The gate lies between other columns, as in the model.
            let gateWidth = width + 4
            let x = OpInput.activation([rows, width], normal(rows * width, "x " + label))
            let z = OpInput.activation([rows, gateWidth], normal(rows * gateWidth, "z " + label))
            let gain = OpInput.parameter([width], normal(width, "gain " + label, mean: 1))
            return [true, false].map { hasGain in
                OpCase(
                    "gatedRMSNorm", label + (hasGain ? "" : ", gate only"),
                    inputs: hasGain ? [x, z, gain] : [x, z],
                    run: { arguments, tape in
                        gatedRMSNorm(
                            arguments.tensor(0), gate: arguments.tensor(1).columns(2..<2 + width),
                            gain: hasGain ? arguments.parameter(2) : nil, groups: groups,
                            gateScale: 0.6, epsilon: epsilon(width: width / groups), on: &tape)
                    },
                    reference: { values in
                        let z = (0..<rows).flatMap {
                            values[1][$0 * gateWidth + 2..<$0 * gateWidth + 2 + width]
                        }
                        return Reference.gatedRMSNorm(
                            values[0], gate: z, gain: hasGain ? values[2] : nil, groups: groups,
                            gateScale: Double(Float(0.6)),
                            epsilon: Double(epsilon(width: width / groups)))
                    })
            }
        }
    }

    private static var rotaryCases: [OpCase] {
        [(1, 1, 2, 1.0), (7, 3, 6, 1), (65, 1, 8, 1), (5, 2, 34, 1), (9, 2, 8, 4)].map {
            rows, heads, d, factor in
            let label = "\(rows) rows of \(heads)x\(d), positions over \(factor)"
            // Positions start again in the middle, as at a segment.
            let positions = (0..<rows).map { $0 < rows / 3 ? $0 : $0 - rows / 3 }
            return OpCase(
                "rotary", label,
                inputs: [.activation([rows, heads * d], normal(rows * heads * d, "x " + label))],
                run: { arguments, tape in
                    rotary(
                        arguments.tensor(0),
                        positions: tape.device.indices(positions.map(Int32.init)),
                        table: RotaryTable(
                            positionCount: rows, headDimension: d, theta: 1e4, factor: factor,
                            on: tape.device),
                        on: &tape)
                },
                reference: { values in
                    Reference.rotary(
                        values[0], positions: positions, headDimension: d, theta: 1e4,
                        factor: factor)
                })
        }
    }

    private static var gateCases: [OpCase] {
        sizes.map { rows, width in
            let label = "\(rows)x\(width)"
            let inputs = ["gate ", "up "].map {
                OpInput.activation([rows, width], normal(rows * width, $0 + label))
            }
            return OpCase(
                "swiGLU", label, inputs: inputs,
                run: { arguments, tape in
                    swiGLU(gate: arguments.tensor(0), up: arguments.tensor(1), on: &tape)
                },
                reference: { Reference.swiGLU(gate: $0[0], up: $0[1]) })
        } + [fusedGateCase]
    }

    /// Gate and up as columns of one tensor, whose gradients share storage.
    private static var fusedGateCase: OpCase {
        let (rows, width) = (5, 7)
        return OpCase(
            "swiGLU", "columns of one tensor",
            inputs: [
                .activation([rows, 2 * width], normal(2 * rows * width, "gate and up"))
            ],
            run: { arguments, tape in
                let both = arguments.tensor(0)
                return swiGLU(
                    gate: both.columns(0..<width), up: both.columns(width..<2 * width), on: &tape)
            },
            reference: { values in
                let rowValues = (0..<rows).map { values[0][$0 * 2 * width..<($0 + 1) * 2 * width] }
                return Reference.swiGLU(
                    gate: rowValues.flatMap { $0.prefix(width) },
                    up: rowValues.flatMap { $0.suffix(width) })
            })
    }

    private static var sumCases: [OpCase] {
        [(1, 1), (7, 33)].flatMap { rows, width in
            [2, 3].map { count in
                let label = "\(count) of \(rows)x\(width)"
                return OpCase(
                    "sum", label,
                    inputs: (0..<count).map {
                        .activation(
                            [rows, width], normal(rows * width, "\($0) " + label),
                            isContiguous: true)
                    },
                    run: { arguments, tape in
                        sum(
                            arguments.tensor(0), arguments.tensor(1),
                            count == 3 ? arguments.tensor(2) : nil, on: &tape)
                    },
                    reference: { Reference.sum($0) })
            }
        }
    }

    private static var headCases: [OpCase] {
        [(1, 1, 3), (7, 33, 5), (17, 8, 131), (130, 3, 7)].flatMap { rows, width, vocabulary in
            [Float(0), 1e-3].map { zLoss in
                let label = "\(rows)x\(width) to \(vocabulary), z-loss \(zLoss)"
                let targets = (0..<rows).map { $0 % 5 == 3 ? -1 : $0 * $0 % vocabulary }
                return OpCase(
                    "headCrossEntropy", label,
                    inputs: [
                        .activation(
                            [rows, width], normal(rows * width, "x " + label),
                            isContiguous: true),
                        .parameter([vocabulary, width], normal(vocabulary * width, "w " + label)),
                    ], outputWeight: 0.25,
                    run: { arguments, tape in
                        headCrossEntropy(
                            arguments.tensor(0), arguments.parameter(1),
                            targets: tape.device.indices(targets.map(Int32.init)), scale: 0.8,
                            zLoss: zLoss, gradientScale: 0.25, on: &tape
                        ).losses
                    },
                    reference: { values in
                        Reference.crossEntropy(
                            Reference.linear(
                                values[0], weight: values[1], rows: rows, scale: Double(Float(0.8))),
                            targets: targets, zLoss: Double(zLoss))
                    })
            }
        }
    }
}
