package extract

import (
	"context"
	"net"
	"os"
	"os/exec"
	"testing"
)

// TestNothingIsLeftToATakenOverWorker starts a worker's walls in a process of
// their own and tries what an attacker would.
func TestNothingIsLeftToATakenOverWorker(t *testing.T) {
	t.Parallel()
	secret := file(t, "secret", "key")
	p := newPool(t, Options{Command: []string{os.Args[0], "prisoner", secret}})
	prot, err := p.Protections(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	// The prisoner tells what it could do in place of the helpers.
	for _, escaped := range prot.Helpers {
		t.Errorf("a confined worker could %s (walls: %+v)", escaped, prot)
	}
	if !prot.Limits {
		t.Error("the limits were not set")
	}
}

// prisoner is the process of that test: confined, it tries to get out.
func prisoner(secret string) {
	prot := confine(map[string]string{})
	conn, err := workerConn()
	if err != nil {
		die(2, err)
	}
	var out []string
	try := func(walled bool, what string, err error) {
		if walled && err == nil {
			out = append(out, what)
		}
	}
	_, err = os.ReadFile(secret)
	try(prot.Files || prot.User, "read another file", err)
	_, err = os.ReadFile("/etc/passwd")
	try(prot.Files, "read the list of users", err)
	try(true, "write a file", os.WriteFile("/tmp/atrium-prisoner", []byte("x"), 0o600))
	try(prot.Files, "run a program", exec.Command("/bin/true").Run())
	_, err = net.Listen("tcp", "127.0.0.1:0")
	try(prot.Calls || prot.Files, "listen", err)
	if n := len(os.Environ()); n > 0 {
		out = append(out, "see the environment")
	}
	prot.Helpers = out
	_ = writeFrame(conn, answer{Ready: &prot})
	_, _, _ = receive(conn)
}
