package mail_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"atrium/internal/egress"
	"atrium/internal/mail"
	"atrium/internal/mail/mailtest"
)

func sender(t *testing.T, address string, change ...func(*mail.Options)) *mail.Sender {
	t.Helper()
	guard := egress.New(egress.Options{})
	t.Cleanup(guard.Close)
	o := mail.Options{URL: address, From: "Atrium <atrium@example.com>", Dial: guard.Dial}
	for _, f := range change {
		f(&o)
	}
	s, err := mail.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var letter = mail.Message{
	To: "ann@example.com", Subject: "Grüße <b>", Before: []string{"Hello & welcome <script>alert(1)</script>."},
	Code: "AB23CD", Link: "https://atrium.example.com/x?token=a&next=%2F", Label: "Sign in", After: []string{"Bye."},
}

func TestAMailArrivesAsTextAndAsHTML(t *testing.T) {
	t.Parallel()
	inbox := mailtest.New(t)
	if err := sender(t, inbox.URL()).Send(t.Context(), letter); err != nil {
		t.Fatal(err)
	}
	l := inbox.Next(t)
	if l.To != "ann@example.com" || l.From != "atrium@example.com" || l.GetHeader("Subject") != "Grüße <b>" || l.GetHeader("From") != `"Atrium" <atrium@example.com>` {
		t.Errorf("the envelope and headers are %q %q %q %q", l.To, l.From, l.GetHeader("Subject"), l.GetHeader("From"))
	}
	if l.Code() != "AB23CD" || l.Link() != letter.Link || !strings.Contains(l.Text, "Hello & welcome <script>") {
		t.Errorf("the text is %q", l.Text)
	}
	if strings.Contains(l.HTML, "<script>") || !strings.Contains(l.HTML, "&lt;script&gt;") || !strings.Contains(l.HTML, `href="https://atrium.example.com/x?token=a&amp;next=%2F"`) {
		t.Errorf("the HTML is %q", l.HTML)
	}
}

func TestHeadersCannotBeInjected(t *testing.T) {
	t.Parallel()
	inbox := mailtest.New(t)
	s := sender(t, inbox.URL())
	for _, to := range []string{"ann@example.com\r\nBcc: eve@example.com", "ann@example.com\nX: y", "ann@example.com, eve@example.com", "ann@example.com\r\nRCPT TO:<eve@example.com>", "", "ann"} {
		m := letter
		m.To = to
		if err := s.Send(t.Context(), m); !errors.Is(err, mail.ErrAddress) {
			t.Errorf("to %q: %v", to, err)
		}
	}
	for _, subject := range []string{"a\r\nBcc: eve@example.com", "a\nBcc: eve@example.com\n\nbody", "a\rBcc: eve@example.com", "a\x00\u2028Bcc: eve@example.com"} {
		m := letter
		m.Subject = subject
		if err := s.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		l := inbox.Next(t)
		if l.GetHeader("Bcc") != "" || strings.Contains(l.Raw, "\nBcc:") || !strings.HasPrefix(l.GetHeader("Subject"), "a Bcc: eve") {
			t.Errorf("subject %q arrived as:\n%s", subject, l.Raw)
		}
	}
	if inbox.Waiting() != 0 {
		t.Error("more mails came than were sent")
	}
}

func TestTheServerIsToldWhoHandsIn(t *testing.T) {
	t.Parallel()
	inbox := mailtest.New(t, func(s *mailtest.Server) { s.User, s.Password = "atrium", "p@ss word" })
	with := func(user string) string { return "smtp://" + user + "@" + inbox.Address }
	if err := sender(t, with("atrium:p%40ss%20word")).Send(t.Context(), letter); err != nil {
		t.Fatal(err)
	}
	if l := inbox.Next(t); l.User != "atrium" {
		t.Errorf("handed in by %q", l.User)
	}
	for _, bad := range []string{with("atrium:wrong"), inbox.URL()} {
		if err := sender(t, bad).Send(t.Context(), letter); err == nil || strings.Contains(err.Error(), "wrong") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestMailsAreEncryptedWhereTheServerCan(t *testing.T) {
	t.Parallel()
	front := httptest.NewTLSServer(nil)
	t.Cleanup(front.Close)
	roots := x509.NewCertPool()
	roots.AddCert(front.Certificate())
	trusting := func(o *mail.Options) { o.TLS = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots} }
	offer := func(direct bool) func(*mailtest.Server) {
		return func(s *mailtest.Server) {
			s.TLS, s.Direct = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: front.TLS.Certificates}, direct
		}
	}
	later, direct := mailtest.New(t, offer(false)), mailtest.New(t, offer(true))
	for address, inbox := range map[string]*mailtest.Server{later.URL(): later, "smtps://" + direct.Address: direct} {
		if err := sender(t, address, trusting).Send(t.Context(), letter); err != nil {
			t.Fatal(err)
		}
		if l := inbox.Next(t); !l.Encrypted {
			t.Errorf("%s: not encrypted", address)
		}
		if err := sender(t, address).Send(t.Context(), letter); err == nil {
			t.Errorf("%s: an unknown certificate was trusted", address)
		}
	}
}

func TestAServerThatIsDownIsAnError(t *testing.T) {
	t.Parallel()
	inbox := mailtest.New(t)
	s := sender(t, inbox.URL())
	inbox.Stop()
	if err := s.Send(t.Context(), letter); err == nil {
		t.Fatal("a mail was handed in nowhere")
	}
	inbox.Start(t)
	if err := s.Send(t.Context(), letter); err != nil {
		t.Fatal(err)
	}
	inbox.Next(t)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Send(ended, letter); err == nil {
		t.Error("a mail was handed in after its time")
	}
}

func TestWrongSettingsAreToldInWords(t *testing.T) {
	t.Parallel()
	const from = "atrium@example.com"
	for _, address := range []string{"", "mail.example.com", "http://mail.example.com", "smtp://", "smtp://h:0", "smtp://h:99999", "smtp://h/path", "smtp://h?x=y", "smtp://u:p%zz@h"} {
		if err := mail.Check(address, from); err == nil {
			t.Errorf("%q was taken", address)
		}
	}
	for _, sender := range []string{"", "atrium", "a@example.com\r\nBcc: b@example.com", "a@example.com, b@example.com"} {
		if err := mail.Check("smtp://h", sender); err == nil {
			t.Errorf("the sender %q was taken", sender)
		}
	}
	for address, host := range map[string]string{"smtp://h": "h:587", "smtps://h": "h:465", "smtp://u:p@h:25": "h:25"} {
		if got := sender(t, address).Host(); got != host {
			t.Errorf("%s leads to %s", address, got)
		}
	}
}
