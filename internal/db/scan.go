package db

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"
)

var (
	timeType    = reflect.TypeFor[time.Time]()
	scannerType = reflect.TypeFor[sql.Scanner]()
)

// column is where a column goes in a struct.
type column struct {
	index []int
	json  bool
}

var layouts sync.Map // reflect.Type → map[string]column

// scanner fills values of T from rows with the same columns.
type scanner[T any] struct {
	scalar bool
	cols   []column
	cells  []cell
	dests  []any
}

func (s *scanner[T]) prepare(rows *sql.Rows) error {
	names, err := rows.Columns()
	if err != nil {
		return err
	}
	t := reflect.TypeFor[T]()
	s.cells = make([]cell, len(names))
	s.dests = make([]any, len(names))
	for i := range s.cells {
		s.dests[i] = &s.cells[i]
	}
	if isScalar(t) {
		s.scalar = true
		if len(names) != 1 {
			return fmt.Errorf("%d columns do not fit one %s", len(names), t)
		}
		return nil
	}
	byName := layout(t)
	s.cols = make([]column, len(names))
	for i, name := range names {
		c, ok := byName[name]
		if !ok {
			return fmt.Errorf("column %q has no field in %s", name, t)
		}
		s.cols[i], s.cells[i].json = c, c.json
	}
	return nil
}

func (s *scanner[T]) scan(rows *sql.Rows, v *T) error {
	dst := reflect.ValueOf(v).Elem()
	if s.scalar {
		s.cells[0].dst = dst
	} else {
		for i := range s.cells {
			if ix := s.cols[i].index; len(ix) == 1 {
				s.cells[i].dst = dst.Field(ix[0])
			} else {
				s.cells[i].dst = dst.FieldByIndex(ix)
			}
		}
	}
	return rows.Scan(s.dests...)
}

func isScalar(t reflect.Type) bool {
	return t.Kind() != reflect.Struct || t == timeType || reflect.PointerTo(t).Implements(scannerType)
}

func layout(t reflect.Type) map[string]column {
	if m, ok := layouts.Load(t); ok {
		return m.(map[string]column)
	}
	m := map[string]column{}
	addFields(m, t, nil)
	layouts.Store(t, m)
	return m
}

func addFields(m map[string]column, t reflect.Type, at []int) {
	for i := range t.NumField() {
		f := t.Field(i)
		index := append(append([]int{}, at...), i)
		tag, tagged := f.Tag.Lookup("db")
		if f.Anonymous && !tagged && f.Type.Kind() == reflect.Struct {
			addFields(m, f.Type, index)
			continue
		}
		if !tagged || tag == "-" || !f.IsExported() {
			continue
		}
		name, opt, _ := strings.Cut(tag, ",")
		m[name] = column{index: index, json: opt == "json"}
	}
}

// cell puts one value of a row into its field.
type cell struct {
	dst  reflect.Value
	json bool
}

// Scan implements sql.Scanner.
func (c *cell) Scan(src any) error {
	if c.json {
		return decode(c.dst, src)
	}
	return assign(c.dst, src)
}

func decode(dst reflect.Value, src any) error {
	var text []byte
	switch v := src.(type) {
	case nil:
	case string:
		text = []byte(v)
	case []byte:
		text = v
	default:
		return fmt.Errorf("a %T is not JSON text", src)
	}
	dst.SetZero()
	if len(text) == 0 {
		return nil
	}
	return json.Unmarshal(text, dst.Addr().Interface())
}

func assign(dst reflect.Value, src any) error {
	if src == nil {
		dst.SetZero()
		return nil
	}
	t := dst.Type()
	if t == timeType {
		return assignTime(dst, src)
	}
	if reflect.PointerTo(t).Implements(scannerType) {
		if b, ok := src.([]byte); ok {
			src = bytes.Clone(b)
		}
		return dst.Addr().Interface().(sql.Scanner).Scan(src)
	}
	switch t.Kind() {
	case reflect.Pointer:
		p := reflect.New(t.Elem())
		if err := assign(p.Elem(), src); err != nil {
			return err
		}
		dst.Set(p)
		return nil
	case reflect.String:
		switch v := src.(type) {
		case string:
			dst.SetString(v)
			return nil
		case []byte:
			dst.SetString(string(v))
			return nil
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n, err := integer(src)
		if err != nil {
			return err
		}
		if dst.OverflowInt(n) {
			return fmt.Errorf("%d does not fit %s", n, t)
		}
		dst.SetInt(n)
		return nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n, err := integer(src)
		if err != nil {
			return err
		}
		if n < 0 || dst.OverflowUint(uint64(n)) {
			return fmt.Errorf("%d does not fit %s", n, t)
		}
		dst.SetUint(uint64(n))
		return nil
	case reflect.Float32, reflect.Float64:
		f, err := float(src)
		if err != nil {
			return err
		}
		dst.SetFloat(f)
		return nil
	case reflect.Bool:
		switch v := src.(type) {
		case bool:
			dst.SetBool(v)
			return nil
		case int64:
			dst.SetBool(v != 0)
			return nil
		}
	case reflect.Slice:
		if t.Elem().Kind() != reflect.Uint8 {
			break
		}
		switch v := src.(type) {
		case []byte:
			dst.SetBytes(bytes.Clone(v))
			return nil
		case string:
			dst.SetBytes([]byte(v))
			return nil
		}
	case reflect.Interface:
		if b, ok := src.([]byte); ok {
			src = bytes.Clone(b)
		}
		dst.Set(reflect.ValueOf(src))
		return nil
	}
	return fmt.Errorf("a %T does not fit %s", src, t)
}

func assignTime(dst reflect.Value, src any) error {
	var at time.Time
	switch v := src.(type) {
	case int64:
		if v != 0 {
			at = time.UnixMicro(v).UTC()
		}
	case time.Time:
		at = v.UTC()
	default:
		return fmt.Errorf("a %T is not a time in microseconds", src)
	}
	*dst.Addr().Interface().(*time.Time) = at
	return nil
}

// integer also takes text, because PostgreSQL's sum of BIGINT is a NUMERIC, which
// arrives as text.
func integer(src any) (int64, error) {
	switch v := src.(type) {
	case int64:
		return v, nil
	case bool:
		if v {
			return 1, nil
		}
		return 0, nil
	case string:
		return strconv.ParseInt(v, 10, 64)
	case float64:
		if n := int64(v); float64(n) == v {
			return n, nil
		}
	}
	return 0, fmt.Errorf("%v (%T) is not an integer", src, src)
}

func float(src any) (float64, error) {
	switch v := src.(type) {
	case float64:
		return v, nil
	case float32:
		return float64(v), nil
	case int64:
		return float64(v), nil
	case string:
		return strconv.ParseFloat(v, 64)
	}
	return 0, fmt.Errorf("%v (%T) is not a number", src, src)
}
