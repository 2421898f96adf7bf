// Package sse reads the event streams that Atrium sends: an id, an event and
// one data line an event. It serves the command line, the benches and tests.
package sse

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// Event is one event. Data is valid until the callback returns.
type Event struct {
	ID   string
	Name string
	Data []byte
}

const maxLine = 16 << 20

// Read gives every event of a stream to take, until it ends or take fails.
func Read(r io.Reader, take func(Event) error) error {
	br := bufio.NewReaderSize(r, 32<<10)
	var e Event
	var long []byte
	for {
		line, err := br.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			if long = append(long, line...); len(long) > maxLine {
				return errors.New("sse: a line is longer than 16 MiB")
			}
			continue
		}
		if long != nil {
			line, long = append(long, line...), nil
		}
		line = bytes.TrimRight(line, "\r\n")
		switch {
		case len(line) == 0:
			if e.Data != nil {
				if err := take(e); err != nil {
					return err
				}
			}
			e = Event{}
		case bytes.HasPrefix(line, []byte("id: ")):
			e.ID = string(line[4:])
		case bytes.HasPrefix(line, []byte("event: ")):
			e.Name = string(line[7:])
		case bytes.HasPrefix(line, []byte("data: ")):
			e.Data = append([]byte(nil), line[6:]...)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
