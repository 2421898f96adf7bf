package doc

import (
	"errors"
	"fmt"
)

// Reason says why a file could not be read, as a stable name.
type Reason string

// The reasons.
const (
	Unsupported  Reason = "unsupported" // a format that Atrium does not read
	Encrypted    Reason = "encrypted"
	Damaged      Reason = "damaged"
	Empty        Reason = "empty" // no text in it, such as a scan without OCR
	TooLarge     Reason = "too_large"
	TimedOut     Reason = "timed_out"
	OutOfMemory  Reason = "out_of_memory"
	WorkerFailed Reason = "worker_failed"
)

// Known tells whether r is one of the reasons above.
func (r Reason) Known() bool {
	switch r {
	case Unsupported, Encrypted, Damaged, Empty, TooLarge, TimedOut, OutOfMemory, WorkerFailed:
		return true
	}
	return false
}

// Error is a file that cannot be read. Message says what a person can do.
type Error struct {
	Reason  Reason `json:"reason"`
	Message string `json:"message"`
}

func (e *Error) Error() string { return e.Message }

// Fail makes an *Error with a message for people.
func Fail(r Reason, format string, args ...any) *Error {
	return &Error{Reason: r, Message: fmt.Sprintf(format, args...)}
}

// AsError finds the *Error in err. Any other error of a reader means that the
// file is not what its format asks for, so it becomes a Damaged one that names
// the format.
func AsError(err error, format string) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return Fail(Damaged, "the %s is damaged and could not be read (%s); save it again with the program that made it", format, trim(err.Error(), 160))
}

// Fatal tells whether a failure inside a container (an archive, a mail) ends
// the container too: limits do, since going on would only hit them again.
func Fatal(err error) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Reason {
	case TooLarge, TimedOut, OutOfMemory, WorkerFailed:
		return true
	}
	return false
}

func trim(s string, n int) string {
	s = Squeeze(s)
	if len(s) <= n {
		return s
	}
	return cutRune(s, n) + "…"
}
