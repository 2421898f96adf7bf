// Package mail sends messages through the operator's SMTP server. It sends one
// message and tells how that went; trying again is the caller's business.
package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
)

// Options configure a Sender.
type Options struct {
	URL  string // smtp://user:password@host:587, or smtps:// for TLS from the start
	From string // "Atrium <atrium@example.com>"
	// Dial opens the connection; the one of package egress.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	TLS  *tls.Config // nil: the system's roots
}

// Sender sends mails.
type Sender struct {
	server         server
	name, from     string
	dial           func(ctx context.Context, network, address string) (net.Conn, error)
	tls            *tls.Config
	user, password string
}

type server struct {
	host   string
	port   int
	direct bool // TLS from the start
}

const timeout = 30 * time.Second

// Check tells what is wrong with the settings, in words.
func Check(address, from string) error {
	_, err := New(Options{URL: address, From: from})
	return err
}

// New makes a Sender; it connects only to send.
func New(o Options) (*Sender, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Hostname() == "" || (u.Scheme != "smtp" && u.Scheme != "smtps") || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return nil, errors.New("the address of the mail server is not like smtp://user:password@mail.example.com:587 or smtps://…; encode special characters of the password as in addresses")
	}
	s := &Sender{server: server{host: u.Hostname(), port: 587, direct: u.Scheme == "smtps"}, dial: o.Dial, tls: o.TLS.Clone()}
	if s.server.direct {
		s.server.port = 465
	}
	if p := u.Port(); p != "" {
		if s.server.port, err = strconv.Atoi(p); err != nil || s.server.port < 1 || s.server.port > 65535 {
			return nil, fmt.Errorf("the port %q of the mail server is not one", p)
		}
	}
	s.user = u.User.Username()
	s.password, _ = u.User.Password()
	if s.tls == nil {
		s.tls = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	s.tls.ServerName = s.server.host
	from, err := netmail.ParseAddress(o.From)
	if err != nil {
		return nil, fmt.Errorf("the sender %q is not an address, such as Atrium <atrium@example.com>", o.From)
	}
	s.name, s.from = from.Name, from.Address
	return s, nil
}

// Host is where mails are handed in.
func (s *Sender) Host() string { return net.JoinHostPort(s.server.host, strconv.Itoa(s.server.port)) }

// ErrAddress says that the message can never be sent: its address is none.
var ErrAddress = errors.New("mail: not an address")

// Send hands a message in. An error means that nobody took it.
func (s *Sender) Send(ctx context.Context, m Message) error {
	to, err := netmail.ParseAddress(m.To)
	if err != nil || strings.ContainsAny(m.To, "\r\n\x00") {
		return fmt.Errorf("%w: %q", ErrAddress, m.To)
	}
	text, html, err := m.render()
	if err != nil {
		return err
	}
	out := gomail.NewMsg()
	out.Subject(oneLine(m.Subject))
	out.SetDate()
	out.SetMessageID()
	out.SetGenHeader("Auto-Submitted", "auto-generated")
	out.SetBodyString(gomail.TypeTextPlain, text)
	out.AddAlternativeString(gomail.TypeTextHTML, html)
	if err := errors.Join(out.FromFormat(s.name, s.from), out.To(to.Address)); err != nil {
		return fmt.Errorf("%w: %w", ErrAddress, err)
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	// Once it was taken, a connection that ends badly does not matter.
	if err := c.DialAndSendWithContext(ctx, out); err != nil && !out.IsDelivered() {
		return fmt.Errorf("mail: hand in at %s: %w", s.Host(), err)
	}
	return nil
}

func (s *Sender) client() (*gomail.Client, error) {
	opts := []gomail.Option{
		gomail.WithPort(s.server.port), gomail.WithTimeout(timeout), gomail.WithTLSConfig(s.tls), gomail.WithoutNoop(),
		gomail.WithDialContextFunc(s.connect),
	}
	switch {
	case s.server.direct:
		opts = append(opts, gomail.WithSSL())
	case near(s.server.host):
		opts = append(opts, gomail.WithTLSPolicy(gomail.TLSOpportunistic))
	default:
		opts = append(opts, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	if s.user != "" {
		// PLAIN and LOGIN refuse to send a password without TLS, but to this machine.
		opts = append(opts, gomail.WithUsername(s.user), gomail.WithPassword(s.password),
			gomail.WithOpportunisticSMTPAuth(gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthPlain, gomail.SMTPAuthLogin))
	}
	c, err := gomail.NewClient(s.server.host, opts...)
	if err != nil {
		return nil, fmt.Errorf("mail: %w", err)
	}
	return c, nil
}

func (s *Sender) connect(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := s.dial(ctx, network, address)
	if err != nil || !s.server.direct {
		return conn, err
	}
	over := tls.Client(conn, s.tls)
	if err := over.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return over, nil
}

// near tells of a host for which TLS may be missing: this machine, or one of
// the private network.
func near(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.IsLoopback() || ip.IsPrivate()
	}
	return !strings.Contains(host, ".") || strings.HasSuffix(host, ".local") || strings.HasSuffix(host, ".internal")
}
