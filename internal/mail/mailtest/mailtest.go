// Package mailtest runs a real SMTP server on loopback, which keeps what it is
// given and can be stopped and started again.
package mailtest

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/jhillyerd/enmime/v2"
)

// Letter is a message as it arrived.
type Letter struct {
	From, To  string // of the envelope
	User      string // who handed it in, when asked
	Encrypted bool
	Raw       string
	*enmime.Envelope
}

// Link is the first address in the text.
func (l Letter) Link() string { return regexp.MustCompile(`https?://\S+`).FindString(l.Text) }

// Code is the code in the text: a line of six characters by itself.
func (l Letter) Code() string {
	return strings.TrimSpace(regexp.MustCompile(`(?m)^\s*[A-Z2-9]{6}\s*$`).FindString(l.Text))
}

// Server keeps letters.
type Server struct {
	Address string // host:port
	// TLS is offered by STARTTLS, or spoken from the start when Direct.
	TLS            *tls.Config
	Direct         bool
	User, Password string // demanded when set

	mu      sync.Mutex
	inner   *smtp.Server
	ln      net.Listener
	done    chan struct{}
	letters []Letter
	taken   int
}

// New runs a server until the test ends; change adjusts it before.
func New(t testing.TB, change ...func(*Server)) *Server {
	t.Helper()
	s := &Server{Address: "127.0.0.1:0"}
	for _, f := range change {
		f(s)
	}
	s.Start(t)
	t.Cleanup(s.Stop)
	return s
}

// URL is the server as a setting.
func (s *Server) URL() string { return "smtp://" + s.Address }

// Start takes connections, again at the same address.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	inner := smtp.NewServer(s)
	inner.Domain, inner.AllowInsecureAuth, inner.TLSConfig = "mail.test", true, s.TLS
	inner.ReadTimeout, inner.WriteTimeout = 10*time.Second, 10*time.Second
	inner.ErrorLog = quiet{}
	var lc net.ListenConfig
	ln, err := lc.Listen(t.Context(), "tcp", s.Address)
	if err != nil {
		t.Fatal(err)
	}
	s.Address = ln.Addr().String()
	if s.Direct {
		ln = tls.NewListener(ln, s.TLS)
	}
	s.inner, s.ln, s.done = inner, ln, make(chan struct{})
	go func() {
		defer close(s.done)
		_ = inner.Serve(ln)
	}()
}

// Stop ends the server; what it has is kept.
func (s *Server) Stop() {
	if s.inner == nil {
		return
	}
	_ = s.ln.Close() // the server may not know it yet
	_ = s.inner.Close()
	<-s.done
	s.inner = nil
}

// Next waits for the next letter that was not taken yet.
func (s *Server) Next(t testing.TB) Letter {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for time.Now().Before(deadline) {
		s.mu.Lock()
		if s.taken < len(s.letters) {
			s.taken++
			l := s.letters[s.taken-1]
			s.mu.Unlock()
			return l
		}
		s.mu.Unlock()
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatal("no mail came")
	return Letter{}
}

// Waiting is how many letters have come and were not taken.
func (s *Server) Waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.letters) - s.taken
}

// NewSession is called by the SMTP server.
func (s *Server) NewSession(c *smtp.Conn) (smtp.Session, error) {
	return &session{server: s, conn: c}, nil
}

type session struct {
	server *Server
	conn   *smtp.Conn
	user   string
	from   string
	to     string
}

func (x *session) AuthMechanisms() []string {
	if x.server.User == "" {
		return nil
	}
	return []string{sasl.Plain}
}

func (x *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != x.server.User || password != x.server.Password {
			return smtp.ErrAuthFailed
		}
		x.user = user
		return nil
	}), nil
}

func (x *session) Mail(from string, _ *smtp.MailOptions) error {
	if x.server.User != "" && x.user == "" {
		return smtp.ErrAuthRequired
	}
	x.from = from
	return nil
}

func (x *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if x.to != "" {
		return errors.New("one recipient is enough")
	}
	x.to = to
	return nil
}

func (x *session) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	e, err := enmime.ReadEnvelope(bytes.NewReader(b))
	if err != nil {
		return err
	}
	_, encrypted := x.conn.TLSConnectionState()
	x.server.mu.Lock()
	defer x.server.mu.Unlock()
	x.server.letters = append(x.server.letters, Letter{From: x.from, To: x.to, User: x.user, Encrypted: encrypted, Raw: string(b), Envelope: e})
	return nil
}

func (x *session) Reset()        { x.from, x.to = "", "" }
func (x *session) Logout() error { return nil }

type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}
