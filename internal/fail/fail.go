// Package fail is the one error type that may reach a caller.
//
// A capability answers with a *Error, made by the function named after its
// code: fail.NotFound("agent 7 is unknown or not visible to you; check the id").
// The message is shown to people, so it says what is wrong and what to do.
// Any other error is internal: package api logs its text and never sends it.
package fail

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Code names a kind of failure in the envelope's error.code.
type Code string

const (
	CodeInvalid         Code = "invalid_input"
	CodeUnauthenticated Code = "unauthenticated"
	CodeForbidden       Code = "forbidden"
	CodeNotFound        Code = "not_found"
	CodeNoMethod        Code = "method_not_allowed"
	CodeConflict        Code = "conflict"
	CodeStale           Code = "precondition_failed"
	CodeTooLarge        Code = "too_large"
	CodeUnsupported     Code = "unsupported_type"
	CodeTooMany         Code = "too_many_requests"
	CodeInternal        Code = "internal"
	CodeProvider        Code = "provider_failed"
	CodeUnavailable     Code = "unavailable"
)

// statuses is the one map from code to HTTP status.
var statuses = map[Code]int{
	CodeInvalid:         http.StatusBadRequest,
	CodeUnauthenticated: http.StatusUnauthorized,
	CodeForbidden:       http.StatusForbidden,
	CodeNotFound:        http.StatusNotFound,
	CodeNoMethod:        http.StatusMethodNotAllowed,
	CodeConflict:        http.StatusConflict,
	CodeStale:           http.StatusPreconditionFailed,
	CodeTooLarge:        http.StatusRequestEntityTooLarge,
	CodeUnsupported:     http.StatusUnsupportedMediaType,
	CodeTooMany:         http.StatusTooManyRequests,
	CodeInternal:        http.StatusInternalServerError,
	CodeProvider:        http.StatusBadGateway,
	CodeUnavailable:     http.StatusServiceUnavailable,
}

// Status is the HTTP status of the code; an unknown code is internal.
func (c Code) Status() int {
	if s, ok := statuses[c]; ok {
		return s
	}
	return http.StatusInternalServerError
}

// Field is one bad field of the input, named as the caller wrote it.
type Field struct {
	Field   string `json:"field" doc:"Where the problem is, as a dotted path."`
	Message string `json:"message" doc:"What is wrong with it."`
}

// Error is a failure that may be shown to the caller, except for Err.
type Error struct {
	Code       Code
	Message    string
	Fields     []Field
	RetryAfter time.Duration // with CodeTooMany and CodeUnavailable
	Err        error         // the cause, for the log only
}

func (e *Error) Error() string {
	if e.Err != nil {
		return e.Message + ": " + e.Err.Error()
	}
	return e.Message
}

func (e *Error) Unwrap() error { return e.Err }

// Because returns a copy of the error that carries its cause for the log.
func (e *Error) Because(err error) *Error {
	c := *e
	c.Err = err
	return &c
}

// After returns a copy of the error that tells when to try again.
func (e *Error) After(d time.Duration) *Error {
	c := *e
	c.RetryAfter = d
	return &c
}

func build(c Code, format string, args []any) *Error {
	if len(args) == 0 {
		return &Error{Code: c, Message: format}
	}
	return &Error{Code: c, Message: fmt.Sprintf(format, args...)}
}

// Invalid is a 400 about the request as a whole.
func Invalid(format string, args ...any) *Error { return build(CodeInvalid, format, args) }

// InvalidField is a 400 about one field.
func InvalidField(field, format string, args ...any) *Error {
	e := build(CodeInvalid, format, args)
	e.Fields = []Field{{Field: field, Message: e.Message}}
	return e
}

// Unauthenticated is a 401: no credentials, or bad ones.
func Unauthenticated(format string, args ...any) *Error {
	return build(CodeUnauthenticated, format, args)
}

// Forbidden is a 403: known, but not allowed.
func Forbidden(format string, args ...any) *Error { return build(CodeForbidden, format, args) }

// NotFound is a 404: unknown or not visible to the caller, which answer alike.
func NotFound(format string, args ...any) *Error { return build(CodeNotFound, format, args) }

// Conflict is a 409: the state of the thing does not allow it.
func Conflict(format string, args ...any) *Error { return build(CodeConflict, format, args) }

// TooLarge is a 413.
func TooLarge(format string, args ...any) *Error { return build(CodeTooLarge, format, args) }

// Unsupported is a 415.
func Unsupported(format string, args ...any) *Error { return build(CodeUnsupported, format, args) }

// TooMany is a 429; give it a time with After.
func TooMany(format string, args ...any) *Error { return build(CodeTooMany, format, args) }

// Provider is a 502: a model or another service we depend on failed.
func Provider(format string, args ...any) *Error { return build(CodeProvider, format, args) }

// Unavailable is a 503; give it a time with After.
func Unavailable(format string, args ...any) *Error { return build(CodeUnavailable, format, args) }

// As finds the *Error in err, or makes an internal one that hides its text.
func As(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return &Error{
		Code:    CodeInternal,
		Message: "something went wrong on the server; try again, and give the request id to your administrator if it stays",
		Err:     err,
	}
}

// Is tells whether err is a failure with this code.
func Is(err error, c Code) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == c
}
