package extract

import (
	"encoding/binary"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestMain lets the test program be a worker, an honest one or one of those that
// a hostile file would make of it.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch mode := os.Args[1]; {
		case mode == "extract-worker":
			WorkerMain()
			return
		case mode == "prisoner":
			prisoner(os.Args[2])
			return
		case strings.HasPrefix(mode, "hostile-"):
			hostile(strings.TrimPrefix(mode, "hostile-"))
			return
		}
	}
	goleak.VerifyTestMain(m)
}

// hostile is a worker that gets ready, takes a request and misbehaves.
func hostile(how string) {
	switch how {
	case "silent":
		time.Sleep(time.Hour)
	case "eat": // what "child-memory" starts
		eat(8 << 20)
	}
	if how == "confined-memory" {
		confine(nil)
	}
	conn, err := workerConn()
	if err != nil {
		die(2, err)
	}
	_ = writeFrame(conn, answer{Ready: &Protections{}})
	_, f, err := receive(conn)
	if err != nil {
		return
	}
	defer func() { _, _ = f.Close(), conn.Close() }()
	switch how {
	case "memory":
		eat(8 << 20)
	case "confined-memory":
		eat(1 << 30)
	case "child-memory":
		_ = exec.Command("/proc/self/exe", "hostile-eat").Run()
	case "hang":
		for { //nolint:staticcheck // a loop that does nothing is the point
		}
	case "crash":
		panic("crash")
	case "exit":
		os.Exit(0)
	case "garbage":
		_, _ = conn.Write([]byte("HTTP/1.1 200 OK\r\n\r\nnot a frame at all"))
	case "huge-frame":
		_, _ = conn.Write(binary.BigEndian.AppendUint32(nil, 1<<31))
		time.Sleep(time.Hour)
	case "kind":
		_ = writeFrame(conn, answer{Blocks: []wireBlock{{Kind: "script", Text: "x"}}, Done: &Document{}})
	case "heading":
		_ = writeFrame(conn, answer{Blocks: []wireBlock{{Kind: Paragraph, Text: "x", Heading: 7}}, Done: &Document{}})
	case "reason":
		_ = writeFrame(conn, answer{Error: &Error{Reason: "made up", Message: "x"}})
	case "flood":
		for {
			if writeFrame(conn, answer{Blocks: []wireBlock{{Kind: Paragraph, Text: strings.Repeat("x", 1<<20)}}}) != nil {
				return
			}
		}
	case "empty":
		for {
			if writeFrame(conn, answer{}) != nil {
				return
			}
		}
	}
}

// eat allocates in steps, and touches what it has.
func eat(step int) {
	var all [][]byte
	for {
		b := make([]byte, step)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		all = append(all, b)
		if len(all) > 1<<20 {
			return
		}
	}
}
