package extract

import (
	"net"
	"os"
	"os/exec"
)

// prisoner is the process of the test of a worker's walls: confined, it tries to get out.
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
