import Testing

@testable import FalconTensor
@testable import FalconVerification

/// Ops that write one element too far, or too little, are caught wherever that element lies.
@Suite struct SentinelTests {
    private static let (rows, width) = (3, 5)

    /// y = x + a gain's row, with a fault.
    private func damage(
        in layout: OpLayout = .whole,
        forward: @escaping (OpArguments, _ output: Tensor, any Backend) -> Void = { _, _, _ in },
        backward: @escaping (_ gradient: Tensor, Parameter, any Backend) -> Void = { _, _, _ in }
    ) -> [String] {
        let (rows, width) = (Self.rows, Self.width)
        let opCase = OpCase(
            "planted", "\(rows)x\(width)",
            inputs: [
                .activation([rows, width], OpCase.normal(rows * width, "x")),
                .parameter([16], OpCase.normal(16, "gain")),
            ],
            run: { arguments, tape in
                let (x, y) = (arguments.tensor(0), tape.device.empty([rows, width]))
                let backend = tape.device.backend
                backend.copy(from: x, to: y, scale: 1)
                forward(arguments, y, backend)
                let place = x.place
                tape.record(y, reading: []) { dy, gradients in
                    let dx = gradients.target(of: place)
                    if !dx.accumulates { backend.fill(dx.tensor, with: 0) }
                    backend.add(dy, to: dx.tensor, scale: 1)
                    backward(dx.tensor, arguments.parameter(1), backend)
                }
                return y
            }, reference: { $0[0] })
        return opCase.result(on: Device(threadCount: 1), layout: layout).damage
    }

    /// The element behind the last one.
    private func behind(_ tensor: Tensor) -> Tensor {
        let last = tensor.offset + (tensor.rowCount - 1) * tensor.rowStride + tensor.columnCount
        return Tensor(storage: tensor.storage, offset: last, shape: [1], rowStride: 1)
    }

    @Test(arguments: [OpLayout.whole, .betweenSentinels])
    func anOpThatKeepsToItsTensorsIsFine(layout: OpLayout) {
        #expect(damage(in: layout) == [])
    }

    @Test func aWriteBehindTheOutputIsFound() {
        #expect(
            damage(forward: { _, y, backend in backend.fill(behind(y), with: 0) }) == [
                "what lies behind 60 bytes"
            ])
    }

    @Test func aWriteBehindAnInputIsFound() {
        let found = damage(forward: { arguments, _, backend in
            backend.fill(behind(arguments.tensor(0)), with: 0)
        })
        #expect(found == ["what lies behind 60 bytes"])
    }

    @Test func aWriteToAnInputIsFound() {
        let found = damage(forward: { arguments, _, backend in
            backend.fill(arguments.tensor(0).rows(1..<2).columns(4..<5), with: 0)
        })
        #expect(found == ["input 0"])
    }

    /// One column too many, seen through a view: the next row of a whole tensor begins there.
    @Test(arguments: 0..<3) func aWriteBetweenTheRowsOfAnInputIsFound(row: Int) {
        let found = damage(
            in: .betweenSentinels,
            forward: { arguments, _, backend in
                backend.fill(behind(arguments.tensor(0).rows(0..<row + 1)), with: 0)
            })
        #expect(found == ["input 0"])
    }

    @Test(arguments: 0..<3) func aSumBetweenTheRowsOfAGradientIsFound(row: Int) {
        let found = damage(
            in: .betweenSentinels,
            backward: { gradient, _, backend in
                let next = behind(gradient.rows(0..<row + 1))
                backend.add(gradient.rows(0..<1).columns(0..<1), to: next, scale: 1)
            })
        #expect(found == ["what lies around the gradient of input 0"])
    }

    @Test func aSumBehindAGradientIsFound() {
        let found = damage(backward: { gradient, _, backend in
            backend.add(
                gradient.rows(0..<1).columns(0..<1), to: behind(gradient), scale: 1)
        })
        #expect(found == ["what lies behind 60 bytes"])
    }

    @Test func aWriteBehindAParameterIsFound() {
        let found = damage(forward: { arguments, _, backend in
            backend.fill(behind(arguments.parameter(1).value), with: 0)
        })
        #expect(found == ["parameters"])
    }

    @Test func aSumBehindTheGradientOfAParameterIsFound() {
        let found = damage(backward: { gradient, parameter, backend in
            backend.add(
                gradient.rows(0..<1).columns(0..<1), to: behind(parameter.gradient), scale: 1)
        })
        #expect(found == ["what lies between gradients"])
    }

    @Test func aWriteBehindScratchIsFound() {
        let device = Device(threadCount: 1)
        let sentinels = Sentinels()
        device.arena.watch = sentinels
        for used in [4, 60, 64, 68] {
            device.arena.withScratch(byteCounts: [used]) { scratch in
                withUnsafeBytes(of: Float(0)) {
                    device.backend.write($0, to: scratch[0] + used)
                }
            }
        }
        #expect(sentinels.damage == [4, 60, 64, 68].map { "what lies behind \($0) bytes" })
    }

    /// A case whose output misses an element, or is of another size than its specification.
    @Test(arguments: [(15, 15), (14, 15), (15, 14), (15, 16)])
    func anOutputThatIsNotWholeIsNoResult(written: Int, wanted: Int) {
        let values = OpCase.normal(15, "x")
        let opCase = OpCase(
            "planted", "\(written) of \(wanted)",
            inputs: [.activation([15], values, isContiguous: true)],
            run: { arguments, tape in
                let y = tape.device.empty([15])
                let part = 0..<written
                tape.backend.copy(
                    from: arguments.tensor(0).columns(part), to: y.columns(part), scale: 1)
                let place = arguments.tensor(0).place
                tape.record(y, reading: []) { dy, gradients in gradients.assign(dy, to: place) }
                return y
            }, reference: { Array(($0[0] + [0]).prefix(wanted)) })
        let error = opCase.check(on: Device(threadCount: 1))
        #expect(error.damage == [])
        #expect((error.forward <= OpCase.tolerance.forward) == (written == 15 && wanted == 15))
    }
}
