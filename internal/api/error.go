package api

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"atrium/internal/fail"
)

// failure is the error answer of contract §3.
type failure struct {
	status  int
	Success bool      `json:"success" doc:"Always false here."`
	Message string    `json:"message" doc:"What is wrong and what to do, in words for people."`
	Data    Nothing   `json:"data"`
	Err     errorBody `json:"error"`
	Detail  string    `json:"detail,omitempty" doc:"The message again, on failures of authentication."`
}

type errorBody struct {
	Code    fail.Code    `json:"code" doc:"A stable name of the kind of failure."`
	Details string       `json:"details" doc:"The message, or more of it."`
	Fields  []fail.Field `json:"fields,omitempty" doc:"The fields that are wrong."`
}

func (f *failure) Error() string { return f.Message }

// GetStatus is the HTTP status.
func (f *failure) GetStatus() int { return f.status }

func asFailure(e *fail.Error) *failure {
	f := &failure{status: e.Code.Status(), Message: e.Message, Err: errorBody{Code: e.Code, Details: e.Message, Fields: e.Fields}}
	if e.Code == fail.CodeUnauthenticated || e.Code == fail.CodeForbidden {
		f.Detail = e.Message
	}
	return f
}

// newError makes the envelope of what the framework itself finds wrong.
func newError(status int, _ string, errs ...error) huma.StatusError {
	switch status {
	case http.StatusRequestEntityTooLarge:
		return asFailure(fail.TooLarge("the request body is too large for this operation; send less"))
	case http.StatusUnsupportedMediaType:
		return asFailure(fail.Unsupported("this content type is not understood here; send application/json"))
	case http.StatusRequestTimeout:
		return asFailure(fail.Invalid("the request body did not arrive in time; send it again"))
	case http.StatusInternalServerError:
		return asFailure(fail.As(errors.Join(errs...)))
	case http.StatusNotAcceptable:
		return asFailure(fail.Invalid("answers are application/json only; accept that"))
	}
	e := fail.Invalid("the request is not valid; correct it and send it again")
	for _, err := range errs {
		var d huma.ErrorDetailer
		if !errors.As(err, &d) {
			continue
		}
		where := d.ErrorDetail().Location
		if name, inPath := strings.CutPrefix(where, "path."); inPath {
			return asFailure(fail.NotFound("%s: %s, so the address names nothing; check it", name, d.ErrorDetail().Message))
		}
		for _, loc := range []string{"body.", "query.", "form."} {
			where = strings.TrimPrefix(where, loc)
		}
		e.Fields = append(e.Fields, fail.Field{Field: where, Message: d.ErrorDetail().Message})
	}
	if len(e.Fields) > 0 {
		e.Message = e.Fields[0].Field + ": " + e.Fields[0].Message
	} else if status == http.StatusBadRequest && len(errs) == 0 {
		e.Message = "a request body is needed; send a JSON object"
	}
	return asFailure(e)
}

// failure turns an error of a capability into an answer, and logs what is not
// for the caller's eyes.
func (a *API) failure(ctx context.Context, err error) error {
	e := fail.As(err)
	if e.Code == fail.CodeInternal && ctx.Err() == nil {
		a.opts.Log.ErrorContext(ctx, "operation failed", slog.Any("error", e.Err), slog.String("request_id", RequestID(ctx)))
	} else if e.Err != nil {
		a.opts.Log.WarnContext(ctx, "operation refused", slog.String("code", string(e.Code)), slog.Any("cause", e.Err), slog.String("request_id", RequestID(ctx)))
	}
	f := asFailure(e)
	if e.RetryAfter > 0 {
		return huma.ErrorWithHeaders(f, http.Header{"Retry-After": {strconv.Itoa(int(math.Ceil(e.RetryAfter.Seconds())))}})
	}
	return f
}
