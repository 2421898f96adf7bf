// Command atrium is the whole product: the server with its console, and the
// command line that talks to one.
package main

import (
	"os"

	"atrium/internal/cli"
	"atrium/internal/extract"
	"atrium/internal/server"
)

// version is set by the build.
var version = "dev"

func main() {
	if len(os.Args) > 1 && os.Args[1] == "extract-worker" {
		extract.WorkerMain()
		return
	}
	server.Version = version
	os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
