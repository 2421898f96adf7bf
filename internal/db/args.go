package db

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"
)

// JSON is an argument that is stored as its JSON text; a nil v is stored as NULL.
func JSON(v any) driver.Valuer { return jsonArg{v} }

type jsonArg struct{ v any }

// Value implements driver.Valuer.
func (j jsonArg) Value() (driver.Value, error) {
	if j.v == nil {
		return nil, nil
	}
	b, err := json.Marshal(j.v)
	if err != nil {
		return nil, err
	}
	return string(b), nil
}

// values turns arguments into what both drivers store alike.
func values(args []any) ([]any, error) {
	if len(args) == 0 {
		return nil, nil
	}
	out := make([]any, len(args))
	for i, a := range args {
		v, err := value(a)
		if err != nil {
			return nil, fmt.Errorf("argument %d: %w", i+1, err)
		}
		out[i] = v
	}
	return out, nil
}

func value(a any) (any, error) {
	switch v := a.(type) {
	case nil, int64, float64, bool, []byte:
		return a, nil
	case string:
		return clean(v), nil
	case int:
		return int64(v), nil
	case time.Time:
		return micros(v), nil
	case *time.Time:
		if v == nil {
			return nil, nil
		}
		return micros(*v), nil
	case json.RawMessage:
		if v == nil {
			return nil, nil
		}
		return clean(string(v)), nil
	case driver.Valuer:
		if r := reflect.ValueOf(a); r.Kind() == reflect.Pointer && r.IsNil() {
			return nil, nil
		}
		x, err := v.Value()
		if err != nil {
			return nil, err
		}
		if _, again := x.(driver.Valuer); again {
			return nil, fmt.Errorf("%T answers another Valuer", a)
		}
		return value(x)
	}
	r := reflect.ValueOf(a)
	switch r.Kind() {
	case reflect.Pointer:
		if r.IsNil() {
			return nil, nil
		}
		return value(r.Elem().Interface())
	case reflect.String:
		return clean(r.String()), nil
	case reflect.Bool:
		return r.Bool(), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return r.Int(), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if r.Uint() > math.MaxInt64 {
			return nil, fmt.Errorf("%d does not fit a BIGINT", r.Uint())
		}
		return int64(r.Uint()), nil
	case reflect.Float32, reflect.Float64:
		return r.Float(), nil
	case reflect.Slice:
		if r.Type().Elem().Kind() == reflect.Uint8 {
			return r.Bytes(), nil
		}
	}
	return nil, fmt.Errorf("a %T cannot be stored; give it by db.JSON", a)
}

// micros is how a time is stored; the zero time, which is far out of range, is 0.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// clean makes text that both engines store and give back unchanged.
func clean(s string) string {
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "\uFFFD")
	}
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	return s
}
