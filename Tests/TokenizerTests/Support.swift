/// Gives documents one after the other, then nil.
func documents(_ texts: [String]) -> () -> String? {
    var rest = texts[...]
    return { rest.popFirst() }
}
