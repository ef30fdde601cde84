/// A number that a device computes: reading it waits until the device is done.
package struct DeviceNumber {
    private let read: () -> Double

    /// A number that is known.
    package init(_ value: Double) { read = { value } }

    /// A number to come.
    ///
    /// - Parameter read: waits for it.
    package init(reading read: @escaping () -> Double) { self.read = read }

    /// The number.
    package var value: Double { read() }
}
