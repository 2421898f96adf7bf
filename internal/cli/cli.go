// Package cli is the command line: it starts a server, and is a client of a
// running one through its public API.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"

	"github.com/alecthomas/kong"

	"atrium/internal/server"
)

// commands are what can be typed.
type commands struct {
	Config string `help:"File with settings; atrium.yaml when it exists." type:"path" env:"ATRIUM_CONFIG" placeholder:"FILE"`

	Serve   serve        `cmd:"" help:"Start the server with its console."`
	Ask     ask          `cmd:"" help:"Ask an agent, and watch the answer come with its citations."`
	Ingest  ingest       `cmd:"" help:"Put files and folders into a corpus, and wait until they are indexed."`
	Export  export       `cmd:"" help:"Write a corpus, or an agent with its corpora, to a file."`
	Import  importing    `cmd:"" help:"Make what a file of export holds."`
	Migrate migrateStore `cmd:"" name:"migrate-store" help:"Copy the database of a stopped server from SQLite to PostgreSQL."`
	Org     organization `cmd:"" name:"organization" help:"Organizations on this server."`
	Models  models       `cmd:"" help:"Models on this machine that turn text into vectors, or rerank passages."`
	Doctor  doctor       `cmd:"" help:"Tell what is configured, what is missing, and what to do."`
	Bench   benchmark    `cmd:"" help:"Measure this build on this machine, and print the figures beside their yardsticks."`
	Eval    evaluate     `cmd:"" help:"Measure quality on a test set."`
	Peer    benchPeer    `cmd:"" name:"bench-peer" hidden:"" help:"Serve standard input to every request; the yardstick of bench."`
	OpenAPI openapi      `cmd:"" name:"openapi" help:"Print the description of all operations."`
	Version version      `cmd:"" help:"Print the version."`
}

// terminal is where a command reads and writes.
type terminal struct {
	ctx      context.Context
	in       io.Reader
	out, err io.Writer
	config   string
}

// Main runs a command and answers the exit status: 0 done, 1 failed, 2 wrong usage.
func Main(args []string, in io.Reader, out, errOut io.Writer) int {
	var c commands
	status := -1
	parser, err := kong.New(&c, kong.Name("atrium"), kong.Description("Agents that answer from your own documents, with citations."),
		kong.Writers(out, errOut), kong.UsageOnError(), kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Exit(func(code int) { status = code }))
	if err != nil {
		fmt.Fprintln(errOut, "atrium:", err)
		return 2
	}
	parsed, err := parser.Parse(args)
	if status >= 0 {
		return status
	}
	if err != nil {
		fmt.Fprintln(errOut, "atrium:", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err = parsed.Run(&terminal{ctx: ctx, in: in, out: out, err: errOut, config: c.Config})
	if err != nil && !errors.Is(err, errSaid) {
		fmt.Fprintln(errOut, "atrium:", err)
	}
	if err != nil {
		return 1
	}
	return 0
}

// errSaid is a failure that the command has already told about.
var errSaid = errors.New("failed")

// serve starts the server; its flags are the settings most often given by hand.
type serve struct {
	Listen       *string `help:"Address to listen on (ATRIUM_LISTEN)." placeholder:"HOST:PORT"`
	Data         *string `help:"Folder for everything that is kept (ATRIUM_DATA)." type:"path" placeholder:"DIR"`
	DatabaseURL  *string `help:"PostgreSQL instead of SQLite (ATRIUM_DATABASE_URL)." placeholder:"URL"`
	PublicURL    *string `help:"Address that people type (ATRIUM_PUBLIC_URL)." placeholder:"URL"`
	OCRLanguages *string `help:"Languages of scanned pages, such as eng+deu (ATRIUM_OCR_LANGUAGES)." placeholder:"LANG+LANG"`
	LogLevel     *string `help:"debug, info, warn or error (ATRIUM_LOG_LEVEL)." enum:"debug,info,warn,error" placeholder:"LEVEL"`
}

func (s *serve) flags() map[string]any {
	m := map[string]any{}
	for name, p := range map[string]*string{"listen": s.Listen, "data": s.Data, "database_url": s.DatabaseURL, "public_url": s.PublicURL, "ocr_languages": s.OCRLanguages, "log_level": s.LogLevel} {
		if p != nil {
			m[name] = *p
		}
	}
	return m
}

// Run serves until it is told to stop.
func (s *serve) Run(t *terminal) error {
	cfg, err := server.Load(t.config, s.flags())
	if err != nil {
		return err
	}
	log, err := newLog(t.err, cfg)
	if err != nil {
		return err
	}
	go tendGarbage(t.ctx)
	return server.Run(t.ctx, server.Options{Config: cfg, Log: log}, func(srv *server.Server, addr net.Addr) {
		debug.FreeOSMemory()
		greet(t.out, srv, addr)
	})
}

func newLog(w io.Writer, cfg server.Config) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.LogLevel)); err != nil {
		return nil, fmt.Errorf("ATRIUM_LOG_LEVEL %q is not debug, info, warn or error", cfg.LogLevel)
	}
	o := &slog.HandlerOptions{Level: level}
	switch cfg.LogFormat {
	case "text":
		return slog.New(slog.NewTextHandler(w, o)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, o)), nil
	}
	return nil, fmt.Errorf("ATRIUM_LOG_FORMAT %q is not text or json", cfg.LogFormat)
}

// greet tells where the server is and how to sign in.
func greet(w io.Writer, srv *server.Server, addr net.Addr) {
	f, url := srv.First(), srv.PublicURL()
	fmt.Fprintf(w, "\nAtrium %s listens on %s\n\n", server.Version, addr)
	if f.SetupToken != "" {
		fmt.Fprintf(w, "  Choose your password:  %s/setup?token=%s\n  You sign in as:        %s\n  The link works once, for a day.\n\n", url, f.SetupToken, f.Email)
	} else {
		fmt.Fprintf(w, "  Sign in:  %s\n  As:       %s\n\n", url, f.Email)
	}
	fmt.Fprintf(w, "  Answers:  %s\n  Ask here: %s ask --agent guide \"What is Atrium?\"\n\n", srv.Answers(), os.Args[0])
}

// openapi prints the description without needing a database.
type openapi struct{}

// Run prints it.
func (openapi) Run(t *terminal) error {
	b, err := server.Describe(t.ctx)
	if err != nil {
		return err
	}
	_, err = t.out.Write(b)
	return err
}

type version struct{}

// Run prints the version and what it was built with.
func (version) Run(t *terminal) error {
	fmt.Fprintf(t.out, "atrium %s (%s %s/%s)\n", server.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return nil
}
