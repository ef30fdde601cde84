import FalconSystem
import Testing

@Suite struct NumberTests {
    @Test(
        arguments: [
            (0.0, 2, "0.00"), (-0.004, 2, "0.00"), (1.005, 1, "1.0"), (-12.345, 2, "-12.35"),
            (0.5, 0, "1"), (36.7, 4, "36.7000"), (.nan, 3, "nan"), (.infinity, 0, "inf"),
            (-.infinity, 4, "-inf"), (1e15, 3, "1.000e15"), (9.99e22, 1, "1.0e23"),
            (-9.99e22, 1, "-1.0e23"), (1.7976931348623157e308, 2, "1.80e308"),
            (9_007_199_254_740_991, 0, "9007199254740991"), (1e-300, 3, "0.000"),
        ] as [(Double, Int, String)])
    func everyNumberHasAText(value: Double, places: Int, text: String) {
        #expect(decimal(value, places: places) == text)
    }

    @Test func everyNumberHasANearestWholeNumber() {
        #expect(wholeNumber(2.5) == 3)
        #expect(wholeNumber(-2.5) == -3)
        #expect(wholeNumber(.nan) == 0)
        #expect(wholeNumber(1e300) == .max)
        #expect(wholeNumber(-.infinity) == .min)
    }
}
