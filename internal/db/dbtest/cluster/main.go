// Command cluster runs a command with a temporary PostgreSQL server: it sets
// TEST_POSTGRES_URL, runs the command and stops the server. The exit status is the
// command's. When the variable is set already the command just runs.
//
//	go run ./internal/db/dbtest/cluster -- go test ./...
//
// With -fresh each variable that is named (A,B) is set to the address of an empty
// database; without PostgreSQL the command then runs with none of them set.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"

	"atrium/internal/db/dbtest"
)

func main() {
	fresh := flag.String("fresh", "", "variables to set to the addresses of empty databases: A,B")
	flag.Parse()
	if flag.NArg() == 0 {
		fmt.Fprintln(os.Stderr, "usage: cluster [-fresh A,B] -- COMMAND [ARGUMENT…]")
		os.Exit(2)
	}
	status, err := run(flag.Args(), strings.FieldsFunc(*fresh, func(r rune) bool { return r == ',' }))
	if err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
	}
	os.Exit(status)
}

func run(args, fresh []string) (status int, err error) {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.Env = os.Environ()
	address := os.Getenv(dbtest.EnvURL)
	if address == "" {
		var stop func()
		address, stop, err = dbtest.StartPostgres(ctx)
		if errors.Is(err, dbtest.ErrNoPostgres) && len(fresh) > 0 {
			fmt.Fprintln(os.Stderr, "cluster:", err)
			fresh = nil
		} else if err != nil {
			return 1, err
		} else {
			defer stop()
			cmd.Env = append(cmd.Env, dbtest.EnvURL+"="+address)
		}
	}
	for _, name := range fresh {
		one, drop, err := dbtest.Fresh(address)
		if err != nil {
			return 1, err
		}
		defer func() { _ = drop() }() // a temporary server takes it along anyway
		cmd.Env = append(cmd.Env, name+"="+one)
	}
	err = cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() >= 0 {
		return exit.ExitCode(), nil
	}
	if err != nil {
		return 1, err
	}
	return 0, nil
}
