package limit

// Keys is how many keys have a count.
func (w *Window) Keys() int { return len(w.seen) }
